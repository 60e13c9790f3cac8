import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from crossnet.components.files import read_json
from crossnet.pipeline.recording import Recording, RunResult

GRAPH = {"example_gen": (), "pusher": ("example_gen",)}


@pytest.fixture
def recording(tmp_path):
    return Recording(RunResult(run="nightly", graph=GRAPH), tmp_path)


def planned(name, root=Path("/root")):
    return SimpleNamespace(step=SimpleNamespace(name=name), path=root / "artifacts" / name / "ab", fingerprint="ab")


def test_record_says_which_step_is_at_work(recording, tmp_path):
    recording.note(planned("example_gen"), "running")
    facts = read_json(tmp_path / "run.json")
    assert (facts["state"], facts["exit_code"], facts["complete"]) == ("running", None, False)
    assert facts["steps"]["example_gen"]["status"] == "running"
    recording.note(planned("example_gen"), "ran", counts={"train": 9})
    step = read_json(tmp_path / "run.json")["steps"]["example_gen"]
    assert (step["status"], step["artifact"], step["counts"]) == ("ran", "artifacts/example_gen/ab", {"train": 9})
    assert (tmp_path / "example_gen").is_symlink()


@pytest.mark.parametrize(("last", "complete"), [("ran", True), ("skipped", True), ("failed", False)])
def test_run_is_complete_when_every_step_was_reached_and_none_failed(recording, tmp_path, last, complete):
    recording.note(planned("example_gen"), "ran")
    recording.note(planned("pusher"), last)
    recording.write("finished")
    facts = read_json(tmp_path / "run.json")
    assert (facts["state"], facts["exit_code"], facts["complete"]) == ("finished", 0, complete)


def test_run_that_repeats_another_leaves_its_record_alone(tmp_path):
    Recording(RunResult(graph=GRAPH, up_to_date=True), tmp_path).note(planned("example_gen"), "reused")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("begun", "sentence"),
    [
        ([], "Interrupted. No step was finished. Run again to begin anew."),
        (
            [("example_gen", "running")],
            "Interrupted in `example_gen`. No step was finished. Run again to begin anew.",
        ),
        ([("example_gen", "ran")], "Interrupted. 1 finished step is kept. Run again to go on."),
        (
            [("example_gen", "reused"), ("pusher", "running")],
            "Interrupted in `pusher`. 1 finished step is kept. Run again to go on.",
        ),
        (
            [("example_gen", "reused"), ("pusher", "ran")],
            "Interrupted while the report was written. Every step is done. Run again to write the report.",
        ),
    ],
)
def test_interruption_is_recorded_and_put_into_words(recording, tmp_path, begun, sentence):
    for name, status in begun:
        recording.note(planned(name), status)
    words = recording.interrupted(signal.SIGTERM)
    assert (words.sentence, words.facts["error"], words.facts["run"]) == (sentence, sentence, "nightly")
    facts = read_json(tmp_path / "run.json")
    assert (facts["state"], facts["exit_code"], facts["complete"]) == ("interrupted", 143, False)
    assert "running" not in {step["status"] for step in facts["steps"].values()}
    assert (tmp_path / "log.txt").read_text() == f"{sentence}\n"


def test_interruption_has_its_words_also_where_nothing_can_be_written(tmp_path):
    words = Recording(RunResult(run="nightly", graph=GRAPH), tmp_path / "gone").interrupted(signal.SIGINT)
    assert words.sentence == "Interrupted. No step was finished. Run again to begin anew."
