import dataclasses
import json

import pytest

from crossnet.components.artifacts.base import Outcome
from crossnet.components.errors import UnreadableFileError
from crossnet.components.files import write_json
from crossnet.pipeline.run_record import RUN_FILE, RunRecord, StepRecord, kept_steps
from crossnet.pipeline.run_state import at_work

RECORD = RunRecord(
    run="nightly",
    root="/data/rides",
    started="2026-01-02T03:04:05+00:00",
    finished="2026-01-02T03:05:05+00:00",
    verdict="BLESSED",
    pushed_version=7,
    serving_dir="/data/rides/serving_models",
    champion="cross_layer",
    models={
        "cross_layer": {"num_parameters": 16, "train_rmse": 0.1, "eval_rmse": float("nan"), "mae": 0.1},
        "mean_predictor": {"num_parameters": 1, "train_rmse": 0.7, "eval_rmse": 0.7, "mae": 0.5},
    },
    steps={
        "example_gen": StepRecord(
            status="ran", seconds=0.4, artifact="artifacts/example_gen/ab", fingerprint="ab", counts={"train": 9}
        ),
        "evaluator": StepRecord(status="reused", artifact="artifacts/evaluator/cd", fingerprint="cd"),
    },
    complete=True,
    warnings=("`fare` is skewed.",),
    versions={"numpy": "2.0"},
    graph={"example_gen": (), "evaluator": ("example_gen",)},
)


def test_record_is_read_as_it_was_written(tmp_path):
    metrics = {"num_parameters": 7, "train_rmse": 0.1, "eval_rmse": None}
    finite = dataclasses.replace(RECORD, champion="dense", models={"dense": metrics})
    finite.write(tmp_path)
    assert RunRecord.read(tmp_path) == finite
    assert list(json.loads((tmp_path / RUN_FILE).read_text())["steps"]) == ["example_gen", "evaluator"]


def test_record_of_another_version_is_read_as_far_as_it_goes(tmp_path):
    write_json(tmp_path / RUN_FILE, {"run": "old", "steps": {"pusher": {"fingerprint": "ef", "host": "a"}}, "mood": 1})
    assert RunRecord.read(tmp_path) == RunRecord(run="old", steps={"pusher": StepRecord(fingerprint="ef")})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": 2}, "a newer version of this program wrote it (format 2, this one reads 1)"),
        ({"steps": []}, "`steps` holds another type of value than expected"),
        ({"steps": {"pusher": {"seconds": "long"}}}, "`steps` holds another type of value than expected"),
        ({"exit_code": "0"}, "`exit_code` holds another type of value than expected"),
        ({"reasons": [7]}, "`reasons` holds another type of value than expected"),
        ({"graph": {"pusher": "evaluator"}}, "`graph` holds another type of value than expected"),
        ({"complete": None}, "`complete` holds another type of value than expected"),
        ({"started": "yesterday"}, "`started` is not a time"),
        ({"champion": "dense"}, "`champion` is not among `models`"),
        ({"models": {"cross_layer": {"num_parameters": "many"}}}, "`num_parameters` of `cross_layer` is not a number"),
    ],
)
def test_record_with_wrong_values_is_unreadable_and_says_what_to_do(tmp_path, changes, reason):
    write_json(tmp_path / RUN_FILE, RECORD.to_json() | changes)
    with pytest.raises(UnreadableFileError) as caught:
        RunRecord.read(tmp_path)
    assert str(caught.value) == (
        f"`{tmp_path / RUN_FILE}` cannot be read: {reason}. Remove the folder `{tmp_path}` if you do not need that run."
    )


def test_summary_holds_exactly_what_the_contract_names():
    summary = json.loads(json.dumps(RECORD.summary(), allow_nan=False))
    assert list(summary) == [
        *("run", "root", "verdict", "reasons", "pushed_version", "serving_dir", "champion", "models", "steps")
    ]
    assert summary["models"] == {"cross_layer": {"num_parameters": 16, "train_rmse": 0.1, "eval_rmse": None}}
    assert summary["steps"]["example_gen"] == {"status": "ran", "seconds": 0.4, "artifact": "artifacts/example_gen/ab"}


@pytest.mark.parametrize(
    ("exit_code", "named"), [(0, False), (1, True), (2, True), (3, False), (130, True), (143, True)]
)
def test_summary_has_an_error_where_the_run_failed(exit_code, named):
    summary = dataclasses.replace(RECORD, exit_code=exit_code, error="No rows.").summary()
    assert ("error" in summary) is named


def test_record_takes_what_artifacts_add():
    record = RunRecord(warnings=("first",))
    record = record.add(Outcome(warnings=("second",)))
    record = record.add(Outcome(verdict="NOT_BLESSED", reasons=("too high",), models={"dense": {}}, exit_code=3))
    record = record.add(Outcome(reasons=("does not answer",)))
    record = record.add(Outcome(pushed_version=9))
    assert record == RunRecord(
        warnings=("first", "second"),
        verdict="NOT_BLESSED",
        reasons=("too high", "does not answer"),
        models={"dense": {}},
        exit_code=3,
        pushed_version=9,
    )


def test_record_is_blessed_by_its_verdict_alone():
    assert RECORD.blessed
    assert not dataclasses.replace(RECORD, verdict="NOT_BLESSED").blessed
    assert not RunRecord().blessed


@pytest.mark.parametrize(
    ("statuses", "sentence"),
    [
        ((), "No step was finished. Run again to begin anew."),
        (("ran", "failed"), "1 finished step is kept. Run again to go on."),
        (("reused", "ran", "interrupted"), "2 finished steps are kept. Run again to go on."),
    ],
)
def test_kept_steps_are_counted_in_words(statuses, sentence):
    assert kept_steps({str(n): StepRecord(status=status) for n, status in enumerate(statuses)}) == sentence


def test_record_of_a_run_at_work_is_read_as_running_and_after_its_end_as_killed(tmp_path):
    steps = {"evaluator": StepRecord(status="running")}
    running = dataclasses.replace(RECORD, state="running", steps=steps, models={}, champion=None)
    running.write(tmp_path)
    with at_work(tmp_path):
        assert RunRecord.read(tmp_path) == running
    killed = RunRecord.read(tmp_path)
    assert (killed.state, killed.steps["evaluator"].status) == ("killed", "interrupted")
    assert killed.error.startswith("Killed in `evaluator`: the process ended without a word, as after kill -9")
    assert killed.to_json()["exit_code"] is None
