import dataclasses
from pathlib import Path

import numpy as np
import pytest

from crossnet.components.artifacts.examples import Examples
from crossnet.pipeline.report.arrays import scored_rows
from crossnet.pipeline.report.pages import write_report
from crossnet.pipeline.report.run import load_run
from crossnet.pipeline.report.sections import gate
from crossnet.pipeline.report.slice_rows import WORST, slice_rows
from support.report_fixtures import PUSHED, make_runs


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_runs(tmp_path_factory)


@pytest.fixture(scope="module")
def run(store):
    return load_run(store, PUSHED)


def test_each_slice_opens_to_its_own_rows_with_the_largest_errors(run):
    found, scored = gate(run), scored_rows(run.evaluation)
    (file,) = run.get(Examples, "example_gen").properties["files"]
    lines = Path(file).read_text().splitlines()
    errors = np.abs(scored.predictions["cross_layer"].astype(np.float64) - scored.labels)
    assert {item["slice"] for item in found["slices"]} == set(found["opened"])
    seen = []
    for name, opened in found["opened"].items():
        sizes = [abs(row["error"]) for row in opened["rows"]]
        assert sizes == sorted(sizes, reverse=True)
        assert len(sizes) == WORST
        for row in opened["rows"]:
            cells = lines[int(row["place"].split(":")[1]) - 1].split(",")
            assert f"zone={cells[3]}" == name
            assert float(cells[4]) == pytest.approx(row["label"], abs=1e-6)
        seen.append(sizes[0])
    assert max(seen) == pytest.approx(float(errors.max()))


def test_quantile_slices_are_those_of_the_evaluator(run):
    settings = {**run.settings, "evaluator": {**run.settings["evaluator"], "slices": [["x0:quartile"]]}}
    other, scored = dataclasses.replace(run, settings=settings), scored_rows(run.evaluation)
    x0 = next(iter(_columns(run, "x0")))
    edges = [f"{edge:.4g}" for edge in np.quantile(x0.astype(np.float64), [0.25, 0.5, 0.75])]
    names = [f"x0:quartile=below {edges[0]}", f"x0:quartile=from {edges[2]}", "x0:quartile=below 99"]
    found = slice_rows(other, scored, "cross_layer", names)
    assert list(found) == names[:2]  # a slice that is not there is not opened


def test_the_page_says_that_slices_of_many_rows_do_not_open(store, monkeypatch):
    assert "a slice does not open" not in write_report(store, PUSHED).read_text()
    for module in ("sections", "slice_rows"):
        monkeypatch.setattr(f"crossnet.pipeline.report.{module}.MAX_EVAL_ROWS", 50)
    said = "Eval has more than 50 rows: above that, a slice does not open to its largest errors."
    assert said in write_report(store, PUSHED).read_text()


def test_without_rows_slices_stay_shut(run):
    scored = scored_rows(run.evaluation)
    names = [item["slice"] for item in run.evaluation.details["cross_layer"]["slices"]]
    assert slice_rows(run, scored, "cross_layer", names)
    for other in (dataclasses.replace(scored, total=10**9), None):
        assert slice_rows(run, other, "cross_layer", names) == {}
    assert slice_rows(run, scored, "nobody", names) == slice_rows(run, scored, "cross_layer", []) == {}
    examples = run.get(Examples, "example_gen")
    gone = dataclasses.replace(examples, path=examples.path.with_name("gone"))
    lost = dataclasses.replace(run, artifacts={**run.artifacts, "example_gen": gone})
    assert slice_rows(lost, scored, "cross_layer", names) == {}


def _columns(run, name):
    from crossnet.components.records.dataset import read_columns

    for batch in read_columns(run.get(Examples, "example_gen"), "eval", columns=[name]):
        yield batch[name].values
