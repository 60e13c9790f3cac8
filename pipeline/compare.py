"""`crossnet compare`: the article's table over several seeds, trained and judged by the pipeline's own components.

One seed tells little: the article's Dense [3, 3, 3] dies in about half of all runs (every relu is off, and it predicts
the mean), and one printed run of it did. So each model is trained from several seeds on the same rows, and the table
shows the median, the range, and how many runs collapsed.
"""

from __future__ import annotations

import dataclasses
import math
import shutil
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossnet.components.artifacts.evaluation import MEAN_PREDICTOR
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.errors import DataAnomalyError, DivergedError
from crossnet.components.files import write_json
from crossnet.components.formats import aligned, counted, duration, number
from crossnet.components.params.evaluator import EvaluatorParams
from crossnet.components.params.networks import CrossLayerParams, DenseParams
from crossnet.components.params.schema_gen import SchemaGenParams
from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.pipeline.config import Config

STRONG_DENSE = "strong_dense"
# A run that is hardly better than the train mean has learned nothing.
COLLAPSED_SHARE = 0.95
# What "Cross Layers vs Fully Connected Layers" prints as RMSE; it is the loss, the mean squared error.
ARTICLE_LOSSES = {
    "its table": {"dense": 2.4e-3, "cross": 5.5e-11},
    "its printed run": {"dense": 0.4751, "cross": 5.3e-11},
}


@dataclass(frozen=True)
class Comparison:
    """The table.

    Attributes:
      path: Folder with compare.json and compare.txt.
      rows: By model: num_parameters, the lists train_rmse, eval_rmse and seconds by seed, their medians, the range of
        eval_rmse, and collapsed, the number of runs that learned nothing. RMSE is in the label's unit, infinite where
        a run diverged.
      seeds: The seeds of initial weights.
      text: The table as people read it.
    """

    path: Path
    rows: Mapping[str, Mapping[str, Any]]
    seeds: tuple[int, ...]
    text: str


@dataclass
class _Runs:
    """One model's runs so far."""

    num_parameters: int = 0  # unknown while all its runs diverged
    train_rmse: list[float] = field(default_factory=list)
    eval_rmse: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, num_parameters: int, train_rmse: float, eval_rmse: float, seconds: float) -> None:
        """Adds a run."""
        self.num_parameters = self.num_parameters or num_parameters
        self.train_rmse.append(train_rmse)
        self.eval_rmse.append(eval_rmse)
        self.seconds.append(seconds)


def compare(
    config: Config,
    *,
    seeds: int,
    output_dir: Path,
    strong_units: Sequence[int] = (),
    progress: Callable[[str], None] = lambda line: None,
) -> Comparison:
    """Trains every model of `config.models` from several seeds and writes the table.

    Args:
      config: Rows, architectures and how to train; the rows are the same for all seeds.
      seeds: How many, from `trainer.seed` on.
      output_dir: A new folder; gets compare.json and compare.txt when all is done, nothing before.
      strong_units: Hidden layers of a second, larger Dense net; none: there is no second.
      progress: Called with a line after each run.

    Raises:
      DataAnomalyError: The data breaks its schema.
      DivergedError: Every run of every model did.
    """
    import tf_keras

    from crossnet.components.evaluator import evaluate_models
    from crossnet.components.trainer import train_model

    architectures: dict[str, CrossLayerParams | DenseParams] = {kind: getattr(config, kind) for kind in config.models}
    if strong_units:
        architectures[STRONG_DENSE] = dataclasses.replace(config.dense, units=tuple(strong_units))
    numbers = tuple(range(config.trainer.seed, config.trainer.seed + seeds))
    rules = EvaluatorParams(min_improvement=None, non_inferiority_margin=None, num_bootstrap=100)
    runs = {name: _Runs() for name in (MEAN_PREDICTOR, *architectures)}
    work = output_dir / ".tmp-work"
    work.mkdir(parents=True)
    try:
        examples, statistics_, schema = _prepare(config, work)
        for seed in numbers:
            models = {}
            for name, architecture in architectures.items():
                start = time.perf_counter()
                try:
                    models[name] = train_model(
                        examples,
                        schema,
                        statistics_,
                        output_dir=_folder(work, f"{name}-{seed}"),
                        params=dataclasses.replace(config.trainer, seed=seed, warm_start="none"),
                        kind="dense" if name == STRONG_DENSE else name,
                        architecture=architecture,
                    )
                except DivergedError as error:  # which is a result too
                    diverged = error
                    runs[name].add(0, math.inf, math.inf, time.perf_counter() - start)
                    progress(f"seed {seed}: {name} diverged. {error}")
                    continue
                progress(f"seed {seed}: {name} trained in {duration(models[name].properties['train_seconds'])}")
            if not models:
                continue
            folder = _folder(work, f"evaluation-{seed}")
            metrics = evaluate_models(examples, schema, models, output_dir=folder, params=rules).metrics
            for name in (*models, MEAN_PREDICTOR):
                found = metrics[name]
                runs[name].add(
                    found["num_parameters"],
                    _number(found["train_rmse"]),
                    _number(found["eval_rmse"]),
                    models[name].properties["train_seconds"] if name in models else 0.0,
                )
            shutil.rmtree(folder)
            tf_keras.backend.clear_session()
    finally:
        shutil.rmtree(work)
    if not runs[MEAN_PREDICTOR].eval_rmse:
        raise diverged
    rows = {name: _summary(run, runs[MEAN_PREDICTOR]) for name, run in runs.items()}
    labels = {name: f"dense {list(strong_units)}" if name == STRONG_DENSE else name for name in rows}
    article = is_article(dataclasses.asdict(config.example_gen))
    text = render(rows, labels, examples.counts, numbers, article)
    trainer = dataclasses.asdict(config.trainer)
    facts = {"rows": rows, "seeds": numbers, "trainer": trainer, "examples": dict(examples.counts)}
    if article:
        facts["article_rmse"] = {
            where: {kind: math.sqrt(loss) for kind, loss in losses.items()} for where, losses in ARTICLE_LOSSES.items()
        }
    write_json(output_dir / "compare.json", facts)
    (output_dir / "compare.txt").write_text(text + "\n", encoding="utf-8")
    return Comparison(output_dir, rows, numbers, text)


def is_article(example_gen: Mapping[str, Any]) -> bool:
    """Whether these settings of `[example_gen]` make the article's table."""
    wanted = {"source": "synthetic", "generator": "article", "num_examples": 100_000, "num_features": 3}
    return all(example_gen.get(key) == value for key, value in wanted.items())


def render(
    rows: Mapping[str, Mapping[str, Any]],
    labels: Mapping[str, str],
    counts: Mapping[str, int],
    seeds: Sequence[int],
    article: bool,
) -> str:
    """Returns the table, and for the article's rows the article's own figures as RMSE."""
    table = [("model", "parameters", "train rmse", "eval rmse", "eval rmse, range", "collapsed", "seconds")]
    for name, row in rows.items():
        low, high = row["eval_rmse_range"]
        mean = name == MEAN_PREDICTOR
        table.append(
            (
                labels[name],
                f"{row['num_parameters']:,}" if row["num_parameters"] else "-",
                number(row["median_train_rmse"]),
                number(row["median_eval_rmse"]),
                "" if mean else f"{number(low)} to {number(high)}",
                "" if mean else f"{row['collapsed']} of {len(seeds)}",
                "" if mean else f"{row['median_seconds']:.1f}",
            )
        )
    lines = [
        f"Medians over {counted(len(seeds), 'seed')} ({seeds[0]} to {seeds[-1]}), {counts['train']:,} train and "
        f"{counts['eval']:,} eval rows; collapsed: hardly better than the mean"
    ]
    lines += aligned(table)
    if article:
        lines.append("The article prints the mean squared error under the name RMSE. As RMSE:")
        for where, losses in ARTICLE_LOSSES.items():
            roots = (f"{kind} {number(loss, 2)} -> {number(math.sqrt(loss), 2)}" for kind, loss in losses.items())
            dead = " (dense is dead: it predicts the mean)" if where == "its printed run" else ""
            lines.append(f"  {where}: {', '.join(roots)}{dead}")
    return "\n".join(lines)


def _prepare(config: Config, work: Path) -> tuple[Examples, Statistics, Schema]:
    """Makes the rows, once for all runs, and checks them as a run does."""
    from crossnet.components.example_gen import generate_examples
    from crossnet.components.example_validator import validate_examples
    from crossnet.components.schema_gen import infer_schema
    from crossnet.components.statistics_gen import generate_statistics

    statistics_params: StatisticsGenParams = config.statistics_gen
    schema_params: SchemaGenParams = dataclasses.replace(config.schema_gen, reference="none")
    examples = generate_examples(output_dir=_folder(work, "examples"), params=config.example_gen)
    found = generate_statistics(examples, output_dir=_folder(work, "statistics"), params=statistics_params)
    schema = infer_schema(examples, found, output_dir=_folder(work, "schema"), params=schema_params)
    anomalies = validate_examples(
        examples, found, schema, output_dir=_folder(work, "anomalies"), params=config.example_validator
    )
    if anomalies.has_errors:
        raise DataAnomalyError(anomalies.summary)
    return examples, found, schema


def _folder(work: Path, name: str) -> Path:
    folder = work / name
    folder.mkdir()
    return folder


def _number(value: float | None) -> float:
    """Returns an RMSE; infinity where it is not finite, which sorts behind all others."""
    return math.inf if value is None else value


def _summary(run: _Runs, mean: _Runs) -> dict[str, Any]:
    collapsed = [not value < COLLAPSED_SHARE * mean.eval_rmse[0] for value in run.eval_rmse]
    return {
        **dataclasses.asdict(run),
        "median_train_rmse": statistics.median(run.train_rmse),
        "median_eval_rmse": statistics.median(run.eval_rmse),
        "median_seconds": statistics.median(run.seconds),
        "eval_rmse_range": (min(run.eval_rmse), max(run.eval_rmse)),
        "collapsed": sum(collapsed),
    }
