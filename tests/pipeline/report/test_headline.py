import pytest

from crossnet.pipeline.report.headline import headline
from crossnet.pipeline.run_record import RunRecord, StepRecord
from crossnet.pipeline.run_state import INTERRUPTED, KILLED


@pytest.mark.parametrize(
    ("facts", "word", "css", "lead"),
    [
        ({"verdict": None}, "NO VERDICT", "plain", "The run ended before the Evaluator, so no model was judged."),
        (
            {"verdict": "BLESSED", "champion": "dense", "pushed_version": 2},
            "BLESSED",
            "good",
            "`dense` passed every rule and was pushed as version 2.",
        ),
        (
            {"verdict": "NOT_BLESSED", "exit_code": 3},
            "NOT BLESSED",
            "bad",
            "No candidate passed every rule. Nothing was pushed.",
        ),
        (
            {"exit_code": 1, "steps": {"trainer_dense": StepRecord(status="failed")}},
            "FAILED",
            "bad",
            "The run failed in `trainer_dense`. Nothing was pushed.",
        ),
        ({"state": INTERRUPTED}, "INTERRUPTED", "bad", "The run was interrupted. Nothing was pushed."),
        ({"state": KILLED}, "KILLED", "bad", "The run was killed. Nothing was pushed."),
    ],
)
def test_a_run_has_a_word_a_colour_and_a_sentence(facts, word, css, lead):
    assert headline(RunRecord(run="one", **facts)) == {"word": word, "css": css, "lead": lead}
