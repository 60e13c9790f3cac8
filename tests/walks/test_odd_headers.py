"""Trains on odd headers and predicts from the same file."""

from __future__ import annotations

import csv
import json

import pytest
from click.testing import CliRunner

from crossnet.pipeline.cli import cli

HEADER = ", x0, x1,größe, $ ,7th, zone, y"
FEATURES = ["_7th", "column_1", "column_5", "gr__e", "x0", "x1", "zone"]
CONFIG = """\
models = ["cross_layer"]
[example_gen]
source = "csv"
input = "rows.csv"
label = "y"
[trainer]
epochs = 2
batch_size = 20
"""


def write_rows(path, rows=200):
    """Writes a table whose header has blanks after its commas and two columns without letters."""
    lines = [HEADER]
    for i in range(rows):
        x0, x1 = i % 7 / 7, i % 11 / 11
        lines.append(
            f"{i % 5}, {x0:.3f}, {x1:.3f},{i % 3}, {i % 2}.5,{i % 4}, {'north' if i % 2 else 'south'}, {x0 * x1}"
        )
    path.write_text("\ufeff" + "\n".join(lines) + "\n", encoding="utf-8")


def crossnet(*arguments):
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The CSV, and the model that was trained on it."""
    folder = tmp_path_factory.mktemp("odd-headers")
    write_rows(folder / "rows.csv")
    (folder / "rows.toml").write_text(CONFIG)
    root = folder / "root"
    done = crossnet("run", "--json", "--config", folder / "rows.toml", "--root", root, "--until", "trainer_cross_layer")
    return folder / "rows.csv", root / json.loads(done.stdout)["steps"]["trainer_cross_layer"]["artifact"]


def test_predict_takes_the_file_that_was_trained_on(table, tmp_path):
    rows, model = table
    crossnet("predict", "--rows", rows, "--offline", model, "--output", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as stream:
        header, *answered = csv.reader(stream)
    assert header == [*HEADER.split(","), "prediction"]
    assert len(answered) == 200
    assert len({row[-1] for row in answered}) > 1


def test_predict_takes_the_same_headers_as_keys_of_json(table, tmp_path):
    rows, model = table
    with rows.open(encoding="utf-8-sig", newline="") as stream:
        header, first, *_ = csv.reader(stream)
    values = {name: json.loads(cell) if name != " zone" else cell for name, cell in zip(header, first, strict=True)}
    (tmp_path / "in.jsonl").write_text(json.dumps(values) + "\n")
    for name in ("in.jsonl", "rows.csv"):
        source = rows if name == "rows.csv" else tmp_path / name
        crossnet("predict", "--rows", source, "--offline", model, "--output", tmp_path / f"out-{name}")
    answer = json.loads((tmp_path / "out-in.jsonl").read_text())["prediction"]
    assert (tmp_path / "out-rows.csv").read_text().splitlines()[1].endswith(f",{answer}")


def test_predict_names_a_column_that_training_did_not_have(table, tmp_path):
    rows, model = table
    header, *lines = rows.read_text(encoding="utf-8-sig").splitlines()
    (tmp_path / "rows.csv").write_text("\n".join([header + ", tip", *(line + ",1" for line in lines)]) + "\n")
    done = CliRunner().invoke(cli, ["predict", "--rows", str(tmp_path / "rows.csv"), "--offline", str(model)])
    assert done.exit_code == 1
    assert "rows.csv:1 does not fit model `crossnet` version 0. Extra: ` tip`." in done.stderr


def test_model_records_what_is_not_a_feature(table):
    _, model = table
    record = next(model.rglob("columns.json"))
    assert json.loads(record.read_text())["not_features"] == {" y": "label"}


def test_model_has_the_names_of_the_rule(table):
    from crossnet.serving.offline import OfflineModel

    with OfflineModel(table[1]) as model:
        assert list(model.metadata().signature("serving_default").inputs) == FEATURES
