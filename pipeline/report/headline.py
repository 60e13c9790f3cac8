"""Says in a word and a sentence how a run ended."""

from __future__ import annotations

from crossnet.pipeline.run_record import RunRecord, StepRecord, in_steps
from crossnet.pipeline.run_state import FINISHED, INTERRUPTED, KILLED, RUNNING


def headline(record: RunRecord) -> dict[str, str]:
    """Returns `word`, the verdict in a word, `css`, its colour ("good", "bad" or "plain"), and `lead`, one sentence."""
    champion, version = record.champion, record.pushed_version
    if record.state != FINISHED:
        where = in_steps(record.stopped_in)
        word = {RUNNING: "is running", INTERRUPTED: "was interrupted", KILLED: "was killed"}[record.state]
        pushed = f"Version {version} was pushed." if version else "Nothing was pushed."
        return {"word": record.state.upper(), "css": "bad", "lead": f"The run {word}{where}. {pushed}"}
    if record.exit_code in (1, 2):
        stopped = [name for name, step in record.steps.items() if step.status == "failed"]
        if not stopped and record.steps.get("example_validator", StepRecord()).status in ("ran", "reused"):
            return {"word": "STOPPED", "css": "bad", "lead": "The data has errors, so nothing was trained or pushed."}
        return {"word": "FAILED", "css": "bad", "lead": f"The run failed{in_steps(stopped)}. Nothing was pushed."}
    if record.verdict is None:
        return {
            "word": "NO VERDICT",
            "css": "plain",
            "lead": "The run ended before the Evaluator, so no model was judged.",
        }
    if record.verdict == "NOT_BLESSED":
        if version:
            lead = f"No candidate passed every rule. A model was pushed by force, as version {version}."
            return {"word": "NOT BLESSED, FORCED", "css": "bad", "lead": lead}
        return {"word": "NOT BLESSED", "css": "bad", "lead": "No candidate passed every rule. Nothing was pushed."}
    if version:
        lead = f"`{champion}` passed every rule and was pushed as version {version}."
        return {"word": "BLESSED", "css": "good", "lead": lead}
    if record.exit_code:
        lead = f"`{champion}` passed every rule of the Evaluator, but not InfraValidator. Nothing was pushed."
        return {"word": "BLESSED, NOT PUSHED", "css": "bad", "lead": lead}
    return {"word": "BLESSED", "css": "good", "lead": f"`{champion}` passed every rule. Nothing was pushed."}
