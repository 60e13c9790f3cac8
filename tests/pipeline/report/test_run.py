import math

import numpy as np
import pytest

from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.files import write_json
from crossnet.pipeline.report.run import history, lineage, load_facts, load_run, needs, ordered_steps
from support.report_fixtures import ANOMALOUS, CLOSED, FAILED, PARTIAL, PUSHED, make_runs


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_runs(tmp_path_factory)


def test_load_run_finds_the_artifacts_that_are_there(store):
    assert len(load_run(store, PUSHED).artifacts) == 9
    assert set(load_run(store, PARTIAL).artifacts) == {"example_gen", "statistics_gen", "schema_gen"}
    assert load_run(store, FAILED).artifacts == {}
    assert list(load_run(store, CLOSED).models) == ["cross_layer", "dense"]


def test_load_facts_leaves_artifacts_alone(store):
    run = load_facts(store, PUSHED)
    assert (run.artifacts, run.config) == ({}, None)
    assert run.settings["trainer"]["epochs"] == 3


@pytest.mark.parametrize(
    ("run", "step", "sentence"),
    [
        (FAILED, "example_gen", "`example_gen` failed."),
        (FAILED, "evaluator", "`evaluator` did not run, because a step before it did not pass."),
        (ANOMALOUS, "trainer_dense", "`trainer_dense` did not run, because a step before it did not pass."),
        (PARTIAL, "pusher", "`pusher` was not part of this run."),
        (PUSHED, "pusher", "The artifact of `pusher` is no longer there, or was written by another version."),
    ],
)
def test_why_missing_says_why_a_step_has_nothing_to_show(store, run, step, sentence):
    assert load_run(store, run).why_missing(step) == sentence


def test_needs_are_those_of_the_graph_with_its_gates(store):
    found = needs(load_run(store, PUSHED))
    assert "example_validator" in found["trainer_dense"]
    assert needs(load_facts(store, PUSHED))["trainer_dense"] == ["example_gen", "schema_gen", "statistics_gen"]


def test_ordered_steps_come_after_what_they_need(store):
    order = ordered_steps(load_run(store, PUSHED))
    assert order[:4] == ["example_gen", "statistics_gen", "schema_gen", "example_validator"]
    assert order[4:] == ["trainer_cross_layer", "trainer_dense", "evaluator", "infra_validator", "pusher"]


def test_history_is_the_root_of_the_loss(tmp_path):
    write_json(tmp_path / "history.json", {"loss": [4.0, math.nan, 0.25], "eval_loss": []})
    found = history(Model(tmp_path))
    assert list(found) == ["train"]
    np.testing.assert_array_equal(found["train"], [2.0, math.nan, 0.5])
    write_json(tmp_path / "history.json", {"loss": [4.0], "validation_loss": [9.0], "eval_loss": [16.0]})
    found = {split: curve.tolist() for split, curve in history(Model(tmp_path)).items()}
    assert found == {"train": [2.0], "validation": [3.0], "eval": [4.0]}


def test_history_that_is_not_there_is_empty(tmp_path):
    assert history(Model(tmp_path)) == {}
    (tmp_path / "history.json").write_text("{half")
    assert history(Model(tmp_path)) == {}


def test_lineage_goes_from_the_push_back_to_the_data(store):
    run = load_run(store, PUSHED)
    entries = {entry["step"]: entry for entry in lineage(run, store)}
    assert list(entries) == [
        "pusher",
        "infra_validator",
        "evaluator",
        "trainer_cross_layer",
        "schema_gen",
        "statistics_gen",
        "example_gen",
    ]
    assert entries["pusher"]["inputs"] == ["evaluator", "infra_validator", "trainer_cross_layer"]
    assert entries["pusher"]["fingerprint"] == run.get(PushedModel, "pusher").fingerprint
    assert [name.partition(" ")[2] for name in entries["example_gen"]["data"]] == ["good.csv"]


def test_lineage_of_a_run_that_pushed_nothing_is_empty(store):
    assert lineage(load_run(store, CLOSED), store) == []
