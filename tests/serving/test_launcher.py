"""Servers are started, waited for, and ended: the binary, the embedded one, and what `crossnet serve` does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from crossnet.serving import launcher
from crossnet.serving.client import PredictionClient
from crossnet.serving.launcher import find_binary, running_server, serve
from crossnet.serving.status import ServingError
from support import REPOSITORY
from support.serving_fixtures import wait_until
from support.serving_models import push_empty_model, save_model

STAND_IN = REPOSITORY / "tests" / "support" / "standin_model_server.py"
# A line on stdin sends SIGTERM to another thread than the main one: Python's handler then runs only when the main
# thread looks for it, as with a signal that comes just before a system call that waits.
SERVE = """
import pathlib, signal, sys, threading
from crossnet.serving.launcher import serve

def terminate():
    if sys.stdin.readline():
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

threading.Thread(target=terminate, daemon=True).start()
sys.exit(serve(sys.argv[3:], root=pathlib.Path(sys.argv[1]), server=sys.argv[2]))
"""


@pytest.fixture
def binary(tmp_path, monkeypatch):
    """A tensorflow_model_server on PATH; returns the file that it records its process and flags in."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "tensorflow_model_server"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_IN}" "$@"\n')
    script.chmod(0o755)
    record = tmp_path / "record"
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("RECORD", str(record))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    return record


@pytest.fixture
def no_binary(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))


def _recorded(record):
    pid, *flags = record.read_text().split("\n")
    return int(pid), flags


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_find_binary_looks_on_path(binary):
    assert find_binary() == binary.parent / "bin" / "tensorflow_model_server"


def test_running_server_starts_the_binary_on_a_socket_and_ends_it(binary, tmp_path):
    with running_server(tmp_path / "models" / "rides", "rides", timeout_seconds=30) as server:
        assert server.kind == "binary"
        pid, flags = _recorded(binary)
        socket = server.target.removeprefix("unix:")
        assert flags == [
            "--port=0",
            f"--grpc_socket_path={socket}",
            "--model_name=rides",
            f"--model_base_path={tmp_path}/models/rides",
            "--max_num_load_retries=0",
        ]
        with PredictionClient(server.target, model_name="rides") as client:
            assert client.status()[0].version == 1
        assert _alive(pid)
    assert not _alive(pid)
    assert not Path(socket).exists()


def test_running_server_waits_for_nothing_when_the_block_was_left_by_an_error(binary, tmp_path, monkeypatch):
    monkeypatch.setenv("STUBBORN", "1")
    monkeypatch.setattr(launcher, "_GRACE_SECONDS", 3600.0)
    with pytest.raises(KeyboardInterrupt), running_server(tmp_path, "rides", timeout_seconds=30):
        pid, _ = _recorded(binary)
        raise KeyboardInterrupt
    assert not _alive(pid)


def test_running_server_repeats_the_binarys_own_words_when_it_fails(binary, tmp_path, monkeypatch):
    monkeypatch.setenv("FAIL", "1")
    sentence = r"ended with exit code 255 before `rides` was available\. Its log: Failed to start server\. "
    with (
        pytest.raises(ServingError, match=sentence),
        running_server(tmp_path, "rides", server="binary", timeout_seconds=30),
    ):
        pass


def test_running_server_falls_back_to_the_embedded_one(no_binary, tmp_path):
    save_model(tmp_path / "rides" / "1")
    with running_server(tmp_path / "rides", "rides", timeout_seconds=30) as server:
        assert server.kind == "embedded"
        with PredictionClient(server.target, model_name="rides") as client:
            assert client.predict({"x0": [1.0, 2.0], "x1": [0.5, 0.5]}).values.tolist() == [1.5, 2.5]


def test_running_server_gives_up_in_time(no_binary, tmp_path):
    sentence = r"No version of rides was available within 0\.1 s"
    with pytest.raises(ServingError, match=sentence), running_server(tmp_path, "rides", timeout_seconds=0.1):
        pass


def test_serve_says_that_there_is_no_binary(no_binary, tmp_path, capsys):
    push_empty_model(tmp_path)
    assert serve([], root=tmp_path, server="binary") == 2
    assert "`tensorflow_model_server` is not on PATH. Install it, or use `--server=embedded`" in capsys.readouterr().err


def test_serve_refuses_an_unknown_flag(tmp_path, capsys):
    assert serve(["--prot=8500"], root=tmp_path, server="embedded") == 2
    assert capsys.readouterr().err == "unknown argument: `--prot`. Did you mean `--port`?\n"


def _start(root, server, *flags):
    command = [sys.executable, "-c", SERVE, str(root), server, *flags]
    return subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _wait_ended(process):
    try:
        return process.wait(20)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stderr.close()


def test_serve_refuses_a_wrong_flag_before_it_waits_for_a_model(no_binary, tmp_path, capsys):
    assert serve(["--port=99999", "--rest_api_port=abc", "--prefer_tflite_model"], root=tmp_path) == 2
    assert capsys.readouterr().err == (
        "`--rest_api_port=abc`: expected a whole number.\n`--port=99999`: expected a port, 0 to 65535.\n"
    )


def test_serve_waits_for_a_model_runs_the_binary_and_passes_the_signal_on(binary, tmp_path):
    root = tmp_path / "root"
    with tempfile.TemporaryDirectory() as folder:
        process = _start(root, "auto", "--port=0", f"--grpc_socket_path={folder}/s", "--enable_batching", "--host=::1",
                         "--", "--new_flag=1")  # fmt: skip
        assert process.stderr.readline().startswith(
            f"There is no model in `{root}/serving_models` yet; waiting for one."
        )
        push_empty_model(root, "rides")
        assert process.stderr.readline() == (
            "`--host` is not passed on: tensorflow_model_server listens on every address of this machine.\n"
        )
        assert process.stderr.readline() == f"serving rides at unix:{folder}/s (binary)\n"
        pid, flags = _recorded(binary)
        assert sorted(flags) == [
            f"--batching_parameters_file={root}/serving/batching.config",
            "--enable_batching=true",
            f"--grpc_socket_path={folder}/s",
            f"--model_config_file={root}/serving/models.config",
            "--model_config_file_poll_wait_seconds=2",
            f"--monitoring_config_file={root}/serving/monitoring.config",
            "--new_flag=1",
            "--port=0",
            "--rest_api_port=8501",
        ]
        process.send_signal(signal.SIGTERM)
        assert _wait_ended(process) == 0
        assert not _alive(pid)


def test_serve_ends_a_binary_that_does_not_stop_at_the_second_signal(binary, tmp_path, monkeypatch):
    monkeypatch.setenv("STUBBORN", "1")
    push_empty_model(tmp_path)
    with tempfile.TemporaryDirectory() as folder:
        process = _start(tmp_path, "binary", "--port=0", f"--grpc_socket_path={folder}/s")
        assert process.stderr.readline().startswith("serving rides at ")
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGTERM)
        assert _wait_ended(process) == 0
        assert not _alive(_recorded(binary)[0])


def test_serve_notices_a_signal_that_interrupts_nothing(binary, tmp_path):
    push_empty_model(tmp_path)
    with tempfile.TemporaryDirectory() as folder:
        process = _start(tmp_path, "binary", "--port=0", f"--grpc_socket_path={folder}/s")
        assert process.stderr.readline().startswith("serving rides at ")
        time.sleep(0.5)  # by now it waits
        process.stdin.write("\n")
        process.stdin.flush()
        assert _wait_ended(process) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_hears_a_signal_while_it_imports_tensorflow(no_binary, tmp_path, monkeypatch, number):
    push_empty_model(tmp_path)
    (tmp_path / "tensorflow.py").write_text(
        "import logging as get, pathlib, time\n"
        f"pathlib.Path({str(tmp_path / 'importing')!r}).touch()\n"
        f"while not pathlib.Path({str(tmp_path / 'go on')!r}).exists(): time.sleep(0.01)\n"
        "get_logger = get.getLogger\n"
    )  # in the place of the real one, whose import cannot be seen from outside
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{REPOSITORY}")
    process = _start(tmp_path, "embedded", "--port=0")
    wait_until((tmp_path / "importing").exists)
    process.send_signal(number)
    time.sleep(0.2)
    (tmp_path / "go on").touch()
    assert _wait_ended(process) == 0, process.stderr.read()


def test_serve_exits_with_one_when_the_binary_does(binary, tmp_path, monkeypatch):
    monkeypatch.setenv("FAIL", "1")
    push_empty_model(tmp_path)
    process = _start(tmp_path, "binary")
    assert (
        "tensorflow_model_server ended with exit code 255 before `rides` was available"
        in process.communicate(timeout=30)[1]
    )
    assert process.returncode == 1


@pytest.mark.slow
def test_serve_runs_the_embedded_server_and_drains_on_sigterm(no_binary, tmp_path):
    save_model(tmp_path / "serving_models" / "rides" / "4")
    process = _start(tmp_path, "auto", "--port=0")
    for line in process.stderr:
        if line.startswith("serving "):
            break
    words = line.split()
    assert words[:3] + words[4:] == ["serving", "rides", "at", "(embedded)"]
    with PredictionClient(words[3], model_name="rides") as client:
        assert client.predict({"x0": [1.0], "x1": [0.5]}).version == 4
        save_model(tmp_path / "serving_models" / "tips" / "1")
        with PredictionClient(words[3], model_name="tips") as other:
            other.wait_ready(30)
    process.stdin.write("\n")
    process.stdin.flush()
    assert _wait_ended(process) == 0


def test_serve_tells_a_wrong_config_file_as_the_real_server_does(no_binary, tmp_path, capsys):
    (tmp_path / "models.config").write_text("model_config_list { oops }")
    assert serve([f"--model_config_file={tmp_path}/models.config"], root=tmp_path) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("Failed to start server. Error: INVALID_ARGUMENT: Error parsing text-format tensorflow")


@pytest.mark.parametrize("name", ["../crossnet", ".hidden", "a/b"])
def test_model_name_alone_must_be_a_folder_under_the_root(no_binary, tmp_path, capsys, name):
    assert serve([f"--model_name={name}"], root=tmp_path) == 2
    assert (
        f"`--model_name={name}` is not the name of a folder in `{tmp_path}/serving_models`" in capsys.readouterr().err
    )


def test_serve_waits_for_a_socket_with_tls(binary, tmp_path):
    config = tmp_path / "tls.cfg"
    config.write_text("")
    push_empty_model(tmp_path)
    with tempfile.TemporaryDirectory() as folder:
        process = _start(
            tmp_path, "binary", "--port=0", f"--grpc_socket_path={folder}/s", f"--ssl_config_file={config}"
        )
        assert process.stderr.readline() == f"serving rides at unix:{folder}/s (binary)\n"
        process.send_signal(signal.SIGTERM)
        assert _wait_ended(process) == 0
