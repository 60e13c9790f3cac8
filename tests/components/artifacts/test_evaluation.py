import pytest

from crossnet.components.artifacts.base import Outcome
from crossnet.components.artifacts.evaluation import (
    BLESSED,
    DETAILS_FILE,
    METRICS_FILE,
    NOT_BLESSED,
    VERDICT_FILE,
    Evaluation,
    labels_file,
    predictions_file,
)
from crossnet.components.files import write_json

METRICS = {"dense": {"eval_rmse": 0.2}, "cross_layer": {"eval_rmse": 0.1}}


def evaluation(folder, *, blessed):
    write_json(folder / METRICS_FILE, METRICS)
    write_json(folder / VERDICT_FILE, {"models": ["cross_layer", "dense"]})
    (folder / (BLESSED if blessed else NOT_BLESSED)).touch()
    reasons = [] if blessed else ["`cross_layer` has eval rmse 0.1, above max_rmse 0.01."]
    return Evaluation(folder, {}, {"champion": "cross_layer" if blessed else None, "reasons": reasons})


def test_a_blessed_evaluation_names_champion_and_models_in_the_verdicts_order(tmp_path):
    found = evaluation(tmp_path, blessed=True)
    assert (found.blessed, found.champion, found.headline) == (True, "cross_layer", "blessed")
    assert found.passes()
    assert found.outcome() == Outcome(verdict="BLESSED", champion="cross_layer", models=METRICS)
    assert list(found.outcome().models) == ["cross_layer", "dense"]


def test_a_closed_gate_ends_the_run_with_3_unless_the_push_is_forced(tmp_path):
    found = evaluation(tmp_path, blessed=False)
    assert (found.blessed, found.champion, found.headline) == (False, None, "not blessed")
    assert not found.passes()
    assert found.passes(force=True)
    outcome = found.outcome()
    assert (outcome.verdict, outcome.exit_code) == ("NOT_BLESSED", 3)
    assert outcome.reasons == ("`cross_layer` has eval rmse 0.1, above max_rmse 0.01.",)
    assert found.outcome(force=True).exit_code == 0


def test_details_may_be_absent(tmp_path):
    found = evaluation(tmp_path, blessed=True)
    assert found.details == {}
    write_json(tmp_path / DETAILS_FILE, {"dense": {"slices": []}})
    assert found.details == {"dense": {"slices": []}}


@pytest.mark.parametrize(
    ("file", "name"),
    [(labels_file, "labels.npy"), (lambda folder: predictions_file(folder, "dense"), "predictions/dense.npy")],
)
def test_files_of_arrays_have_fixed_names(tmp_path, file, name):
    assert file(tmp_path) == tmp_path / name
