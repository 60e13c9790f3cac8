import os
import subprocess
import sys

import pytest

from crossnet.pipeline.cli import cli
from crossnet.pipeline.config import SHIPPED
from support import REPOSITORY

COMMANDS = {
    *("run", "plan", "why", "runs", "sbom", "show", "report", "step", "compare", "evaluate", "gc", "verify"),
    *("serve", "predict", "export", "rollback", "init", "doctor", "compile", "config", "diff", "tune"),
}


def test_cli_help_names_every_command_and_the_exit_codes(crossnet):
    text = crossnet("--help").stdout
    assert set(cli.commands) == COMMANDS
    assert all(f"\n  {name} " in text for name in COMMANDS)
    assert "0 done, 1 failed, 2 wrong usage, 3 the gate is closed" in text


def test_cli_help_has_sections_and_cuts_no_sentence(crossnet):
    lines = crossnet("--help").stdout.splitlines()
    places = [lines.index(f"{title}:") for title in ("Build", "Look", "Serve", "Tidy")]
    assert places == sorted(places)
    assert "More:" not in lines
    assert not [line for line in lines[1:] if line.endswith("...")]
    assert next(line for line in lines if line.startswith("  init ")) in lines[places[0] : places[1]]


def test_cli_every_command_explains_itself_and_its_options(crossnet):
    for name, command in cli.commands.items():
        assert command.help, name
        assert crossnet(name, "-h").exit_code == 0
        for option in command.params:
            assert option.param_type_name == "argument" or option.help, f"{name} {option.name}"


def test_cli_ships_the_configs_that_its_help_names(crossnet):
    text = crossnet("run", "--help").stdout
    for file in SHIPPED.glob("*.toml"):
        assert file.stem in text


@pytest.mark.parametrize(("command", "level"), [("serve", "3"), ("predict", "3"), ("plan", None)])
def test_cli_quiets_tensorflow_where_no_log_file_takes_its_messages(command, level):
    code = (
        "import atexit, os; from crossnet.pipeline.cli import main\n"
        "atexit.register(lambda: print(os.environ.get('TF_CPP_MIN_LOG_LEVEL')))\n"
        "main()"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", code, command, "--help"],
        env=environment | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"Usage: crossnet {command} ")
    assert done.stdout.splitlines()[-1] == str(level)
