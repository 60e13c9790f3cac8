"""Logs a run to MLflow: settings, metrics by model, report and model.

Nothing that goes wrong after the first call to the store fails a run; it becomes a warning of the run.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from crossnet.components.errors import NotBlessedError, SettingsError
from crossnet.pipeline.recording import RunResult
from crossnet.pipeline.tracking.lineage import without_password
from crossnet.serving.protocol.printable import shown

URI_VARIABLE = "MLFLOW_TRACKING_URI"
MAX_VALUE = 6000  # characters of a parameter, and the most of them in one call; MLflow's limits
MAX_BATCH = 100
FILES = ("report.html", "config.toml", "run.json", "model_card.md", "log.txt")
_PLACES = ("tracking_uri", "lineage")  # may hold a password
# MLflow tries again for minutes; a run does not wait for it. What a user has set comes first.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}


class MlflowRun:
    """The run in MLflow that stands for one of ours.

    Args:
      uri: The tracking store; empty: what MLFLOW_TRACKING_URI says.
      experiment: The experiment's name; it is made where there is none.

    Raises:
      SettingsError: MLflow is not installed, or the store is not there.
    """

    def __init__(self, uri: str, experiment: str) -> None:
        self.uri = uri or os.environ.get(URI_VARIABLE, "")
        self._place = without_password(self.uri)
        if not self.uri:
            raise SettingsError(
                "`tracking` is mlflow, and a store is not named: set `tracking_uri`, such as sqlite:///mlflow.db or "
                f"the address of a tracking server, or the variable {URI_VARIABLE}."
            )
        if importlib.util.find_spec("mlflow") is None:
            raise SettingsError(
                "`tracking` is mlflow, which is not installed. Install the extra `mlflow`: "
                'pip install "crossnet-pipeline[mlflow]", or set `tracking` to none.'
            )
        for name, value in _PATIENCE.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        try:
            self._client = MlflowClient(tracking_uri=self.uri)
            found = self._client.get_experiment_by_name(experiment)
            self._experiment = found.experiment_id if found else self._client.create_experiment(experiment)
        except Exception as error:  # MLflow's, SQLAlchemy's and requests' own
            raise SettingsError(
                f"`tracking_uri` names a store that cannot be used: `{shown(self._place)}`: {self._first_line(error)}. "
                "Name another, or set `tracking` to none."
            ) from error
        self.problem = ""
        self._id: str | None = None

    def begin(self, run: str, settings: Mapping[str, Any]) -> None:
        """Makes the run, with its settings.

        Args:
          run: Its name.
          settings: By section, as a config has them.
        """
        from mlflow.entities import Param

        with self._noticed():
            self._id = self._client.create_run(self._experiment, run_name=run).info.run_id
            params = [
                Param(name, str(value)[:MAX_VALUE])
                for name, value in _flat(settings)
                if str(value) and name not in _PLACES
            ]
            for first in range(0, len(params), MAX_BATCH):
                self._client.log_batch(self._id, params=params[first : first + MAX_BATCH])

    def end(self, result: RunResult, folder: Path) -> None:
        """Logs what has come of the run: metrics, pages and, where one is blessed, the model.

        Args:
          result: The run's record.
          folder: The run's folder.
        """
        from mlflow.entities import Metric, RunTag

        if self._id is None:
            return
        with self._noticed():
            metrics = [
                Metric(f"{model}.{name}", float(value), 0, 0)
                for model, found in result.models.items()
                for name, value in found.items()
                if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            ]
            told = {"verdict": result.verdict, "champion": result.champion, "pushed_version": result.pushed_version}
            told |= {"root": result.root, "error": result.error, "reasons": " ".join(result.reasons)}
            tags = [RunTag(f"crossnet.{name}", str(value)[:MAX_VALUE]) for name, value in told.items() if value]
            self._client.log_batch(self._id, metrics=metrics, tags=tags)
            for name in FILES:
                if (folder / name).is_file():
                    self._client.log_artifact(self._id, str(folder / name))
            if result.verdict == "BLESSED" and result.champion:
                model = folder / f"trainer_{result.champion}" / "Format-Serving"
                self._client.log_artifacts(self._id, str(model), "model")
            is_done = result.exit_code in (0, NotBlessedError.exit_code)
            self._client.set_terminated(self._id, "FINISHED" if is_done else "FAILED")

    def stop(self) -> None:
        """Says that the run was interrupted, or ended by a bug."""
        if self._id is not None:
            with self._noticed():
                self._client.set_terminated(self._id, "KILLED")

    def _first_line(self, error: Exception) -> str:
        line = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")[:300]
        return line.replace(self.uri, self._place)

    @contextlib.contextmanager
    def _noticed(self) -> Iterator[None]:
        """Inside, what goes wrong becomes `problem`."""
        try:
            yield
        except Exception as error:
            self.problem = (
                f"The run is not, or not wholly, in MLflow: `{shown(self._place)}` did not take it: "
                f"{self._first_line(error)}. The run itself is not touched by it."
            )


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping) and not prefix:
            yield from _flat(value, f"{name}.")
        else:
            yield f"{prefix}{name}", value
