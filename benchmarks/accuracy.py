"""Counts the seeds that train to the accuracy of float32.

The default training on the article's table, 100 seeds, all three kinds. Rows come from ExampleGen and go through the
preprocessing of the default config, as in the Trainer. RMSE on the 10,000 eval rows; the floor of float32 is 5e-8 to
1e-7. It takes some minutes.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import crossnet.components  # noqa: F401  (chooses Keras 2)
from benchmarks.harness import Row
from benchmarks.training import not_finite
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.params.networks import DEFAULT_MODELS, CrossLayerParams, DenseParams
from crossnet.components.params.schema_gen import SchemaGenParams
from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.components.training.recipe import Recipe

if TYPE_CHECKING:
    from crossnet.components.training.rows import Rows

SEEDS = 100
GOAL = 1.5e-7
# At this rate most Dense nets of the article's size learn; at the cross networks' 0.2 many predict a constant.
DENSE = DenseParams(learning_rate=0.003)


def rows() -> Iterator[Row]:
    """Yields the seeds that reach the goal, and the distribution, by kind and number of updates."""
    with article_rows() as (train, evaluation):
        for epochs in (100, 20):
            for kind in DEFAULT_MODELS:
                params = Recipe(epochs=epochs)
                found = np.array([eval_rmse(kind, seed, params, train, evaluation) for seed in range(SEEDS)])
                print(f"  {kind}, {epochs * 90:,} updates: {np.sort(found)}", file=sys.stderr, flush=True)
                reached = int((found <= GOAL).sum())
                case = f"{kind}, {epochs * 90:,} updates"
                judged = kind != "dense" and epochs == 100
                yield Row(
                    "accuracy",
                    f"{case}: seeds with eval RMSE <= {GOAL}",
                    reached,
                    SEEDS,
                    "seeds",
                    reached / SEEDS,
                    "= 1" if judged else "",
                    reached == SEEDS if judged else None,
                    "all seeds",
                    better="more",
                )
                for share in (0, 10, 50, 90, 100):
                    rmse = float(np.percentile(found, share))
                    yield Row("accuracy", f"{case}: eval RMSE, percentile {share}", rmse, None, "label units", None)


@contextmanager
def article_rows() -> Iterator[tuple[Rows, Rows]]:
    """Makes the article's table and reads train and eval as the Trainer does."""
    from crossnet.components.example_gen import generate_examples
    from crossnet.components.features import read_schema
    from crossnet.components.networks.input_choice import make_preprocessing
    from crossnet.components.networks.preprocessing import Transform
    from crossnet.components.schema_gen import infer_schema
    from crossnet.components.statistics_gen import generate_statistics
    from crossnet.components.training.rows import read_rows

    params = Recipe()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        for part in ("examples", "statistics", "schema"):
            (folder / part).mkdir()
        examples = generate_examples(output_dir=folder / "examples", params=ExampleGenParams())
        statistics = generate_statistics(examples, output_dir=folder / "statistics", params=StatisticsGenParams())
        schema = infer_schema(examples, statistics, output_dir=folder / "schema", params=SchemaGenParams())
        features, label = read_schema(schema.proto())
        preprocessing = make_preprocessing(features, label, statistics.proto("train"), params=params)
        assert not preprocessing.scales_label  # so that the network's error is in label units
        train, evaluation = (
            stack.enter_context(
                read_rows(examples, split, Transform(preprocessing), label, scratch=folder, cache_mib=params.cache_mib)
            )
            for split in ("train", "eval")
        )
        yield train, evaluation


def eval_rmse(kind: str, seed: int, params: Recipe, train: Rows, evaluation: Rows) -> float:
    """Trains a network from scratch, as the Trainer does, and returns its RMSE on the eval rows in float64."""
    from crossnet.components.networks.models import build_network, initialize
    from crossnet.components.training.fit import fit

    architecture = DENSE if kind == "dense" else CrossLayerParams()
    if isinstance(architecture, DenseParams) and architecture.learning_rate:
        params = dataclasses.replace(params, learning_rate=architecture.learning_rate)
    network = build_network(kind, architecture, num_numbers=3)
    initialize(network, seed)
    fit(network, train, None, params=dataclasses.replace(params, seed=seed), not_finite=not_finite)
    errors = network(evaluation.inputs[0], training=False).numpy()[:, 0].astype(np.float64) - evaluation.label
    return float(np.sqrt(np.mean(errors**2)))
