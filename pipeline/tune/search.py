"""Tries settings on held-out rows of train, and writes the best."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any

from crossnet.components import interrupts
from crossnet.components.artifacts.base import Artifact
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.errors import PipelineError, SettingsError, TrainingError
from crossnet.components.files import write_file, write_json
from crossnet.components.formats import counted, number
from crossnet.components.params.networks import ModelParams
from crossnet.pipeline.config import Config, as_values
from crossnet.pipeline.config_values import make_relative
from crossnet.pipeline.console import Reporter
from crossnet.pipeline.remote.places import remote_of
from crossnet.pipeline.remote.shared_folder import SharedFolder
from crossnet.pipeline.run_state import LOG_FILE
from crossnet.pipeline.runner import run_pipeline
from crossnet.pipeline.tune.result import JSON_FILE, Result, write_page
from crossnet.pipeline.tune.space import Choices, Range, Space, Values, applied, check_space, space_of, words
from crossnet.pipeline.tune.study import STUDY_FILE, Study, open_study
from crossnet.pipeline.tune.workers import Failed, Passed, Rows, Stopped, Worker

FOLDER = "tune"  # of the root: all searches
_WORK = ".tmp-work"
_DATA = ("example_gen", "schema_gen", "statistics_gen")


def tune(
    config: Config,
    root: Path,
    *,
    kind: str,
    trials: int,
    jobs: int = 1,
    reporter: Reporter | None = None,
    config_name: str = "",
) -> Result:
    """Tries settings of one model kind until so many configurations are tried, those of earlier calls included.

    The rows are those of a run with this config; trials are judged on rows of its split `train` that each network
    holds out. The split `eval` is left to the gate.

    Args:
      config: All settings.
      root: The folder for artifacts and searches.
      kind: The model kind.
      trials: How many configurations in all.
      jobs: How many are trained at the same time, each in a process of its own.
      reporter: Where progress is shown.
      config_name: The config file as it was named, for the record of the run that makes the data.

    Raises:
      PipelineError: No rows are held out, the data cannot be made, the space is wrong, Optuna is not installed, or the
        config as it is cannot be trained.
    """
    _check(config, kind)
    reporter = reporter or Reporter(quiet=True)
    artifacts = _data(config, root, reporter, config_name)
    examples = artifacts["example_gen"]
    space, configured = space_of(config, kind, max(1, examples.counts.get("train", 0)))
    folder = root / FOLDER / f"{kind}-{_identity(config, kind, space, artifacts)}"
    last = interrupts.Words("Interrupted. Trials that are done are kept: call `crossnet tune` again to go on.")
    with (
        interrupts.last_words(lambda number: last),
        _kept(root, folder, artifacts, reporter.line) as keep,
        open_study(folder, space, configured, config.trainer.seed) as study,
        reporter.logging_to(folder / LOG_FILE),
    ):
        before = len(study.tried())
        if before:
            reporter.line(f"{counted(before, 'configuration was', 'configurations were')} tried before.")
        search = _Search(config, kind, _rows(artifacts), reporter.line, keep)
        work = folder / _WORK
        shutil.rmtree(work, ignore_errors=True)  # of a search that was killed
        work.mkdir()
        try:
            search.run(study, trials, jobs, work)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        result = Result(folder, kind, study.tried(), {name: str(tried) for name, tried in space.items()})
        result.check()
        write_json(folder / JSON_FILE, result.to_json())
        write_page(result)
    return result


@contextlib.contextmanager
def _kept(
    root: Path, folder: Path, artifacts: Mapping[str, Artifact], tell: Callable[[str], None]
) -> Iterator[Callable[[], None]]:
    """Inside, a search is this process's; of a root in a store, it goes on where the store is, and is kept there.

    Yields:
      What to call after each trial.
    """
    if (remote := remote_of(root.absolute())) is None:
        yield lambda: None
        return
    shared = SharedFolder(remote, folder.absolute(), "search", tell)
    with shared.held():
        folder.mkdir(parents=True, exist_ok=True)
        shared.fetch(STUDY_FILE)
        remote.fetch_rows(artifacts["example_gen"].path)
        try:
            yield lambda: shared.put_soon(STUDY_FILE)
        except BaseException:
            with contextlib.suppress(PipelineError):  # the first error is the one to tell
                shared.put(STUDY_FILE)
            raise
        shared.put(STUDY_FILE)


def _check(config: Config, kind: str) -> None:
    """Raises SettingsError where the config cannot be searched."""
    if config.trainer.early_stopping_patience is None:
        raise SettingsError(
            "`crossnet tune` judges trials on rows of train that are held out, and none are. Set `trainer.preset` to "
            "table, or `trainer.early_stopping_patience` to auto or a number of epochs."
        )
    check_space(config, kind)


def _data(config: Config, root: Path, reporter: Reporter, config_name: str) -> Mapping[str, Artifact]:
    """Returns the artifacts that a run of this config trains on."""
    made = run_pipeline(
        config, root, until="example_validator", reporter=reporter, config_name=config_name, made_for="tune"
    )
    if made.error or made.exit_code:
        raise PipelineError(made.error or "The data breaks its schema, so that nothing was trained.")
    return made.artifacts


def _rows(artifacts: Mapping[str, Artifact]) -> Rows:
    examples, schema, statistics = (artifacts[name] for name in _DATA)
    assert isinstance(examples, Examples)
    assert isinstance(schema, Schema)
    assert isinstance(statistics, Statistics)
    return Rows(examples, schema, statistics)


def _identity(config: Config, kind: str, space: Space, artifacts: Mapping[str, Artifact]) -> str:
    """Returns a name for all that two searches must share for the trials of one to count in the other."""
    values = as_values(config)
    facts = {
        "trainer": values["trainer"],
        "model": values[kind],
        "space": {name: _plain(tried) for name, tried in space.items()},
        "data": [artifacts[name].fingerprint for name in _DATA],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def _plain(tried: Range | Choices) -> Any:
    return list(tried.values) if isinstance(tried, Choices) else [tried.low, tried.high, tried.log, tried.whole]


@dataclass
class _Search:
    """Keeps workers busy with trials of a study."""

    config: Config
    kind: str
    rows: Rows
    tell: Callable[[str], None]
    keep: Callable[[], None]

    def run(self, study: Study, trials: int, jobs: int, scratch: Path) -> None:
        """Tries until `trials` are tried."""
        missing = trials - len(study.tried())
        with ExitStack() as stack:
            workers = [stack.enter_context(Worker(self.rows, scratch)) for _ in range(max(0, min(jobs, missing)))]
            for worker in workers:
                missing -= self._begin(study, worker, missing)
            while busy := [worker for worker in workers if worker.trial is not None]:
                connection.wait([worker.connection for worker in busy], timeout=1.0)
                interrupts.check()
                for worker in busy:
                    if worker.connection.poll() and self._take(study, worker):
                        self.keep()
                        missing -= self._begin(study, worker, missing)

    def _begin(self, study: Study, worker: Worker, missing: int) -> int:
        """Begins the next trial whose settings fit together; returns how many of the `missing` that took."""
        for count in range(1, missing + 1):
            trial, values = study.ask()
            try:
                config = applied(self.config, values)
            except SettingsError as error:
                study.fail(trial, str(error))
                self.tell(f"trial {trial.number}: {words(values)}: {error}")
                continue
            model = ModelParams(kind=self.kind, architecture=getattr(config, self.kind))
            worker.begin((trial, values), config.trainer, model)
            return count
        return missing

    def _take(self, study: Study, worker: Worker) -> bool:
        """Takes a message of a worker; returns whether its trial has ended."""
        trial, values = worker.trial
        message = worker.message()
        if isinstance(message, Passed):
            worker.go_on(study.goes_on(trial, message.share, message.loss))
            return False
        name = f"trial {trial.number}: {words(values)}"
        if isinstance(message, Failed):
            study.fail(trial, message.error)
            if trial.number == 0 and not message.diverged:
                raise TrainingError(message.error)
            self.tell(f"{name}: {message.error}")
        elif isinstance(message, Stopped):
            study.stop(trial, message.seconds)
            self.tell(f"{name}: stopped early, in {message.seconds:.1f} s")
        else:
            study.finish(trial, message.rmse, message.facts)
            self.tell(f"{name}: rmse {number(message.rmse)} on held-out rows, in {message.facts['seconds']:.1f} s")
        return True


def write_config(result: Result, values: dict[str, Any], path: Path, kind: type[Any] = Config) -> None:
    """Writes the config with the settings of the best trial, for `crossnet run --config`.

    Args:
      result: The search.
      values: The config's own values, by section; paths absolute. Those below the file's folder are written relative.
      path: The file.
      kind: The dataclass of the config.
    """
    import tomli_w

    best: Values = result.best["values"]
    for name, value in best.items():
        section, _, key = name.partition(".")
        values.setdefault(section, {})[key] = value
    make_relative(values, path.absolute().parent, kind)
    head = "".join(f"# {line}\n" for line in result.summary())
    write_file(path, f"{head}# Made by `crossnet tune`; all trials: {result.page}\n\n{tomli_w.dumps(values)}")
