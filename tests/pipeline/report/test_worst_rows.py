import dataclasses
from pathlib import Path

import pytest

from crossnet.components.artifacts.examples import Examples
from crossnet.pipeline.report import worst_rows as module
from crossnet.pipeline.report.column_texts import ColumnTexts, column_texts
from crossnet.pipeline.report.run import load_run
from crossnet.pipeline.report.sections import predictions
from crossnet.pipeline.report.worst_rows import worst_rows
from support.report_fixtures import HOSTILE_HEADER, PUSHED, make_runs


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_runs(tmp_path_factory)


def test_worst_rows_have_the_exact_error(store):
    worst = predictions(load_run(store, PUSHED))["worst"]
    errors = [abs(row["error"]) for row in worst["rows"]]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] == pytest.approx(abs(worst["rows"][0]["prediction"] - worst["rows"][0]["label"]), rel=1e-5)


def test_worst_rows_are_where_the_table_says_with_excluded_columns(store):
    run = load_run(store, PUSHED)
    (file,) = run.get(Examples, "example_gen").properties["files"]
    lines = Path(file).read_text().splitlines()
    settings = {**run.settings, "example_gen": {**run.settings["example_gen"], "exclude": ["zone"]}}
    other = dataclasses.replace(run, settings=settings)
    found = worst_rows(other, run.evaluation.details["cross_layer"]["worst_rows"], column_texts(run))
    assert found["columns"] == ["x0", "x1", HOSTILE_HEADER, "zone"]  # in the order of the table
    assert (found["ids"], found["numeric"]) == (["zone"], [True, True, True, False])
    for row in found["rows"]:
        name, line = row["place"].split(":")
        cells = lines[int(line) - 1].split(",")
        assert name == "good.csv"
        assert float(cells[-1]) == pytest.approx(row["label"], abs=1e-6)
        assert row["ids"] == [cells[-2]] == [row["values"][-1]]


def test_worst_rows_of_a_run_without_rows_say_their_place_in_eval(store, monkeypatch):
    run = load_run(store, PUSHED)
    rows = [{"record": 1233, "label": 1.0, "prediction": None, "features": {"b": 1.0, "a": ""}}]
    found = worst_rows(dataclasses.replace(run, artifacts={}), rows, ColumnTexts())
    (row,) = found["rows"]
    assert (row["place"], row["error"], row["values"]) == ("row 1,233 of eval", None, ["–", "1"])
    monkeypatch.setattr(module, "MAX_FEATURES", 1)
    assert worst_rows(dataclasses.replace(run, artifacts={}), rows, ColumnTexts())["more"] == 1
    assert worst_rows(run, [], ColumnTexts()) is None
