import sys

import pytest

from crossnet.pipeline.called import as_typed, program
from crossnet.pipeline.cli import cli
from crossnet.pipeline.console import Reporter


def install(folder, monkeypatch, name, on_path):
    """Makes `.venv/bin/NAME` in the working directory, on PATH or not."""
    monkeypatch.chdir(folder)
    command = folder / ".venv" / "bin" / name
    command.parent.mkdir(parents=True)
    command.touch(0o755)
    monkeypatch.setenv("PATH", str(command.parent) if on_path else "/nowhere")


@pytest.mark.parametrize(
    ("called", "on_path", "expected"),
    [
        (".venv/bin/crossnet", False, ".venv/bin/crossnet"),
        ("{here}/.venv/bin/crossnet", False, ".venv/bin/crossnet"),
        ("/opt/my env/bin/crossnet", False, "'/opt/my env/bin/crossnet'"),
        ("{here}/.venv/bin/crossnet", True, "crossnet"),
        ("pytest", False, "crossnet"),
    ],
)
def test_the_next_command_can_be_typed(tmp_path, monkeypatch, called, on_path, expected):
    install(tmp_path, monkeypatch, "crossnet", on_path)
    monkeypatch.setattr(sys, "argv", [called.format(here=tmp_path)])
    assert program() == expected


@pytest.mark.parametrize(
    ("typed", "on_path", "expected"),
    [
        ("python", True, "python -m crossnet"),
        ("{here}/.venv/bin/python", False, ".venv/bin/python -m crossnet"),
        (".venv/bin/python", False, ".venv/bin/python -m crossnet"),
        ("{here}/.venv/bin/python", True, "python -m crossnet"),
    ],
)
def test_a_module_is_called_by_its_python_as_it_was_typed(tmp_path, monkeypatch, typed, on_path, expected):
    install(tmp_path, monkeypatch, "python", on_path)
    monkeypatch.setattr(sys, "orig_argv", [typed.format(here=tmp_path), "-m", "crossnet"])
    monkeypatch.setattr(sys, "argv", ["/somewhere/crossnet/__main__.py"])
    assert program() == expected


def test_commands_in_a_sentence_begin_as_this_one_was_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [".venv/bin/crossnet"])
    assert as_typed("Push one with `crossnet run`, or see `crossnet runs --json`.") == (
        "Push one with `.venv/bin/crossnet run`, or see `.venv/bin/crossnet runs --json`."
    )
    assert (
        as_typed("In service: `crossnet` version 3, /crossnet run") == "In service: `crossnet` version 3, /crossnet run"
    )


def test_errors_tables_and_progress_show_the_command_as_it_can_be_typed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [".venv/bin/crossnet"])
    with pytest.raises(SystemExit):
        cli(["rollback", "--model", "none"])
    assert "Push one with `.venv/bin/crossnet run`, or" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli(["runs"])
    assert "Start one with `.venv/bin/crossnet run`." in capsys.readouterr().out
    Reporter().line("Call `crossnet run` again.")
    assert capsys.readouterr().err == "Call `.venv/bin/crossnet run` again.\n"
