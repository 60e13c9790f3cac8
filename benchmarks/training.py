"""The article's plain `fit` against our Trainer's loop: the same updates from the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import components  # noqa: F401  (chooses Keras 2)
from benchmarks.harness import Row, cost, interleave
from components.params import CrossLayerParams, TrainerParams
from components.synthetic import article_rows

PARAMS = TrainerParams(optimizer="adagrad", learning_rate=0.4, schedule="constant", normalize="none")
TRAIN_ROWS = 90_000


def article_arrays(num_examples: int = 100_000) -> tuple[Any, Any]:
    """Returns the article's features float32 `(rows, 3)` and label float32 `(rows,)`."""
    batches = list(article_rows(seed=42, num_examples=num_examples, num_features=3))
    columns = [np.concatenate([batch[name].to_numpy() for batch in batches]) for name in ("x0", "x1", "x2", "y")]
    return np.stack(columns[:3], axis=1), columns[3]


def not_finite(*_: Any) -> None:
    """Stops where a loss is not finite."""
    raise FloatingPointError("The loss is not finite.")


def rows() -> Iterator[Row]:
    """Yields the costs of training and the difference between the final weights."""
    import tf_keras

    from components.fit import fit
    from components.models import build_network, initialize
    from components.rows import Rows

    x, y = article_arrays()
    train = Rows((x[:TRAIN_ROWS],), y[:TRAIN_ROWS], TRAIN_ROWS)
    evaluation = Rows((x[TRAIN_ROWS:],), y[TRAIN_ROWS:], len(y) - TRAIN_ROWS)
    weights: dict[str, Any] = {}

    def ours(params: TrainerParams = PARAMS) -> None:
        network = build_network("tfrs_cross", CrossLayerParams(), num_numbers=3)
        initialize(network, seed=1)
        fit(network, train, evaluation, params=params, not_finite=not_finite)
        weights["ours"] = network.get_weights()

    def article(epochs: int = PARAMS.epochs) -> None:
        network = build_network("tfrs_cross", CrossLayerParams(), num_numbers=3)
        initialize(network, seed=1)
        network.compile(tf_keras.optimizers.Adagrad(PARAMS.learning_rate), "mse")
        network.fit(
            x[:TRAIN_ROWS], y[:TRAIN_ROWS], batch_size=PARAMS.batch_size, epochs=epochs, shuffle=False, verbose=0
        )
        weights["article"] = network.get_weights()

    # What TensorFlow does once per process is no part of either; tracing is part of both.
    ours(TrainerParams(epochs=1))
    article(1)
    mine, theirs, ratio = interleave(lambda: cost(ours), lambda: cost(article), repeats=3)
    yield Row(
        "training",
        "100 epochs of 90 updates, Adagrad 0.4, 16 parameters, tracing and 100 evaluations included",
        mine,
        theirs,
        "CPU s",
        ratio,
        "<= 0.125",
        ratio <= 0.125,
        "Keras fit, no evaluations",
    )
    pairs = zip(weights["ours"], weights["article"], strict=True)
    difference = max(float(np.abs(a - b).max()) for a, b in pairs)
    yield Row(
        "training",
        "largest difference between the final weights of the two",
        difference,
        None,
        "",
        None,
        "<= 1e-6",
        difference <= 1e-6,
    )
