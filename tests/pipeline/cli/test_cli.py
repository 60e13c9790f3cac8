import json
import os
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from crossnet.pipeline.cli import cli
from crossnet.pipeline.config import SHIPPED
from support import REPOSITORY, serving_models
from support.fake_server import XS, FakeServer
from support.serving_fixtures import wait_until


@pytest.fixture
def crossnet(tmp_path, monkeypatch):
    """Calls the command line in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli, arguments, catch_exceptions=False, prog_name="crossnet")


def test_cli_help_names_every_command_and_the_exit_codes(crossnet):
    text = crossnet("--help").stdout
    for verb in (
        "run",
        "plan",
        "why",
        "runs",
        "show",
        "report",
        "compare",
        "serve",
        "predict",
        "rollback",
        "gc",
        "init",
    ):
        assert f"\n  {verb} " in text, verb
    assert "0 done, 1 failed, 2 wrong usage, 3 the gate is closed" in text


def test_cli_every_command_explains_itself_and_its_options(crossnet):
    for name, command in cli.commands.items():
        assert command.help, name
        assert crossnet(name, "--help").exit_code == 0
        for option in command.params:
            assert option.param_type_name == "argument" or option.help, f"{name} {option.name}"


@pytest.mark.parametrize("verb", ["run", "plan"])
def test_cli_wrong_setting_exits_2_with_the_nearest_name(crossnet, verb):
    done = crossnet(verb, "--set", "trainer.learning_rat=1")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "Unknown setting `trainer.learning_rat`. Did you mean `trainer.learning_rate`?\n"


def test_cli_run_without_its_csv_says_so_and_writes_no_artifact(crossnet, tmp_path):
    done = crossnet("run", "--set", "example_gen.source=csv", "--set", "example_gen.input=missing.csv")
    assert done.exit_code in (1, 2)
    assert "missing.csv" in done.stderr
    assert not (tmp_path / "crossnet_root" / "artifacts").exists()


def test_cli_run_until_an_unknown_step_names_the_steps(crossnet):
    done = crossnet("run", "--until", "trainer", "--json")
    assert done.exit_code == 2
    assert "No step `trainer`. The steps are: example_gen" in json.loads(done.stdout)["error"]


def test_cli_show_and_runs_say_when_there_is_no_run(crossnet):
    done = crossnet("show")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "There is none yet: call `crossnet run`." in done.stderr
    assert "Start one with `crossnet run`." in crossnet("runs").stdout


def test_cli_rollback_says_when_nothing_is_in_service(crossnet):
    done = crossnet("rollback")
    assert done.exit_code == 1
    assert "No version is in service" in done.stderr


def test_cli_serve_refuses_a_flag_that_the_server_does_not_have(crossnet):
    done = crossnet("serve", "--server", "embedded", "--prot=8500")
    assert done.exit_code == 2
    assert "--port" in done.stderr


def test_cli_serve_says_when_the_port_is_taken(crossnet, tmp_path):
    serving_models.save_model(tmp_path / "model" / "1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = crossnet("serve", "--server", "embedded", f"--port={port}", f"--model_base_path={tmp_path / 'model'}")
    assert done.exit_code == 1
    assert str(port) in done.stderr


def test_cli_predict_without_a_server_fails_within_its_deadline_and_says_what_to_do(crossnet, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"x0": 1}\n')
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    done = crossnet("predict", "--rows", "rows.jsonl", "--target", f"127.0.0.1:{port}", "--timeout", "0.5")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "Start one with `crossnet serve`" in done.stderr


def test_cli_predict_names_a_file_that_is_not_there(crossnet):
    done = crossnet("predict", "--rows", "missing.jsonl")
    assert done.exit_code == 2
    assert "Cannot read `missing.jsonl`" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--version", str(2**70)], "`version` must be from 0 to 9223372036854775807"),
        (["--wait", "-1"], "A timeout must be above zero seconds; received -1.0."),
        (["--wait", "nan"], "A timeout must be above zero seconds; received nan."),
        (["--timeout", "nan"], "`timeout_seconds` must be above zero; received nan."),
        (["--target", "localhost:99999"], "`target` has port 99999; the largest is 65535."),
        (["--output", ""], "Cannot write `.`: it is a folder."),
        (["--output", "."], "Cannot write `.`: it is a folder."),
        (["--output", "n" * 300], "File name too long"),
        (["--model", "\udcff"], "`model_name` must be Unicode text"),
    ],
)
def test_cli_predict_tells_options_that_mean_nothing(crossnet, tmp_path, arguments, sentence):
    (tmp_path / "rows.jsonl").write_text('{"x0": 1}\n')
    done = crossnet("predict", "--rows", "rows.jsonl", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_cli_predict_names_a_missing_file_before_it_waits_for_a_server(crossnet):
    done = crossnet("predict", "--rows", "missing.csv", "--wait", "60")
    assert done.exit_code == 2
    assert "Cannot read `missing.csv`" in done.stderr


def test_cli_predict_says_how_many_answers_are_no_number(crossnet, tmp_path):
    server = FakeServer(XS, model=lambda arrays: {"prediction": np.full(2, np.nan, np.float32)})
    (tmp_path / "rows.csv").write_text("x0,x1,x2\n1,2,3\n4,5,6\n")
    with server.running() as target:
        done = crossnet("predict", "--rows", "rows.csv", "--target", target)
        empty = crossnet("predict", "--rows", "-", "--format", "csv", "--target", target)
    assert done.stdout == "x0,x1,x2,prediction\n1,2,3,nan\n4,5,6,nan\n"
    assert "2 rows got no finite number." in done.stderr
    assert "is empty; expected a header" in empty.stderr


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 1), (signal.SIGTERM, 143)])
def test_cli_predict_that_is_stopped_leaves_nothing_behind(tmp_path, number, code):
    (tmp_path / "rows.csv").write_text("x0,x1,x2\n" + "1,2,3\n" * 1000)
    server = FakeServer(XS)
    server.delay = 0.05
    with server.running() as target:
        options = ["--rows", "rows.csv", "--output", "out.csv", "--target", target, "--batch-size", "1"]
        command = [sys.executable, "-m", "crossnet", "predict", *options]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as process:
            wait_until(lambda: len(server.requests) > 3)
            process.send_signal(number)
            _, error = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Traceback" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


@pytest.mark.parametrize("reason", ["", "  "])
def test_cli_run_with_force_wants_a_reason(crossnet, tmp_path, reason):
    done = crossnet("run", "--force", reason)
    assert done.exit_code == 2
    assert "expected a reason, which is recorded with the version; received '" in done.stderr
    assert not list(tmp_path.iterdir())


def test_cli_run_tells_a_name_that_is_too_long(crossnet):
    done = crossnet("run", "--run", "n" * 300)
    assert done.exit_code == 2
    assert "A run's name must be a plain folder name" in done.stderr


def test_cli_run_tells_a_root_that_cannot_be_written(crossnet):
    done = crossnet("run", "--root", "/proc/x")
    assert done.exit_code == 1
    assert "Cannot write in `/proc/x`" in done.stderr


@pytest.mark.parametrize("name", ["", "../x", "n" * 300])
def test_cli_rollback_refuses_a_name_that_is_no_folder(crossnet, name):
    done = crossnet("rollback", "--model", name)
    assert done.exit_code == 2
    assert "a model's name has letters, digits" in done.stderr


def test_cli_gc_refuses_a_folder_without_runs_and_writes_nothing_there(crossnet, tmp_path):
    (tmp_path / "artifacts" / "photos" / "2025").mkdir(parents=True)
    done = crossnet("gc", "--root", ".")
    assert done.exit_code == 1
    assert "There is none yet: call `crossnet run`" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["artifacts"]
    assert (tmp_path / "artifacts" / "photos" / "2025").is_dir()


def test_cli_init_writes_a_config_that_plan_takes(crossnet, tmp_path):
    (tmp_path / "rides.csv").write_text("zone,miles,fare\n" + "a,1.5,7.5\nb,2,9\n" * 30)
    assert "Wrote rides.toml" in crossnet("init", "rides.csv", "--label", "fare").stdout
    done = crossnet("plan", "--config", "rides.toml")
    assert done.exit_code == 0
    assert "it has never run in this root" in done.stdout


def test_cli_doctor_finds_this_environment_well(crossnet):
    done = crossnet("doctor")
    assert done.exit_code == 0, done.stdout
    assert "tensorflow_model_server" in done.stdout


def test_cli_ships_the_configs_that_its_help_names(crossnet):
    text = crossnet("run", "--help").stdout
    for file in SHIPPED.glob("*.toml"):
        assert file.stem in text
