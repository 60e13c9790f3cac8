from crossnet.pipeline.diff.metrics import compare_metrics
from crossnet.pipeline.report.run import Run
from crossnet.pipeline.run_record import RunRecord
from crossnet.pipeline.store import Store

MODELS = {"dense": {"num_parameters": 1, "train_rmse": 1.0, "eval_rmse": 2.0}}
OTHERS = {"dense": {"num_parameters": 1, "train_rmse": 1.0, "eval_rmse": 1.5}, "cross_layer": {"eval_rmse": None}}


def test_without_predictions_the_recorded_errors_are_compared_without_an_interval(tmp_path):
    runs = [
        Run("a", RunRecord(run="a", graph={"evaluator": ()}, models=MODELS), "", {}),
        Run("b", RunRecord(run="b", graph={"evaluator": ()}, models=OTHERS), "", {}),
    ]
    notes = []
    lines = compare_metrics(*runs, Store(tmp_path), notes)
    assert [(line["model"], line["before"], line["after"], line["change"], line["interval"]) for line in lines] == [
        ("dense", 2.0, 1.5, -0.25, None),
        ("cross_layer", None, None, None, None),
    ]
    assert notes[:2] == [
        "No prediction of run a can be compared: `evaluator` was not reached.",
        "No prediction of run b can be compared: `evaluator` was not reached.",
    ]
    assert notes[2] == "`cross_layer` is not in run a."
