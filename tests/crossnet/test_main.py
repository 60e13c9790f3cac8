import importlib
import importlib.metadata
import subprocess
import sys

from click.testing import CliRunner

from crossnet.pipeline.cli import cli
from support import REPOSITORY


def run(*arguments):
    command = [sys.executable, "-m", "crossnet", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=60)


def test_module_is_the_command():
    done = run("plan", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    expected = CliRunner().invoke(cli, ["plan", "--help"], prog_name="crossnet").stdout
    assert done.stdout.split() == expected.split()  # lines may be wrapped differently


def test_version_is_the_distributions():
    assert run("--version").stdout == f"crossnet, version {importlib.metadata.version('crossnet-pipeline')}\n"


def test_exit_code_of_the_command_is_the_exit_code_of_the_process():
    done = run("no-such-command")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: crossnet [OPTIONS] COMMAND" in done.stderr


def test_import_starts_nothing():
    assert callable(importlib.import_module("crossnet.__main__").main)
