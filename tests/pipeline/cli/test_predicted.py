"""`predict` says by column what the model was not trained on, and with --strict ends with 1."""

import json
import re

import grpc
import pytest

from crossnet.pipeline.cli.predicted import in_options, say_summary, strict_problem
from crossnet.serving import status
from crossnet.serving.predict import PredictSummary
from crossnet.serving.rows.unusual import Unusual
from crossnet.serving.status import STATUS_TABLE
from support.fake_server import RIDES, XS, FakeServer

ROWS = "Trip Miles,age,zone\n1,2,north\n40,3,mars\n,4,north\n"
RECORD = {"ranges": {"miles": [0.5, 30], "age": [0, 9]}, "categories": {"zone": ["north"]}, "complete": ["miles"]}


@pytest.fixture
def folder(tmp_path):
    """Writes what version 7 was trained on below a folder; returns the version's."""

    def write(served, record=RECORD):
        version = tmp_path / served / "crossnet" / "7"
        (version / "assets.extra").mkdir(parents=True)
        (version / "saved_model.pb").touch()
        (version / "assets.extra" / "train_values.json").write_text(record if record == "{" else json.dumps(record))
        return version

    return write


def test_models_that_were_pushed_are_named_where_the_server_does_not_serve_the_one_that_is_asked(crossnet, tmp_path):
    (tmp_path / "rows.csv").write_text("x0,x1,x2\n1,2,3\n")
    asked = ("predict", "--rows", "rows.csv", "--model", "ride", "--target")
    with FakeServer(XS).running() as target:
        alone = crossnet(*asked, target)
        for name in ("rides", "trips", ".tmp-1"):
            (tmp_path / "crossnet_root" / "serving_models" / name).mkdir(parents=True)
        done = crossnet(*asked, target)
        (tmp_path / "crossnet_root" / "serving_models" / "ride").mkdir()
        there = crossnet(*asked, target)
    assert (alone.exit_code, done.exit_code, there.exit_code) == (1, 1, 1)
    host = target.rpartition(":")[0]
    assert alone.stderr.endswith(
        f"`curl http://{host}:8501/v1/models/ride` lists the versions that a server has, if it answers REST on port "
        "8501.\n"
    )
    assert alone.stderr.replace("\n", "") == there.stderr.replace("\n", "")
    assert done.stderr.endswith(
        "on port 8501. Did you mean `rides`? `crossnet_root/serving_models` has `rides`, `trips`: name one with "
        "--model, or give --config.\n"
    )


def test_no_advice_on_the_command_line_names_a_call_or_an_argument_of_python():
    advice = [advice for _, _, advice in STATUS_TABLE.values()] + [*status._CONNECTION_ADVICE.values()]
    of_python = [text for text in advice if re.search(r"\(\)|`[a-z_]+`", text)]
    assert len(of_python) >= 10
    for text in of_python:
        shown = in_options(text, "[::1]:8500", "rides")
        assert not re.search(r"\(\)|`[a-z_]+`", shown)
    assert in_options(advice[0], "unix:/tmp/socket", "rides") == (
        "Compare them with what `curl http://localhost:8501/v1/models/rides/metadata` lists, if the server answers "
        "REST on port 8501."
    )


def test_a_deadline_names_the_options(crossnet, tmp_path):
    (tmp_path / "rows.csv").write_text("x0,x1,x2\n1,2,3\n")
    server = FakeServer(XS)
    server.faults = [(grpc.StatusCode.DEADLINE_EXCEEDED, "late")] * 9
    with server.running() as target:
        done = crossnet("predict", "--rows", "rows.csv", "--target", target)
    assert done.exit_code == 1
    assert done.stderr.endswith("late. Give a longer `--timeout` or a smaller `--batch-size`.\n")


@pytest.fixture
def predict(crossnet, tmp_path):
    """Sends ROWS to a server; `trip miles` is the model's `miles`."""
    (tmp_path / "rows.csv").write_text(ROWS)

    def predict(*options):
        with FakeServer(RIDES).running() as target:
            options = ("--rows", "rows.csv", "--target", target, "--rename", "Trip Miles=miles", "--quiet", *options)
            return crossnet("predict", *options)

    return predict


EXPECTED = (
    "`Trip Miles`: 1 row (33.3 %) has no number, and no row of training lacks it (rows.csv:4).\n"
    "`Trip Miles`: 1 row (33.3 %) has a number beyond those of training, 0.5 to 30, such as 40 (rows.csv:3).\n"
    "`zone`: 1 row (33.3 %) has a category that training never had, or too rarely to learn from, such as 'mars' "
    "(rows.csv:3).\n"
    "What training had is recorded in `{}/crossnet/7`.\n"
)


def test_predict_counts_what_the_version_below_the_root_was_not_trained_on(predict, folder):
    folder("crossnet_root/serving_models")
    done = predict()
    assert done.exit_code == 0
    assert done.stderr == EXPECTED.format("crossnet_root/serving_models")
    assert done.stdout.count("\n") == 4


def test_root_and_config_name_other_folders(predict, folder, tmp_path):
    folder("other/serving_models")
    folder("watched")
    (tmp_path / "rides.toml").write_text('[pusher]\nserving_dir = "watched"\n')
    assert predict("--root", "other").stderr == EXPECTED.format("other/serving_models")
    assert predict("--config", "rides.toml").stderr == EXPECTED.format(tmp_path / "watched")


def test_strict_ends_with_one_and_leaves_no_file(predict, folder, tmp_path):
    folder("crossnet_root/serving_models")
    before = sorted(tmp_path.iterdir())
    done = predict("--strict", "--output", "out.csv")
    assert (done.exit_code, done.stdout, sorted(tmp_path.iterdir())) == (1, "", before)
    assert done.stderr.endswith(
        "`--strict`: numbers in `Trip Miles` are missing, infinite or beyond those of training. `out.csv` was not "
        "written. Fix the rows, or leave `--strict` out.\n"
    )
    on_screen = predict("--strict")
    assert (on_screen.exit_code, on_screen.stdout.count("\n")) == (1, 4)
    assert "The answers are written all the same. Fix the rows" in on_screen.stderr


def test_strict_passes_rows_like_those_of_training(predict, folder, tmp_path):
    folder("crossnet_root/serving_models")
    (tmp_path / "rows.csv").write_text("Trip Miles,age,zone\n1,2,north\n2,3,mars\n")  # a model has an answer for "mars"
    done = predict("--strict", "--output", "out.csv")
    assert (done.exit_code, done.stdout, (tmp_path / "out.csv").read_text().count("\n")) == (0, "", 3)


@pytest.mark.parametrize("record", ["{", None])
def test_without_a_record_strict_says_that_it_compared_nothing_and_finds_nan_and_infinity(
    crossnet, folder, tmp_path, record
):
    if record:
        folder("crossnet_root/serving_models", record)
    (tmp_path / "good.csv").write_text("x0,x1,x2\n1,2,3\n")
    (tmp_path / "bad.csv").write_text("x0,x1,x2\n1,2,3\n1,inf,3\n")
    with FakeServer(XS).running() as target:
        good, bad = (
            crossnet("predict", "--target", target, "--strict", "--quiet", "--rows", name)
            for name in ("good.csv", "bad.csv")
        )
    note = (
        "What training had is not known here, so that no number was compared with it. Name the folder below which the "
        "model was pushed: --root, or the --config of its run.\n"
    )
    assert (good.exit_code, good.stderr) == (0, note)
    assert bad.exit_code == 1
    assert bad.stderr.startswith("`x1`: 1 row (50 %) has an infinite number, such as inf (bad.csv:3).\n" + note)


def test_many_columns_are_not_all_listed(capsys):
    found = tuple(Unusual(f"c{number}", "category", 2, "'x'", "rows.csv:2") for number in range(23))
    summary = PredictSummary(4, (1,), 0, 1.0, unusual=found)
    say_summary(summary, quiet=True)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 21
    assert lines[0].startswith("`c0`: 2 rows (50 %) have a category")
    assert lines[-1] == "So it is with 3 more columns."
    assert strict_problem(summary) == ""
    assert strict_problem(PredictSummary(4, (1,), 2, 1.0)) == "`--strict`: 2 rows got no finite number."


def test_lines_that_are_the_header_again_are_said(capsys):
    say_summary(PredictSummary(2, (1,), 0, 0.5, repeats=("rows.csv:3",)), quiet=True)
    say_summary(PredictSummary(2, (1,), 0, 0.5, repeats=("rows.csv:3", "rows.csv:7")), quiet=True)
    assert capsys.readouterr().err.splitlines() == [
        "1 line is the header again and has no answer (first: rows.csv:3).",
        "2 lines are the header again and have no answer (first: rows.csv:3).",
    ]
