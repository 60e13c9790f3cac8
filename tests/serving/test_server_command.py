"""Tests the server as a command: exit codes, messages, signals, and its end."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from crossnet.serving import server_command
from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.server_command import main, run
from support import REPOSITORY
from support.processes import catches
from support.serving_fixtures import wait_until
from support.serving_models import save_model


@pytest.fixture
def signal_handlers():
    """Restores the handlers that `run` replaces."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_main_exits_with_two_on_wrong_usage(capsys):
    assert main([]) == 2
    assert (
        capsys.readouterr().err == "Nothing to serve. Give `--model_base_path=FOLDER` or `--model_config_file=FILE`.\n"
    )


def test_main_exits_with_one_when_the_start_fails(signal_handlers, tmp_path, capsys):
    config = tmp_path / "models.config"
    config.write_text("model_config_list { oops }")
    assert main([f"--model_config_file={config}", "--port=0"]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("Failed to start server. Error: INVALID_ARGUMENT: ")
    assert "Error parsing text-format tensorflow.serving.ModelServerConfig" in printed


def test_run_does_not_start_after_a_signal_that_came_before(signal_handlers, tmp_path, capsys):
    stopping = threading.Event()
    stopping.set()
    config = tmp_path / "models.config"
    config.write_text("model_config_list { oops }")  # a start would fail
    assert run(ServerFlags(port=0, model_config_file=str(config)), stopping) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_prints_what_it_serves_and_exits_with_zero_on_a_signal(tmp_path, number):
    save_model(tmp_path / "demo" / "1")
    command = [sys.executable, "-m", "crossnet.serving.server_command", "--port=0", "--model_name=demo"]
    with subprocess.Popen(
        [*command, f"--model_base_path={tmp_path / 'demo'}"], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            lines = iter(server.stderr.readline, "")
            assert any(line.startswith("serving demo at 127.0.0.1:") for line in lines)
            server.send_signal(number)
            assert server.wait(50) == 0
        finally:
            server.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_before_the_server_listens_ends_it_with_zero_and_no_word(tmp_path, number, interruptible):
    command = [sys.executable, "-m", "crossnet.serving.server_command", "--port=0", f"--model_base_path={tmp_path}"]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) as server:
        try:
            wait_until(lambda: catches(server.pid, signal.SIGTERM))
            server.send_signal(number)
            assert server.wait(20) == 0
            assert server.stderr.read() == ""
        finally:
            server.kill()


def test_second_signal_ends_a_server_that_waits_for_its_calls(monkeypatch):
    done = []
    monkeypatch.setattr(server_command.os, "_exit", lambda code: done.append(code))
    handle = server_command._stopping(lambda: done.append("asked to stop"), lambda: True)
    handle(signal.SIGTERM, None)
    handle(signal.SIGTERM, None)  # the same signal once more, as `timeout` sends it
    assert done == ["asked to stop", "asked to stop"]
    monkeypatch.setattr(server_command, "_ONE_SIGNAL_SECONDS", 0.0)
    handle(signal.SIGINT, None)
    assert done[2:3] == [0]


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
