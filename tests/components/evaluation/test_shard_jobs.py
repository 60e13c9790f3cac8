"""Splits cut into jobs: which rows a job sees, and what is the same however many shards there are."""

from __future__ import annotations

import json
import math
from functools import partial

import numpy as np
import pytest

from crossnet.components.artifacts.evaluation import labels_file, predictions_file
from crossnet.components.artifacts.model import Model
from crossnet.components.engines.base import IN_PROCESS
from crossnet.components.errors import DataError
from crossnet.components.evaluation.grouping import Grouping
from crossnet.components.evaluation.linear import LinearInputs, NormalEquations, NumberInput
from crossnet.components.evaluation.predictors import MeanPredictor
from crossnet.components.evaluation.recorded import RecordedPredictions
from crossnet.components.evaluation.row_sample import RowSample
from crossnet.components.evaluation.scoring import Columns, score_eval, score_train
from crossnet.components.evaluation.session import ServingSession
from crossnet.components.evaluation.shard_jobs import (
    LEAST_SECONDS,
    PARAMETER_SECONDS,
    PRODUCT_SECONDS,
    VALUE_SECONDS,
    SplitJob,
    engine_for,
    map_shards,
)
from crossnet.components.evaluation.slices import parse_slices
from crossnet.components.features import Feature
from crossnet.components.params.evaluator import EvaluatorParams
from support.example_gen_fixtures import make_csv
from support.gate_fixtures import export
from support.wide_engine import Wide

X, Y = (Feature("x0", "FLOAT"),), Feature("y", "FLOAT")
TEXT = "x0,user,w,y\n" + "".join(
    f"{x:.3f},u{user},{weight:.2f},{x * x:.4f}\n"
    for x, user, weight in zip(
        np.random.default_rng(0).random(500),
        np.random.default_rng(1).integers(0, 30, 500),
        np.random.default_rng(2).random(500),
        strict=True,
    )
)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Examples of the same rows by number of shards."""

    def make(num_shards, **settings):
        folder = tmp_path_factory.mktemp("rows")
        return make_csv(folder, TEXT, label="y", num_shards=num_shards, eval_fraction=0.4, split="order", **settings)

    return make


def seen(job, shard, first):
    """The batches of a job: first row, labels, predictions."""
    return [(batch.first, batch.labels.tolist(), batch.predictions.tolist()) for batch in job.batches(shard, first)]


@pytest.mark.parametrize(("num_shards", "firsts"), [(1, [[0, 90, 180]]), (3, [[0], [66], [133]])])
def test_jobs_see_their_rows_with_their_places_and_recorded_predictions(rows, tmp_path, num_shards, firsts):
    examples = rows(num_shards)
    np.save(tmp_path / "p.npy", np.arange(200, dtype=np.float32))
    scored = {"mean": MeanPredictor(1.0), "trees": RecordedPredictions(tmp_path / "p.npy")}
    job = SplitJob(examples, "eval", X, Y, scored, Grouping(), 90)
    found = list(map_shards(IN_PROCESS, seen, job))
    assert [[first for first, *_ in batches] for batches in found] == firsts
    labels = [value for batches in found for _, labels, _ in batches for value in labels]
    assert len(labels) == 200
    predictions = np.concatenate([values for batches in found for *_, values in batches], axis=1)
    np.testing.assert_array_equal(predictions, [np.ones(200), np.arange(200)])


def test_a_split_of_which_a_shard_was_cut_is_refused_before_a_model_is_asked(rows):
    examples = rows(3)
    shards = examples.shards("eval")
    for path in (shards[1], *shards[1].parent.glob("data_columns-00001*")):
        path.unlink()
    job = SplitJob(examples, "eval", X, Y, {}, Grouping(), 90)
    with pytest.raises(DataError, match=r"has 133 records, expected 200: its shards were cut or replaced"):
        next(map_shards(IN_PROCESS, seen, job))


def test_other_processes_are_asked_where_models_have_work_enough_for_them(tmp_path):
    engine, models = Wide(2), [Model(tmp_path, counts={"parameters": 1000})] * 3
    row = 10 * VALUE_SECONDS + 100 * PRODUCT_SECONDS + 3000 * PARAMETER_SECONDS
    enough = math.ceil(LEAST_SECONDS / row) + 1
    assert engine_for(engine, enough, 10, models) is engine
    assert engine_for(engine, enough - 2, 10, models) is IN_PROCESS
    assert engine_for(engine, enough, 10, models[:2]) is IN_PROCESS
    assert engine_for(engine, enough, 9, models) is IN_PROCESS


def scored(examples, model, folder):
    """Everything that is measured of a model over train and eval, as JSON values."""
    recorded = {name: Feature(name, kind, required=False) for name, kind in examples.column_types.items()}
    columns = Columns(X, Y, recorded)
    make = partial(NormalEquations, LinearInputs((NumberInput("x0", 0.5, 0.3, False),), ()))
    train, equations = score_train(examples, columns, {"m": model}, make, batch_size=64)
    sample, params = RowSample(["x0"], limit=64), EvaluatorParams(batch_size=64, num_bootstrap=50)
    keys = parse_slices([["x0:quartile"], ["user"]], recorded)
    scores, worst = score_eval(
        examples, columns, {"m": model}, keys=keys, output_dir=folder, params=params, sample=sample
    )
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
    return {
        "train": train.metrics(0),
        "linear": equations.solve().to_json()["weights"],
        "eval": scores.whole.metrics(0),
        "extent": scores.extent,
        "interval": scores.resampled and scores.resampled.interval(0, 0.05),
        "slices": {name: sums.metrics(0) for name, sums in scores.slices.items()},
        "worst": worst["m"],
        "labels": np.load(labels_file(folder)).tolist(),
        "predictions": np.load(predictions_file(folder, "m")).tolist(),
        "sample": (sample.stride, sample.column("x0").tolist(), sample.predictions(0).tolist()),
        "moments": [sums.moments().products.tolist() for sums in scores.slices.values()],
    }


def close(found, expected):
    """Whether JSON values are equal but for the last digits of floats."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(close(found[key], expected[key]) for key in expected)
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(close, found, expected))
    if isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12)
    return found == expected


@pytest.mark.parametrize("settings", [{}, {"weight": "w", "group": "user"}], ids=["rows", "weighted groups"])
def test_what_is_measured_does_not_depend_on_the_number_of_shards(rows, tmp_path, settings):
    found = []
    with ServingSession(export(tmp_path / "m", X, lambda columns: columns["x0"])) as model:
        for num_shards in (1, 4):
            folder = tmp_path / f"{num_shards}"
            folder.mkdir()
            found.append(scored(rows(num_shards, **settings), model, folder))
    one, four = found
    assert close(four, one), json.dumps([one, four], default=str)
    assert one["sample"][0] == 4
    assert one["interval"][0] < one["eval"]["rmse"] < one["interval"][1]
