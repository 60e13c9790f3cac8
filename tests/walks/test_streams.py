"""Checks that no command shows a traceback where its standard streams are full, closed or not read."""

import os
import subprocess
import sys

import pytest

from support import REPOSITORY
from support.report_fixtures import make_bare_run

WITHOUT_RESULT = ["rollback", "plan --set trainer.epochs=0"]  # they say on standard error what is wrong
QUICK = ["runs", "plan --set trainer.epochs=0"]
SLOW = [
    "rollback",
    "show --json",
    "--help",
    "--version",
    "run --help",
    "plan",
    "why pusher",
    "runs --json",
    "show",
    "doctor",
    "report",
    "gc",
]
COMMANDS = [*QUICK, *(pytest.param(command, marks=pytest.mark.slow) for command in SLOW)]

SHELLS = [">&-", ">&- 2>&- <&-", *(pytest.param(s, marks=pytest.mark.slow) for s in ("2>&-", "<&-", "2> /dev/full"))]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_bare_run(tmp_path_factory.mktemp("streams") / "root").root


def call(command, root, *, shell=""):
    """Runs a command in a shell, with `shell` behind it."""
    line = f'"$0" -m crossnet {command} {shell}'
    environment = {**os.environ, "CROSSNET_ROOT": str(root)}
    return subprocess.run(
        ["bash", "-c", line, sys.executable], capture_output=True, text=True, cwd=REPOSITORY, env=environment
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_standard_output_that_is_full_is_one_sentence(root, command):
    done = call(command, root, shell="> /dev/full")
    assert done.returncode in (1, 2)
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("Cannot write standard output: No space left") or command in WITHOUT_RESULT


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("shell", SHELLS)
def test_a_closed_stream_is_no_error(root, command, shell):
    done = call(command, root, shell=shell)
    assert done.returncode == call(command, root).returncode
    assert "Traceback" not in done.stderr + done.stdout
    assert "Exception ignored" not in done.stderr + done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_has_gone_is_no_error(root, command):
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "CROSSNET_ROOT": str(root)}
    arguments = [sys.executable, "-m", "crossnet", *command.split()]
    done = subprocess.run(arguments, stdout=writer, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY, env=environment)
    os.close(writer)
    assert done.stderr == "" or command in WITHOUT_RESULT
    assert done.returncode in (1, 2)
