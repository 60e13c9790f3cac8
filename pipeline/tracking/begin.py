"""Begins and ends what is logged of a run elsewhere."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossnet.pipeline.config import MLFLOW, Config
from crossnet.pipeline.console import Reporter
from crossnet.pipeline.recording import Recording
from crossnet.pipeline.run_state import FINISHED, LOG_FILE

if TYPE_CHECKING:
    from crossnet.pipeline.tracking.mlflow import MlflowRun


def begin_tracking(config: Config, reporter: Reporter) -> MlflowRun | None:
    """Returns what a run is logged to, which is there and answers; None: nothing is set.

    Raises:
      SettingsError: The library or the store is not there.
    """
    if config.tracking != MLFLOW:
        return None
    from crossnet.pipeline.tracking.mlflow import MlflowRun

    with reporter.logging_to(Path(os.devnull)):  # what its database says when it is made
        return MlflowRun(config.tracking_uri, config.pusher.model_name)


@contextlib.contextmanager
def tracking(
    tracked: MlflowRun | None, recording: Recording, reporter: Reporter, settings: Mapping[str, Any]
) -> Iterator[None]:
    """Inside, a run works; then what has come of it is logged. What cannot be logged is a warning of the run.

    Args:
      tracked: What it is logged to; None: nothing.
      recording: The run's record.
      reporter: Where progress is shown.
      settings: The run's, by section.
    """
    if tracked is None:
        yield
        return
    log = recording.folder / LOG_FILE
    with reporter.logging_to(log):
        tracked.begin(recording.result.run, settings)
    try:
        yield
    except BaseException:
        tracked.stop()
        raise
    with reporter.logging_to(log):
        tracked.end(recording.result, recording.folder)
    if tracked.problem:
        recording.change(warnings=(*recording.result.warnings, tracked.problem))
        with contextlib.suppress(OSError):  # a full disk: the screen says it
            recording.write(FINISHED)
