"""Keeps run.json up to date while a run works.

Who is killed has no time to write: so the record is there from the start, and says which step is at work.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from crossnet.components import interrupts
from crossnet.components.artifacts.base import Artifact
from crossnet.pipeline.run_record import RunRecord, StepRecord, in_steps, kept_steps
from crossnet.pipeline.run_state import FINISHED, INTERRUPTED, LOG_FILE, RUNNING
from crossnet.pipeline.store import utc_now
from crossnet.pipeline.tracking.lineage import Lineage

if TYPE_CHECKING:
    from crossnet.pipeline.plan import PlannedStep


@dataclass(frozen=True, kw_only=True)
class RunResult(RunRecord):
    """A run's record, and what only this process knows of it.

    Attributes:
      up_to_date: Whether nothing had to run.
      artifacts: The finished artifacts by step.
    """

    up_to_date: bool = False
    artifacts: Mapping[str, Artifact] = field(default_factory=dict)


class Recording:
    """The record of a run at work.

    Args:
      result: What is known before the first step.
      folder: The run's folder; a run that is `up_to_date` has its record already and gets no other.
      lineage: What is told of each step, too.

    Attributes:
      result: What has come of the run so far.
      folder: The run's folder.
    """

    def __init__(self, result: RunResult, folder: Path, lineage: Lineage | None = None) -> None:
        self.result = result
        self.lineage = lineage
        self.folder = folder
        self._since: dict[str, float] = {}  # when each step began, as `time.perf_counter` counts

    def change(self, **values: object) -> None:
        """Sets fields of the result."""
        self.result = dataclasses.replace(self.result, **values)  # type: ignore[arg-type]

    def note(
        self,
        planned: PlannedStep,
        status: str,
        *,
        seconds: float | None = None,
        counts: Mapping[str, int] | None = None,
        error: str = "",
    ) -> None:
        """Records a step, and links its artifact into the run's folder.

        Args:
          planned: The step.
          status: Its status; "running" begins it.
          seconds: What it took; None: since it began.
          counts: Its artifact's counts.
          error: Why it failed, for those who are told.
        """
        name, is_there = planned.step.name, status in ("ran", "reused")
        now = time.perf_counter()
        if status == RUNNING:
            self._since[name] = now
        if seconds is None:
            seconds = now - self._since.get(name, now)  # one that is skipped has not begun
        artifact = Path("artifacts", name, planned.path.name) if is_there else None
        record = StepRecord(
            status=status,
            seconds=round(seconds, 3),
            artifact=str(artifact) if artifact else None,
            fingerprint=planned.fingerprint,
            counts=counts or {},
        )
        steps = {**self.result.steps, name: record}
        self.change(steps={name: steps[name] for name in (*self.result.graph, *steps) if name in steps})
        if self.result.up_to_date:
            return
        if self.lineage:
            self.lineage.tell(name, status, output=planned.path, fingerprint=planned.fingerprint, error=error)
        if artifact:
            with contextlib.suppress(FileExistsError):
                (self.folder / name).symlink_to(os.path.relpath(planned.path, self.folder))
        with contextlib.suppress(OSError):  # a full disk: the step itself, or the record of the end, says so
            self.write(RUNNING)

    def write(self, state: str) -> None:
        """Writes run.json."""
        steps = self.result.steps
        if state != RUNNING:
            self._say_what_is_missing()
            failed = any(step.status == "failed" for step in steps.values())
            complete = state == FINISHED and not failed and len(steps) == len(self.result.graph)
            self.change(finished=utc_now(), complete=complete)
        self.change(state=state)
        self.result.write(self.folder)

    def _say_what_is_missing(self) -> None:
        """Makes a warning of the run of what could not be told of it."""
        if self.lineage and self.lineage.problem and self.lineage.problem not in self.result.warnings:
            self.change(warnings=(*self.result.warnings, self.lineage.problem))

    def interrupted(self, number: signal.Signals) -> interrupts.Words:
        """Records that a signal ends the run, and returns the words for it."""
        steps = {**self.result.steps}
        running = [name for name, step in steps.items() if step.status == RUNNING]
        for name in running:
            seconds = round(time.perf_counter() - self._since[name], 3)
            steps[name] = dataclasses.replace(steps[name], status=INTERRUPTED, seconds=seconds)
            if self.lineage:
                output = Path(self.result.root, "artifacts", name, steps[name].fingerprint)
                self.lineage.tell(name, INTERRUPTED, output=output, fingerprint=steps[name].fingerprint)
        if len(steps) == len(self.result.graph) and not running:
            sentence = "Interrupted while the report was written. Every step is done. Run again to write the report."
        else:
            sentence = f"Interrupted{in_steps(running)}. {kept_steps(steps)}"
        self.change(steps=steps, exit_code=128 + number, error=sentence)
        with contextlib.suppress(OSError):  # a full disk: the words are said all the same
            self.write(INTERRUPTED)
            with (self.folder / LOG_FILE).open("a", encoding="utf-8") as log:
                log.write(f"{sentence}\n")
        return interrupts.Words(sentence, self.result.summary())


@contextlib.contextmanager
def removed_on_error(folder: Path) -> Iterator[None]:
    """Removes a run's folder where the run cannot begin, so that the same command may be called again."""
    try:
        yield
    except Exception:
        shutil.rmtree(folder, ignore_errors=True)
        raise
