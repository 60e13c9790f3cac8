import json
import os
import re
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest

from crossnet.components.files import read_json
from crossnet.serving import launcher
from support import REPOSITORY, serving_models
from support.fake_server import XS, FakeServer
from support.serving_fixtures import wait_until


@pytest.fixture
def rows(tmp_path):
    """Two rows in rows.csv."""
    (tmp_path / "rows.csv").write_text("x0,x1,x2\n1,2,3\n4,5,6\n")
    return "rows.csv"


# serve


def test_serve_refuses_a_flag_that_the_server_does_not_have(crossnet):
    done = crossnet("serve", "--server", "embedded", "--prot=8500")
    assert done.exit_code == 2
    assert "--port" in done.stderr


def test_serve_keeps_what_is_behind_two_dashes_for_the_real_server(crossnet):
    done = crossnet("serve", "--server", "embedded", "--model_base_path=/m", "--", "--new_flag=1")
    assert done.exit_code == 2
    assert "`--new_flag=1` is behind `--`" in done.stderr


def test_serve_says_when_the_port_is_taken(crossnet, tmp_path):
    serving_models.save_model(tmp_path / "model" / "1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = crossnet("serve", "--server", "embedded", f"--port={port}", f"--model_base_path={tmp_path / 'model'}")
    assert done.exit_code == 1
    assert str(port) in done.stderr


@pytest.mark.parametrize(
    ("pusher", "flags"),
    [
        ('serving_dir = "pushed"', ["--model_name=rides", "--model_base_path=pushed/rides", "--port=1"]),
        ("", ["--model_name=rides", "--port=1"]),
    ],
    ids=["folder", "root"],
)
def test_serve_takes_root_model_and_folder_from_a_config(crossnet, tmp_path, monkeypatch, pusher, flags):
    (tmp_path / "mine.toml").write_text(f'root = "kept"\n[pusher]\nmodel_name = "rides"\n{pusher}\n')
    served = []
    monkeypatch.setattr(launcher, "serve", lambda flags, root, server: served.append((flags, root, server)) or 0)
    assert crossnet("serve", "--server", "embedded", "--port=1", "--config", "mine.toml").exit_code == 0
    ((found, root, server),) = served
    assert [flag.replace(f"{tmp_path}/", "") for flag in found] == flags
    assert (root.resolve(), server) == (tmp_path / "kept", "embedded")


def test_serve_takes_one_of_config_and_model_flags(crossnet, tmp_path):
    (tmp_path / "mine.toml").write_text("")
    done = crossnet("serve", "--config", "mine.toml", "--model_name=rides")
    assert done.exit_code == 2
    assert "`--config` names the model, and so does `--model_name`. Give one of them." in done.stderr


def test_serve_refuses_a_server_that_does_not_exist(crossnet):
    done = crossnet("serve", "--server", "apache")
    assert done.exit_code == 2
    assert "'apache' is not one of 'auto', 'binary', 'embedded', 'docker'" in done.stderr


# predict


def test_predict_adds_the_servers_predictions_and_says_who_answered(crossnet, rows):
    with FakeServer(XS).running() as target:
        done = crossnet("predict", "--rows", rows, "--target", target)
        quiet = crossnet("predict", "--rows", rows, "--target", target, "--quiet", "--output", "out.csv")
    assert (done.exit_code, done.stdout) == (0, "x0,x1,x2,prediction\n1,2,3,1.0\n4,5,6,4.0\n")
    assert done.stderr.startswith("2 rows in ")
    assert done.stderr.endswith(" s, answered by version 7.\n")
    assert (quiet.exit_code, quiet.output) == (0, "")


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (["--version", "7"], {"version": 7}),
        (["--batch-size", "1"], {"requests": 2}),
        (["--model", "crossnet", "--signature", "serving_default", "--format", "csv"], {}),
    ],
)
def test_predict_passes_its_options_on(crossnet, rows, options, asked):
    server = FakeServer(XS)
    with server.running() as target:
        done = crossnet("predict", "--rows", rows, "--target", target, *options)
    assert done.exit_code == 0, done.stderr
    assert len(server.requests) == asked.get("requests", 1)
    assert server.requests[0].model_spec.version.value == asked.get("version", 0)


def test_predict_ignores_other_columns_only_when_told(crossnet, tmp_path):
    (tmp_path / "rows.csv").write_text("x0,x1,x2,y\n1,2,3,9\n")
    with FakeServer(XS).running() as target:
        refused = crossnet("predict", "--rows", "rows.csv", "--target", target)
        done = crossnet("predict", "--rows", "rows.csv", "--target", target, "--ignore-extra")
    assert refused.exit_code != 0
    assert "`y`" in refused.stderr
    assert done.stdout == "x0,x1,x2,y,prediction\n1,2,3,9,1.0\n"


def test_predict_offline_needs_no_server(crossnet, tmp_path):
    serving_models.save_model(tmp_path / "model" / "3")
    (tmp_path / "rows.jsonl").write_text('{"x0": 2.0, "x1": 0.5}\n')
    done = crossnet("predict", "--rows", "rows.jsonl", "--offline", "model")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout) == {"x0": 2.0, "x1": 0.5, "prediction": 2.5}
    assert done.stderr.startswith("1 row in ")
    assert done.stderr.endswith(" s, answered by version 3.\n")


def test_predict_turns_tls_on_where_a_certificate_is_named(crossnet, rows, tmp_path):
    (tmp_path / "ca.pem").write_text("not a certificate")
    done = crossnet("predict", "--rows", rows, "--tls-ca", "ca.pem")
    assert done.exit_code == 2
    assert "TLS cannot be used. `ca` " in done.stderr


def test_predict_without_a_server_fails_within_its_deadline_and_says_what_to_do(crossnet, rows):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    done = crossnet("predict", "--rows", rows, "--target", f"127.0.0.1:{port}", "--timeout", "0.5")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "Start one with `crossnet serve`" in done.stderr


@pytest.mark.parametrize("options", [(), ("--wait", "60")])
def test_predict_names_a_missing_file_before_it_asks_a_server(crossnet, options):
    done = crossnet("predict", "--rows", "missing.jsonl", *options)
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
def test_predict_refuses_options_without_a_meaning(crossnet, tmp_path, rows, arguments, sentence):
    done = crossnet("predict", "--rows", rows, *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_predict_says_how_many_predictions_are_not_finite(crossnet, rows):
    server = FakeServer(XS, model=lambda arrays: {"prediction": np.full(2, np.nan, np.float32)})
    with server.running() as target:
        done = crossnet("predict", "--rows", rows, "--target", target)
        empty = crossnet("predict", "--rows", "-", "--format", "csv", "--target", target)
    assert done.stdout == "x0,x1,x2,prediction\n1,2,3,nan\n4,5,6,nan\n"
    assert "2 rows got no finite number." in done.stderr
    assert empty.exit_code == 1
    assert "standard input is empty" in empty.stderr


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_predict_that_is_stopped_leaves_nothing_behind(tmp_path, number, code):
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
    assert re.fullmatch(r"Interrupted after \d+ rows?; `out.csv` was not written\.", error.splitlines()[-1])
    assert "Traceback" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


# rollback


@pytest.mark.parametrize("options", [(), ("--serving-dir", "served")])
def test_rollback_takes_the_newest_version_out_and_names_the_one_before(crossnet, tmp_path, options):
    folder = tmp_path / (options[1] if options else "crossnet_root/serving_models") / "rides"
    for version in (8, 9, 10):
        (folder / str(version)).mkdir(parents=True)
    done = crossnet("rollback", "--model", "rides", "--reason", "wrong fares", *options)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "Version 10 of `rides` is out of service.\nVersion 9 is in service again.\n"
    assert read_json(folder / "10.json")["rolled_back"]["reason"] == "wrong fares"
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["10.rolled_back", "8", "9"]


def test_rollback_of_the_only_version_asks_for_yes(crossnet, tmp_path):
    folder = tmp_path / "crossnet_root" / "serving_models" / "crossnet"
    (folder / "1").mkdir(parents=True)
    asked = crossnet("rollback")
    assert (asked.exit_code, asked.stdout) == (1, "")
    assert "Version 1 is the last one of `crossnet` in service: without it, servers would have nothing" in asked.stderr
    assert "Nothing was changed. To take it out all the same: `crossnet rollback --yes`." in asked.stderr
    assert (folder / "1").is_dir()
    assert crossnet("rollback", "--yes").stdout.splitlines()[1] == "No version is in service now."
    done = crossnet("rollback")
    assert done.exit_code == 1
    assert "No version is in service in" in done.stderr


def test_rollback_of_another_models_name_lists_those_that_are_there(crossnet, tmp_path):
    for number in range(12):
        (tmp_path / "served" / f"rides{number}").mkdir(parents=True)
    (tmp_path / "served" / ".hidden").mkdir()
    done = crossnet("rollback", "--model", "ride7", "--serving-dir", "served")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(
        "No model `ride7` in `served`. Did you mean `rides7`? There are: `rides0`, `rides1`, "
    )
    assert done.stderr.endswith("`rides7` and 2 more. Name one with --model.\n")
    empty = crossnet("rollback", "--model", "ride7")
    assert empty.stderr == (
        "No model `ride7` in `crossnet_root/serving_models`. None was pushed there yet. Push one with `crossnet run`, "
        "or name another folder: --serving-dir.\n"
    )
    assert not (tmp_path / "crossnet_root").exists()


def test_rollback_says_that_a_record_cannot_be_read(crossnet, tmp_path):
    folder = tmp_path / "crossnet_root" / "serving_models" / "crossnet"
    for version in (1, 2):
        (folder / str(version)).mkdir(parents=True)
    (folder / "2.json").write_text("")
    done = crossnet("rollback")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, "Version 2 of `crossnet` is out of service.")
    assert "2.json` cannot be read: it is empty. Version 2 counts as put there by hand.\n" in done.stderr


@pytest.mark.parametrize("name", ["", "../x", "n" * 300])
def test_rollback_refuses_a_name_that_cannot_be_a_folders(crossnet, name):
    done = crossnet("rollback", "--model", name)
    assert done.exit_code == 2
    assert "a model's name has letters, digits" in done.stderr
