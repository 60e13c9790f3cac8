"""Shows a run to Python: verdict, models, rows, predictions, report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossnet.components.artifacts.evaluation import predictions_file
from crossnet.components.artifacts.examples import Examples
from crossnet.components.errors import MissingArtifactError
from crossnet.pipeline.config import Config
from crossnet.pipeline.report.run import Run, history
from crossnet.pipeline.run_record import RunRecord
from crossnet.pipeline.store import Store
from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.protocol.suggestions import did_you_mean

if TYPE_CHECKING:
    from crossnet.pipeline.api.tables import RowTable


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A model of a run.

    Attributes:
      name: Its kind, such as "cross_layer".
      path: The SavedModel's folder: what was judged and is pushed, unchanged.
      num_parameters: Trainable weights.
      metrics: What the Evaluator measured, by name: `train_rmse`, `eval_rmse`, `mae`, ... in the label's unit; empty
        where the run did not come so far.
      settings: What it trained with where settings say "auto", by name.
      history: RMSE by epoch in the label's unit, float64 (epochs,): `train`, and `validation` or `eval` where kept.
    """

    name: str
    path: Path
    num_parameters: int
    metrics: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    history: Mapping[str, Array] = field(default_factory=dict, repr=False)

    @property
    def eval_rmse(self) -> float | None:
        """Root mean squared error over the eval split, in the label's unit; None where it was not measured."""
        value = self.metrics.get("eval_rmse")
        return None if value is None else float(value)


class LoadedRun:
    """One run as it was when it was opened.

    Args:
      store: Its root.
      run: What was read of it.
    """

    def __init__(self, store: Store, run: Run) -> None:
        self._store, self._run = store, run

    @property
    def name(self) -> str:
        """Its name, by which `load_run` finds it."""
        return self._run.name

    @property
    def root(self) -> Path:
        """The folder of all runs, absolute."""
        return self._store.root

    @property
    def folder(self) -> Path:
        """The run's own folder, with run.json, config.toml, log.txt and report.html."""
        return self._store.runs / self.name

    @property
    def record(self) -> RunRecord:
        """What run.json holds: steps with their times, warnings, versions of libraries."""
        return self._run.record

    @property
    def config(self) -> Config | None:
        """All settings; None where this version no longer knows one of them."""
        return self._run.config

    @property
    def state(self) -> str:
        """ "finished", "running", "interrupted" or "killed"."""
        return self.record.state

    @property
    def verdict(self) -> str | None:
        """ "BLESSED", "NOT_BLESSED", or None where no model was judged."""
        return self.record.verdict

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why nothing was pushed, one sentence for each rule that failed."""
        return self.record.reasons

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is worth knowing and stopped nothing."""
        return self.record.warnings

    @property
    def error(self) -> str | None:
        """Why the run failed; None where it did not."""
        return self.record.error

    @property
    def champion(self) -> str | None:
        """The name of the model that passed every rule."""
        return self.record.champion

    @property
    def pushed_version(self) -> int | None:
        """The version that was in service after the run."""
        return self.record.pushed_version

    @property
    def models(self) -> dict[str, TrainedModel]:
        """The trained models by name, in order of preference; empty where none was trained."""
        return {
            name: TrainedModel(
                name=name,
                path=model.serving_path,
                num_parameters=model.num_parameters,
                metrics=self.record.models.get(name, {}),
                settings=dict(model.properties.get("chosen") or {}),
                history=history(model),
            )
            for name, model in self._run.models.items()
        }

    @property
    def metrics(self) -> dict[str, Mapping[str, Any]]:
        """What the Evaluator measured of each line of its table, the references "linear" and "mean_predictor" too."""
        return dict(self.record.models)

    def examples(self, split: str = "eval") -> RowTable:
        """Returns the rows of a split: "train", "eval" or, where there is one, "test".

        Raises:
          MissingArtifactError: The run has no rows, or no such split.
        """
        from crossnet.pipeline.api.tables import example_table

        return example_table(self._rows(), split)

    def predictions(self, model: str | None = None) -> RowTable:
        """Returns what a model predicted for the eval rows, as the Evaluator saw it.

        Args:
          model: Its name; None: the champion or, where there is none, the first model.

        Raises:
          MissingArtifactError: The run has no predictions, or not of this model.
        """
        from crossnet.pipeline.api.tables import prediction_table

        evaluation = self._run.evaluation
        if evaluation is None:
            raise MissingArtifactError(
                f"Run `{self.name}` has no predictions: {self._run.why_missing('evaluator')} Call `crossnet run`."
            )
        known = [name for name in evaluation.metrics if predictions_file(evaluation.path, name).is_file()]
        name = model or evaluation.champion or next(iter(known), "")
        if name not in known:
            raise MissingArtifactError(
                f"Run `{self.name}` has no predictions of `{name}`.{did_you_mean(name, known)} There are: "
                f"{', '.join(known) or 'none'}."
            )
        return prediction_table(self._rows(), evaluation, name)

    def report(self) -> Path:
        """Writes the run's page anew and returns its path."""
        from crossnet.pipeline.report.pages import write_report

        return write_report(self._store, self.name)

    def card(self) -> str:
        """Returns the model card as Markdown: what the model is for, data, metrics, verdict, limits, how it was made.

        Raises:
          MissingArtifactError: The run has not judged a model.
        """
        from crossnet.pipeline.report.card_text import run_card

        return run_card(self._run)

    def _rows(self) -> Examples:
        examples = self._run.get(Examples, "example_gen")
        if examples is None:
            raise MissingArtifactError(
                f"Run `{self.name}` has no rows: {self._run.why_missing('example_gen')} Call `crossnet run`."
            )
        return examples

    def __repr__(self) -> str:
        from crossnet.pipeline.report.headline import headline

        return f"<Run {self.name}: {headline(self.record)['word']}, {self.folder}>"

    def _repr_html_(self) -> str:
        """Returns what a notebook shows: the verdict, why, and the table of models."""
        from crossnet.pipeline.api.html import run_html

        return run_html(self.record, self.folder)
