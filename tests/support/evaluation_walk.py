"""Gives the Evaluator rows in shards and two models, and evaluates them on an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.evaluation import shard_jobs
from crossnet.components.evaluation.split_scores import score_split
from crossnet.components.evaluator import evaluate_models
from crossnet.components.params.evaluator import EvaluatorParams
from crossnet.components.params.schema_gen import SchemaGenParams
from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.components.schema_gen import infer_schema
from crossnet.components.statistics_gen import generate_statistics
from support.example_gen_fixtures import make_csv
from support.gate_fixtures import article, make_model, truth
from support.validation_walk import digests

TABLE = article(900, seed=3)
COLUMNS = [*TABLE, "user", "w"]
ROWS = zip(*TABLE.values(), (row % 47 for row in range(900)), (row % 5 for row in range(900)), strict=True)
TEXT = "\n".join([",".join(COLUMNS), *(",".join(map(str, row)) for row in ROWS)]) + "\n"
FILES = 8  # that an evaluation writes
PARAMS = EvaluatorParams(batch_size=64, max_rmse=1.0, slices=(("zone",), ("x0:quartile", "zone"), ("y:decile",)))


class Judged(NamedTuple):
    """What the Evaluator reads."""

    examples: Examples
    schema: Schema
    statistics: Statistics
    models: dict[str, Model]


def make_judged(folder: Path) -> Judged:
    """Makes three shards per split of weighted rows in groups, with schema, statistics and models."""
    examples = make_csv(folder, TEXT, label="y", num_shards=3, eval_fraction=0.4, weight="w", group="user")
    for name in ("statistics", "schema"):
        (folder / name).mkdir()
    statistics = generate_statistics(examples, output_dir=folder / "statistics", params=StatisticsGenParams())
    schema = infer_schema(examples, statistics, output_dir=folder / "schema", params=SchemaGenParams())
    models = {
        "close": make_model(folder / "close", schema, lambda columns: truth(columns) + 0.01),
        "dense": make_model(folder / "dense", schema, lambda columns: truth(columns) + 0.1),
    }
    return Judged(examples, schema, statistics, models)


def evaluated(folder: Path, judged: Judged, engine: Any, monkeypatch: Any) -> tuple[dict[str, str], Any, Any, Any]:
    """Returns what the Evaluator makes of rows of which every shard is a job: digests, counts, properties, scores."""
    monkeypatch.setattr(shard_jobs, "LEAST_SECONDS", 0.0)
    folder.mkdir()
    served = judged.models["dense"].serving_path
    evaluation = evaluate_models(*judged, output_dir=folder, params=PARAMS, served=served, engine=engine)
    facts = score_split(judged.examples, "eval", judged.schema, judged.models, PARAMS, engine=engine)
    return digests(folder), evaluation.counts, evaluation.properties, facts
