"""Runs the pipeline from Python, and opens runs that are there."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w

from crossnet.components.errors import NotBlessedError, PipelineError, SettingsError
from crossnet.pipeline.api.loaded_run import LoadedRun
from crossnet.pipeline.config import Config, as_values, load_config, make_config
from crossnet.pipeline.console import Reporter
from crossnet.pipeline.remote.places import folder_of
from crossnet.pipeline.report.run import load_run as read_run
from crossnet.pipeline.runner import run_pipeline
from crossnet.pipeline.store import Store

DEFAULT_ROOT = "crossnet_root"
ROOT_VARIABLE = "CROSSNET_ROOT"


class RunFailedError(PipelineError):
    """A run that has begun has failed; `load_run(error.root, error.run)` opens what there is of it.

    Attributes:
      run: The run's name.
      root: Its root.
    """

    def __init__(self, sentence: str, exit_code: int, run: str, root: Path) -> None:
        super().__init__(sentence)
        self.exit_code, self.run, self.root = exit_code, run, root


def run(
    config: str | os.PathLike[str] | Mapping[str, Any] | Config | None = None,
    *,
    root: str | os.PathLike[str] | None = None,
    settings: Sequence[str] | Mapping[str, Any] = (),
    name: str | None = None,
    until: str | None = None,
    force: str = "",
    jobs: int = 1,
    quiet: bool = False,
) -> LoadedRun:
    """Runs the pipeline, reusing finished artifacts, as `crossnet run` does.

    A closed gate is a result and not an error: `verdict` is "NOT_BLESSED", and `reasons` says why.

    Args:
      config: A TOML file; the name of one that comes with the package: default, article or csv; settings by section,
        such as `{"trainer": {"epochs": 2}}`; or a Config. None: the default.
      root: The folder for artifacts, runs and pushed models; None: what CROSSNET_ROOT says, else the config's `root`,
        else "crossnet_root".
      settings: What differs from `config`: `["trainer.epochs=2"]` or `{"trainer.epochs": 2}`.
      name: The run's name; None: the time, or the run that this one would repeat.
      until: The last step to run; None: all.
      force: Push in spite of the gate, and why; empty: do not.
      jobs: How many trainers may run at the same time, each in a process of its own. No result depends on it.
      quiet: Print no progress on standard error.

    Returns:
      The run.

    Raises:
      SettingsError: A setting is unknown, of the wrong type or out of range.
      RunFailedError: A step has failed, or the data has errors; the message is the sentence of the command line.
      PipelineError: The run cannot start.
      KeyboardInterrupt: It was interrupted; what is finished is kept.
    """
    chosen = read_config(config, settings)
    folder = _root(root, chosen.root)
    result = run_pipeline(
        chosen,
        folder,
        name=name,
        until=until,
        force=force.strip(),
        jobs=jobs,
        reporter=Reporter(quiet=quiet),
        config_name=os.fspath(config) if isinstance(config, str | os.PathLike) else "",
    )
    if result.exit_code not in (0, NotBlessedError.exit_code):
        raise RunFailedError(result.error or "The run failed.", result.exit_code, result.run, folder)
    return load_run(folder, result.run)


def load_run(root: str | os.PathLike[str] | None = None, name: str | None = None) -> LoadedRun:
    """Opens a run that is there, also one that failed.

    Args:
      root: The folder that `run` worked in; None: what CROSSNET_ROOT says, else "crossnet_root".
      name: The run's name; None: the newest.

    Raises:
      MissingArtifactError: The run does not exist.
      UnreadableFileError: Its record cannot be read.
    """
    store = Store(_root(root))
    return LoadedRun(store, read_run(store, store.read_run(name).run))


def read_config(
    config: str | os.PathLike[str] | Mapping[str, Any] | Config | None = None,
    settings: Sequence[str] | Mapping[str, Any] = (),
) -> Config:
    """Returns a config with settings applied; the arguments are those of `run`.

    Raises:
      SettingsError: A setting is unknown, of the wrong type or out of range; the message lists all of them.
    """
    if isinstance(settings, str):
        raise SettingsError(f"`settings` must be a list, such as [{settings!r}]. Received text.")
    changes = [_setting(*item) for item in settings.items()] if isinstance(settings, Mapping) else list(settings)
    if isinstance(config, Config):
        return make_config(as_values(config), changes)
    if isinstance(config, Mapping):
        return make_config(config, changes)
    try:
        file = None if config is None else Path(config)
    except TypeError:
        raise SettingsError(
            f"A config must be a path, the name of one that comes with the package, settings by section, or a Config. "
            f"Received {type(config).__name__}."
        ) from None
    return load_config(file, changes)


def _setting(name: str, value: Any) -> str:
    """Returns a setting as `--set` takes it."""
    if value is None:
        return f'{name}="none"'
    try:
        return f"{name}={tomli_w.dumps({'v': _plain(value)}).removeprefix('v = ').strip()}"
    except TypeError:
        raise SettingsError(
            f"`{name}` must be what TOML can hold: text, a number, true or false, or a list. Received "
            f"{type(value).__name__}."
        ) from None


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value


def _root(root: str | os.PathLike[str] | None, of_config: str = "") -> Path:
    return folder_of(root if root is not None else os.environ.get(ROOT_VARIABLE) or of_config or DEFAULT_ROOT)
