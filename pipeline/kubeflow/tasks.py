"""Does what a task of a compiled pipeline does, inside its container.

Loads nothing of Kubeflow: what it calls there is the code that `compile` has put into the pipeline's file.
"""

from __future__ import annotations

import json
import sys
import tempfile
import tomllib
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from crossnet.components.artifacts.base import Artifact
from crossnet.components.errors import NotBlessedError, PipelineError, SettingsError
from crossnet.pipeline.config import Config, load_config, to_toml
from crossnet.pipeline.console import Reporter
from crossnet.pipeline.plan import make_plan
from crossnet.pipeline.recording import RunResult
from crossnet.pipeline.remote.places import folder_of, remote_of
from crossnet.pipeline.runner import run_step
from crossnet.pipeline.store import Store
from crossnet.serving.storage.uris import below, shown_uri

T = TypeVar("T")

BLESSED = "BLESSED"


def refuse_plugins(config: Config) -> None:
    """Refuses kinds of models and components of a user's project, which a compiled pipeline does not know.

    Raises:
      SettingsError: The config has some that would run.
    """
    own = config.plugins_loaded
    names = [f"trainer_{kind}" for kind in own.kinds if kind in config.models] + list(own.steps)
    if names:
        raise SettingsError(
            f"A compiled pipeline has the steps of this package alone, and {', '.join(f'`{name}`' for name in names)} "
            f"{'comes' if len(names) == 1 else 'come'} from `plugins`. Run such steps with `crossnet step` in an "
            "orchestrator that takes commands, such as Argo or Airflow, or leave them out of `models` and `plugins`."
        )


def plan_steps(config: str, root: str) -> dict[str, str]:
    """Returns what each step's result depends on, for Kubeflow's cache: step -> its fingerprint.

    Kubeflow would reuse a task whose artifact was removed here, or whose push was taken back; so a step that has to run
    gets a value that was never seen.

    Args:
      config: All settings, as `to_parameter` writes them.
      root: The folder for artifacts, runs and pushed models, as this container sees it; or its URI in a store.
    """
    plan = _or_exit(lambda: make_plan(_read(config), Store(folder_of(root))))
    return {
        name: planned.fingerprint if planned.done else f"{planned.fingerprint}-{uuid.uuid4().hex}"
        for name, planned in plan.items()
    }


def run_task(step: str, config: str, root: str, artifact_file: str) -> tuple[str, dict[str, str]]:
    """Runs one step, and describes what it has made.

    Args:
      step: The step.
      config: All settings, as `to_parameter` writes them.
      root: The folder for artifacts, runs and pushed models, as this container sees it; or its URI in a store.
      artifact_file: Takes the description of the artifact, which is in the root, as JSON.

    Returns:
      The verdict, "BLESSED" for every step that is not a gate; and what Kubeflow shows of the artifact.

    Raises:
      SystemExit: The step has failed, with its exit code.
    """
    result = _or_exit(lambda: run_step(_read(config), folder_of(root), step, reporter=Reporter(verbose=True)))
    made = result.artifacts.get(step)
    for sentence in (result.error, *result.reasons):
        if sentence:
            _say(sentence)
    is_verdict = step == "evaluator" and result.exit_code == NotBlessedError.exit_code
    if made is None or (result.exit_code and not is_verdict):
        raise SystemExit(result.exit_code or 1)
    facts = _facts(result, step, made)
    Path(artifact_file).write_text(json.dumps(facts), encoding="utf-8")
    return BLESSED if not is_verdict else str(result.verdict), facts


def close_gate(config: str, root: str) -> None:
    """Says why nothing is pushed.

    Raises:
      SystemExit: Always, with exit code 3, as `crossnet run` exits at a closed gate.
    """
    result = _or_exit(lambda: run_step(_read(config), folder_of(root), "evaluator"))
    _say("\n".join(result.reasons) or result.error or "The gate is closed.")
    raise SystemExit(NotBlessedError.exit_code)


def _facts(result: RunResult, step: str, made: Artifact) -> dict[str, str]:
    record = result.steps[step]
    return {
        "step": step,
        "path": _place(made.path, Path(result.root)),
        "fingerprint": record.fingerprint,
        "status": record.status,
        "headline": made.headline,
        "run": result.run,
    }


def _place(path: Path, root: Path) -> str:
    """Returns where an artifact is: its folder or, in a store, its URI."""
    remote = remote_of(root)
    return str(path) if remote is None else below(shown_uri(remote.uri), path.relative_to(root).as_posix())


def to_parameter(config: Config) -> str:
    """Returns all settings as one line of JSON: kfp writes a parameter's default into a comment of its file."""
    return json.dumps(tomllib.loads(to_toml(config)))


def _read(config: str) -> Config:
    import tomli_w

    try:
        text = tomli_w.dumps(json.loads(config))
    except (ValueError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"The parameter `config` expects all settings as one JSON object, as `crossnet compile` writes it: {error}."
        ) from None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.toml"
        file.write_text(text, encoding="utf-8")
        return load_config(file)


def _or_exit(work: Callable[[], T]) -> T:
    try:
        return work()
    except PipelineError as error:
        _say(str(error))
        raise SystemExit(error.exit_code) from None


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
