from __future__ import annotations

import math
from pathlib import Path

import pytest

from crossnet.components.artifacts.evaluation import MEAN_PREDICTOR
from crossnet.components.artifacts.schema import Schema
from crossnet.components.evaluation.split_scores import score_split
from crossnet.components.params.evaluator import EvaluatorParams
from crossnet.components.params.schema_gen import SchemaGenParams
from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.components.schema_gen import infer_schema
from crossnet.components.statistics_gen import generate_statistics
from support.example_gen_fixtures import make_csv


def schema_of(tmp_path: Path, examples) -> Schema:
    for name in ("statistics", "schema"):
        (tmp_path / name).mkdir()
    statistics = generate_statistics(examples, output_dir=tmp_path / "statistics", params=StatisticsGenParams())
    return infer_schema(examples, statistics, output_dir=tmp_path / "schema", params=SchemaGenParams())


def test_the_mean_of_train_is_measured_on_paper(tmp_path: Path) -> None:
    rows = [*((n, 2.0 if n % 2 else 4.0) for n in range(8)), (8, 9.0), (9, 6.0), (10, 5.0)]
    text = "x,y\n" + "".join(f"{x},{y}\n" for x, y in rows)
    examples = make_csv(tmp_path, text, eval_fraction=0.1, test_fraction=0.2)
    assert examples.counts == {"train": 8, "eval": 1, "test": 2}
    facts = score_split(examples, "test", schema_of(tmp_path, examples), {}, EvaluatorParams())
    assert (facts["rows"], facts["label"], facts["label_std"]) == (2, "y", 0.5)
    mean = facts["models"][MEAN_PREDICTOR]  # predicts 3: errors -3 and -2
    assert mean["rmse"] == pytest.approx(math.sqrt(6.5))
    assert (mean["mae"], mean["bias"], mean["interval"]) == (2.5, -2.5, None)
