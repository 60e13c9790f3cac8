"""The Evaluator and `crossnet evaluate` in several processes: every byte is that of one."""

from __future__ import annotations

import pytest

from crossnet.components.artifacts.model import Model
from crossnet.components.engines.base import IN_PROCESS
from crossnet.components.engines.local import LocalEngine
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
from support.wide_engine import Wide

TABLE = article(900, seed=3)
COLUMNS = [*TABLE, "user", "w"]
ROWS = zip(*TABLE.values(), (row % 47 for row in range(900)), (row % 5 for row in range(900)), strict=True)
TEXT = "\n".join([",".join(COLUMNS), *(",".join(map(str, row)) for row in ROWS)]) + "\n"


@pytest.fixture
def made(tmp_path):
    """Three shards per split of weighted rows in groups, with schema, statistics and models."""
    examples = make_csv(tmp_path, TEXT, label="y", num_shards=3, eval_fraction=0.4, weight="w", group="user")
    for name in ("statistics", "schema"):
        (tmp_path / name).mkdir()
    statistics = generate_statistics(examples, output_dir=tmp_path / "statistics", params=StatisticsGenParams())
    schema = infer_schema(examples, statistics, output_dir=tmp_path / "schema", params=SchemaGenParams())
    models = {
        "close": make_model(tmp_path / "close", schema, lambda columns: truth(columns) + 0.01),
        "dense": make_model(tmp_path / "dense", schema, lambda columns: truth(columns) + 0.1),
    }
    return examples, schema, statistics, models


def test_little_work_is_done_in_this_process(made, tmp_path):
    examples, schema, statistics, models = made
    engine = Wide(2)
    (tmp_path / "small").mkdir()
    params = EvaluatorParams(max_rmse=1.0)
    evaluate_models(examples, schema, statistics, models, output_dir=tmp_path / "small", params=params, engine=engine)
    score_split(examples, "eval", schema, models, params, engine=engine)
    assert engine.lists == []


@pytest.mark.slow
def test_no_byte_depends_on_the_number_of_processes(made, tmp_path, monkeypatch):
    examples, schema, statistics, models = made
    monkeypatch.setattr(shard_jobs, "LEAST_SECONDS", 0.0)
    params = EvaluatorParams(batch_size=64, max_rmse=1.0, slices=(("zone",), ("x0:quartile", "zone"), ("y:decile",)))
    served: Model = models["dense"]
    found = []
    with LocalEngine(2, least_bytes=0) as pool:
        for name, engine in (("one", IN_PROCESS), ("two", pool)):
            folder = tmp_path / name
            folder.mkdir()
            evaluation = evaluate_models(
                examples, schema, statistics, models, output_dir=folder, params=params, served=served.serving_path,
                engine=engine,
            )  # fmt: skip
            facts = score_split(examples, "eval", schema, models, params, engine=engine)
            found.append((digests(folder), evaluation.counts, evaluation.properties, facts))
    assert found[0] == found[1]
    assert len(found[0][0]) == 8
    assert found[0][1]["slices"] > 20
