"""Keeps the trials of a search, and chooses the next.

Optuna writes each event of a study as a line and waits until the disk has it, so that a kill loses at most what trials
at work have learned. Only one process writes.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crossnet.components.errors import PipelineError
from crossnet.pipeline.tune.space import Choices, Range, Space, Values

STUDY_FILE = "study.journal"
LOCK_FILE = "lock"
# A trial goes on past a ninth and a third of its epochs where its loss is in the best third of all that came there.
REDUCTION, STEPS = 3, 9
_STARTING = 8  # trials that are drawn at random before the sampler learns from others
ERROR, FACTS = "error", "facts"


@contextlib.contextmanager
def open_study(folder: Path, space: Space, configured: Values, seed: int) -> Iterator[Study]:
    """Opens the study of a folder, or begins one whose first trial is the config as it is.

    Trials that were at work when their process was killed are tried again.

    Args:
      folder: Of the study.
      space: What is tried.
      configured: What the config has of it.
      seed: Of what is drawn.

    Raises:
      PipelineError: Optuna is not installed, or the study is at work in another process.
    """
    optuna = _import()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_FILE).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PipelineError(
                f"The search `{folder.name}` is at work in another process. Wait for it, or stop it and call "
                "`crossnet tune` again: it goes on from the trials that are done."
            ) from None
        except OSError:
            pass  # a file system without locks
        file = folder / STUDY_FILE
        _cut_torn_line(file)
        backend = optuna.storages.journal.JournalFileBackend(str(file))
        for left in folder.glob(f"{STUDY_FILE}.*"):  # locks of a process that was killed
            left.unlink()
        opened = optuna.create_study(
            study_name=folder.name,
            storage=optuna.storages.JournalStorage(backend),
            pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION),
            direction="minimize",
            load_if_exists=True,
        )
        study = Study(opened, space, seed)
        study.take_up(configured)
        yield study


def _import() -> Any:
    try:
        import optuna
    except ImportError:
        raise PipelineError(
            "`crossnet tune` needs the package optuna, which is not installed. Install the extra `tune`: "
            'pip install "crossnet-pipeline[tune]".'
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _cut_torn_line(file: Path) -> None:
    """Cuts off a last line that a crash left unfinished; without its end, no later line could be read."""
    if file.exists():
        content = file.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with file.open("r+b") as stream:
                stream.truncate(whole)


class Study:
    """The trials of one search.

    Args:
      study: Optuna's.
      space: What is tried.
      seed: Of what is drawn.
    """

    def __init__(self, study: Any, space: Space, seed: int) -> None:
        self._study, self._space, self._seed = study, space, seed

    def take_up(self, configured: Values) -> None:
        """Asks for the first trial, or for those again that a kill has cut off."""
        import optuna

        encoded = {name: self._encoded(name, value) for name, value in configured.items()}
        if not self._study.get_trials(deepcopy=False):
            self._study.enqueue_trial(encoded)
        for trial in self._study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
            self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            self._study.enqueue_trial(trial.params or encoded)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `constant_liar` may change with a version, and the lock holds it
            self._study.sampler = optuna.samplers.TPESampler(
                seed=self._seed + len(self.tried()), n_startup_trials=_STARTING, constant_liar=True
            )

    def tried(self) -> list[dict[str, Any]]:
        """Returns what has come of each trial that was not cut off by a kill, in order.

        Each has `number`, `state` ("whole", "stopped" or "failed"), `values` by setting, `rmse` (None where it is not
        whole), `error` ("" for none) and, where it is whole, `epochs`, `parameters`, `rows` and `seconds`.
        """
        states = {"COMPLETE": "whole", "PRUNED": "stopped", "FAIL": "failed"}
        found = []
        for trial in self._study.get_trials(deepcopy=False):
            state, error = states.get(trial.state.name, ""), trial.user_attrs.get(ERROR, "")
            if not state or (state == "failed" and not error):
                continue
            found.append(
                {
                    "number": trial.number,
                    "state": state,
                    "values": {name: self._decoded(name, value) for name, value in trial.params.items()},
                    "rmse": trial.value if state == "whole" else None,
                    "error": error,
                    **trial.user_attrs.get(FACTS, {}),
                }
            )
        return found

    def ask(self) -> tuple[Any, dict[str, Any]]:
        """Begins a trial; returns it and its values of the settings."""
        trial = self._study.ask()
        return trial, {name: self._decoded(name, self._suggested(trial, name)) for name in self._space}

    def goes_on(self, trial: Any, share: float, loss: float) -> bool:
        """Notes a loss after a share of the epochs; returns whether the trial is worth more of them."""
        step = int(share * STEPS + 1e-9)
        if not 1 <= step < STEPS:
            return True
        trial.report(loss, step)
        return not trial.should_prune()

    def stop(self, trial: Any, seconds: float) -> None:
        """Ends a trial that is not worth more epochs."""
        import optuna

        trial.set_user_attr(FACTS, {"seconds": seconds})
        self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)

    def finish(self, trial: Any, rmse: float, facts: dict[str, Any]) -> None:
        """Ends a trial with its error on held-out rows."""
        trial.set_user_attr(FACTS, facts)
        self._study.tell(trial, rmse)

    def fail(self, trial: Any, error: str) -> None:
        """Ends a trial that cannot be trained."""
        import optuna

        trial.set_user_attr(ERROR, error)
        self._study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def _suggested(self, trial: Any, name: str) -> Any:
        tried = self._space[name]
        if isinstance(tried, Choices):
            return trial.suggest_categorical(name, [self._encoded(name, value) for value in tried.values])
        if tried.whole:
            return trial.suggest_int(name, int(tried.low), int(tried.high), log=tried.log)
        return trial.suggest_float(name, tried.low, tried.high, log=tried.log)

    def _encoded(self, name: str, value: Any) -> Any:
        """Returns a value as Optuna can keep it: a list is text."""
        return value if isinstance(self._space[name], Range) else json.dumps(value)

    def _decoded(self, name: str, value: Any) -> Any:
        return value if isinstance(self._space.get(name), Range) else json.loads(value)
