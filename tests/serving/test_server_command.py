"""Tests the server as a command: exit codes, messages, signals, and its end."""

from __future__ import annotations

import subprocess
import sys

from crossnet.serving.server_command import main
from support import REPOSITORY


def test_main_exits_with_two_on_wrong_usage(capsys):
    assert main([]) == 2
    assert (
        capsys.readouterr().err == "Nothing to serve. Give `--model_base_path=FOLDER` or `--model_config_file=FILE`.\n"
    )


def test_main_exits_with_one_when_the_start_fails(tmp_path, capsys):
    import signal

    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        config = tmp_path / "models.config"
        config.write_text("model_config_list { oops }")
        assert main([f"--model_config_file={config}", "--port=0"]) == 1
    finally:
        for number, handler in zip((signal.SIGTERM, signal.SIGINT), before, strict=True):
            signal.signal(number, handler)
    printed = capsys.readouterr().err
    assert printed.startswith("Failed to start server. Error: INVALID_ARGUMENT: ")
    assert "Error parsing text-format tensorflow.serving.ModelServerConfig" in printed


def test_version_prints_two_lines_and_imports_no_tensorflow():
    code = (
        "import sys; from crossnet.serving.server_command import main; "
        "sys.exit(main(['--version']) or 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first.startswith("TensorFlow ModelServer: embedded-")
    assert second.startswith("TensorFlow Library: 2.")


def test_a_call_that_never_returns_does_not_keep_the_process():
    program = (
        "import threading, time\nfrom crossnet.serving.server_command import _exit_after\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()\n_exit_after(threading.Event(), 0.1)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr) == (0, "A call is still running; the server exits without waiting for it.\n")
