"""Trains every model from several seeds and compares them in one table.

One seed tells little: the article's Dense [3, 3, 3] dies in about half of all runs (every relu is off, and it predicts
the mean), and one printed run of it did. So each model is trained from several seeds on the same rows, and the table
shows the median, the range, and how many runs collapsed.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import shutil
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossnet.components.artifacts.base import Artifact
from crossnet.components.artifacts.evaluation import LINEAR, MEAN_PREDICTOR, REFERENCES, Evaluation
from crossnet.components.artifacts.model import Model
from crossnet.components.errors import DataAnomalyError, DivergedError
from crossnet.components.files import write_file, write_json
from crossnet.components.formats import aligned, counted, number
from crossnet.components.params.evaluator import EvaluatorParams
from crossnet.components.params.trainer import ALL_ROWS, MULTI_WORKER, ONE_DEVICE, TrainerParams
from crossnet.pipeline.component_call import call_component
from crossnet.pipeline.config import Config
from crossnet.pipeline.config_build import NONE
from crossnet.pipeline.graph import Step, build_graph, model_kind
from crossnet.pipeline.remote.units import COMPARISON_FILE

WORK_FOLDER = ".tmp-work"  # of a comparison that is not done
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


class _Graph:
    """Runs the steps of the graph, up to the Evaluator, in folders that are removed in the end.

    Args:
      config: All settings; what refers to earlier runs is left out, and the Evaluator has no rules.
      work: An empty folder.
      strong_units: Hidden layers of a second, larger Dense net; none: there is no second.

    Attributes:
      trainers: By model, its step.
    """

    def __init__(self, config: Config, work: Path, strong_units: Sequence[int]) -> None:
        alone = dataclasses.replace(
            config,
            schema_gen=dataclasses.replace(config.schema_gen, reference=NONE),
            trainer=dataclasses.replace(_in_one_process(config.trainer), warm_start=NONE),
            evaluator=EvaluatorParams(min_improvement=None, non_inferiority_margin=None, num_bootstrap=100),
        )
        self._steps = build_graph(alone)
        self._work = work
        self._made: dict[str, Artifact] = {}
        self.trainers = {model_kind(step.name): step for step in self._steps if step.output is Model}
        if strong_units:
            units = dataclasses.replace(config.dense, units=tuple(strong_units))
            dense = self.trainers.get("dense") or _dense_trainer(alone)
            model = dataclasses.replace(dense.settings["model"], architecture=units)
            self.trainers[STRONG_DENSE] = dataclasses.replace(
                dense, name=f"trainer_{STRONG_DENSE}", settings={**dense.settings, "model": model}
            )

    def prepare(self) -> Mapping[str, int]:
        """Makes the rows, once for all runs, and checks them as a run does. Returns the number of rows by split.

        Raises:
          DataAnomalyError: The data breaks its schema.
        """
        for step in itertools.takewhile(lambda step: step.output is not Model, self._steps):
            artifact = self._call(step, step.name)
            if not artifact.passes():
                raise DataAnomalyError(str(artifact.outcome().error))
        return self._made["example_gen"].counts

    def train(self, model: str, seed: int) -> Model:
        """Trains one model from one seed."""
        step = self.trainers[model]
        params = dataclasses.replace(step.settings["params"], seed=seed)
        made = self._call(dataclasses.replace(step, settings={**step.settings, "params": params}), f"{model}-{seed}")
        assert isinstance(made, Model)
        return made

    def evaluate(self, models: Sequence[str], seed: int) -> Mapping[str, Mapping[str, Any]]:
        """Returns the metrics of the models that were trained last, and of the references."""
        step = next(step for step in self._steps if step.output is Evaluation)
        trained = {**step.inputs, "models": tuple(self.trainers[model].name for model in models)}
        evaluation = self._call(dataclasses.replace(step, inputs=trained), f"evaluation-{seed}")
        assert isinstance(evaluation, Evaluation)
        metrics = evaluation.metrics
        shutil.rmtree(evaluation.path)
        return metrics

    def _call(self, step: Step, folder: str) -> Artifact:
        output_dir = self._work / folder
        output_dir.mkdir()
        references = dict.fromkeys(step.references)
        self._made[step.name] = call_component(step, self._made, output_dir=output_dir, references=references)
        return self._made[step.name]


def _in_one_process(params: TrainerParams) -> TrainerParams:
    """Returns how this process trains alone: on batches of the size that workers would share."""
    alone = params.strategy == MULTI_WORKER
    return dataclasses.replace(params, strategy=ONE_DEVICE, worker_rows=ALL_ROWS) if alone else params


def _dense_trainer(config: Config) -> Step:
    """Returns the step that trains the Dense baseline, of a config that does not name it."""
    graph = build_graph(dataclasses.replace(config, models=("dense",)))
    return next(step for step in graph if step.output is Model)


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
    numbers = tuple(range(config.trainer.seed, config.trainer.seed + seeds))
    work = output_dir / WORK_FOLDER
    work.mkdir(parents=True)
    try:
        graph = _Graph(config, work, strong_units)
        counts = graph.prepare()
        runs = _train_all(graph, numbers, progress)
    finally:
        shutil.rmtree(work)
    rows = {name: _summary(run, runs[MEAN_PREDICTOR]) for name, run in runs.items()}
    labels = {name: f"dense {list(strong_units)}" if name == STRONG_DENSE else name for name in rows}
    article = is_article(dataclasses.asdict(config.example_gen))
    text = render(rows, labels, counts, numbers, article)
    trainer = dataclasses.asdict(config.trainer)
    facts = {"rows": rows, "seeds": numbers, "trainer": trainer, "examples": dict(counts)}
    if article:
        facts["article_rmse"] = {
            where: {kind: math.sqrt(loss) for kind, loss in losses.items()} for where, losses in ARTICLE_LOSSES.items()
        }
    write_json(output_dir / "compare.json", facts)
    write_file(output_dir / COMPARISON_FILE, text + "\n")
    return Comparison(output_dir, rows, numbers, text)


def _train_all(graph: _Graph, seeds: Sequence[int], progress: Callable[[str], None]) -> dict[str, _Runs]:
    """Returns the runs of every model, of the mean predictor and of the linear model.

    Raises:
      DivergedError: Every run of every model did.
    """
    import tf_keras

    runs = {name: _Runs() for name in (MEAN_PREDICTOR, LINEAR, *graph.trainers)}
    for seed in seeds:
        seconds: dict[str, float] = {}
        for name in graph.trainers:
            start = time.perf_counter()
            try:
                seconds[name] = graph.train(name, seed).train_seconds
            except DivergedError as error:  # which is a result too
                diverged = error
                runs[name].add(0, math.inf, math.inf, time.perf_counter() - start)
                progress(f"seed {seed}: {name} diverged. {error}")
                continue
            progress(f"seed {seed}: {name} trained in {seconds[name]:.1f} s")
        if not seconds:
            continue
        metrics = graph.evaluate([*seconds], seed)
        for name in (*seconds, *REFERENCES):
            found = metrics[name]
            rmse = _number(found["train_rmse"]), _number(found["eval_rmse"])
            runs[name].add(found["num_parameters"], *rmse, seconds.get(name, 0.0))
        tf_keras.backend.clear_session()
    if not runs[MEAN_PREDICTOR].eval_rmse:
        raise diverged
    return runs


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
        fixed = name in REFERENCES  # the same from every seed
        table.append(
            (
                labels[name],
                f"{row['num_parameters']:,}" if row["num_parameters"] else "-",
                number(row["median_train_rmse"]),
                number(row["median_eval_rmse"]),
                "" if fixed else f"{number(low)} to {number(high)}",
                "" if fixed else f"{row['collapsed']} of {len(seeds)}",
                "" if fixed else f"{row['median_seconds']:.1f}",
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
