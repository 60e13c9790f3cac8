import dataclasses
import hashlib

import pytest

from crossnet.components.artifacts.examples import Examples
from crossnet.pipeline.report import card_origin
from crossnet.pipeline.report.card_origin import data_part, origin_part
from crossnet.pipeline.report.column_texts import column_texts
from crossnet.pipeline.report.run import load_run
from support.report_fixtures import PUSHED, make_runs


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return load_run(make_runs(tmp_path_factory), PUSHED)


def data(run):
    return data_part(run, run.get(Examples, "example_gen"), column_texts(run))


def test_data_names_the_file_its_content_and_the_rows(run):
    examples = run.get(Examples, "example_gen")
    (file,) = examples.properties["files"]
    with open(file, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    first, second, *_ = data(run).lines
    assert first == f"The rows are those of `good.csv` (SHA-256 {digest[:16]}…)."
    train, held = examples.counts["train"], examples.counts["eval"]
    assert second == f'There are {train} rows in train, {held} rows in eval, split by the setting `split = "hash"`.'


def test_columns_have_type_extent_and_holes(run):
    rows = {row[0]: row for row in data(run).table.rows}
    assert rows["y"][1:3] == ("–", "number, the label")  # requests do not have it
    assert rows["x0"][1:] == ("`x0`", "number", "0 to 0.995", "0")
    assert rows["zone"][2:4] == ("text", rows["zone"][3])
    assert rows["zone"][3].startswith("3 values: ")


def test_names_in_requests_are_a_column_where_one_differs(run):
    assert data(run).table.heads[:2] == ("column", "name in requests")
    names = dataclasses.replace(column_texts(run), names={})
    found = data_part(run, run.get(Examples, "example_gen"), names).table
    assert (found.heads, found.right) == (("column", "type", "in train", "missing"), {3})
    assert {len(row) for row in found.rows} == {4}


def test_times_excluded_columns_and_left_out_rows_are_told(run):
    examples = run.get(Examples, "example_gen")
    properties = {**examples.properties, "time_units": {"x0": "s"}, "notes": ["7 rows are left out."]}
    changed = dataclasses.replace(examples, properties=properties)
    settings = {**run.settings, "example_gen": {**run.settings["example_gen"], "exclude": ["id"]}}
    other = dataclasses.replace(run, artifacts={**run.artifacts, "example_gen": changed}, settings=settings)
    found = data(other)
    assert any(line.startswith("`x0` goes from 1970-01-01 to 1970-01-01 ") for line in found.lines)
    assert "7 rows are left out." in found.lines
    assert "Not used, because `exclude` names it: `id`." in found.lines
    assert {row[0]: row[2] for row in found.table.rows}["x0"] == "date or time"


def test_a_wide_table_is_cut_and_says_so(run, monkeypatch):
    monkeypatch.setattr(card_origin, "MAX_COLUMNS", 2)
    found = data(run)
    assert len(found.table.rows) == 2
    assert found.lines[-1] == "The table has the first 2 of 5 columns."


def test_origin_is_enough_to_make_it_again(run):
    found = dict(origin_part(run, "cross_layer").table.rows)
    assert found["settings"].endswith(hashlib.sha256(run.config_text.encode()).hexdigest())
    assert run.models["cross_layer"].checksum in found["model"]
    assert "tensorflow " in found["versions"]
    assert found["trainer.epochs"] == "`3`"
    assert not any(setting.startswith("dense.") for setting in found)


def test_defaults_of_a_preset_are_not_told_one_by_one(run):
    trainer = {**run.settings["trainer"], "preset": "table", "optimizer": "adamw", "epochs": 7}
    other = dataclasses.replace(run, settings={**run.settings, "trainer": trainer})
    found = dict(origin_part(other, "cross_layer").table.rows)
    assert (found["trainer.preset"], found["trainer.epochs"]) == ("`table`", "`7`")
    assert "trainer.optimizer" not in found
