"""Compares the article's plain `fit` with our Trainer's loop.

Both make the same updates from the same weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

import crossnet.components  # noqa: F401  (chooses Keras 2)
from benchmarks.harness import Row, cost, interleave
from crossnet.components.params.networks import CrossLayerParams
from crossnet.components.sources.formula import article_rows
from crossnet.components.training.recipe import Recipe

# A rate that float32 holds, in which Keras keeps it also for float64 weights.
RATE = float(np.float32(0.4))
PARAMS = Recipe(optimizer="adagrad", learning_rate=RATE, schedule="constant", normalize="none")
TRAIN_ROWS = 90_000


def article_arrays(num_examples: int = 100_000) -> tuple[Any, Any]:
    """Returns the article's features float32 `(rows, 3)` and label float32 `(rows,)`."""
    batches = list(article_rows(seed=42, num_examples=num_examples, num_features=3))
    columns = [np.concatenate([batch[name].to_numpy() for batch in batches]) for name in ("x0", "x1", "x2", "y")]
    return np.stack(columns[:3], axis=1), columns[3]


def not_finite(*_: Any) -> None:
    """Stops where a loss is not finite."""
    raise FloatingPointError("The loss is not finite.")


def network(dtype: str) -> Any:
    """Returns the cross network with the same first weights, whatever the dtype."""
    from crossnet.components.networks.models import build_network, initialize

    made = [build_network("tfrs_cross", CrossLayerParams(), num_numbers=3, dtype=kind) for kind in ("float32", dtype)]
    initialize(made[0], seed=1)
    made[1].set_weights(made[0].get_weights())
    return made[1]


def ours(x: Any, y: Any, epochs: int = PARAMS.epochs) -> Any:
    """Trains as the Trainer does, with an evaluation after each epoch; returns the final weights."""
    from crossnet.components.training.fit import fit
    from crossnet.components.training.rows import Rows

    trained = network(str(x.dtype))
    train = Rows((x[:TRAIN_ROWS],), y[:TRAIN_ROWS], TRAIN_ROWS)
    evaluation = Rows((x[TRAIN_ROWS:],), y[TRAIN_ROWS:], len(y) - TRAIN_ROWS)
    fit(trained, train, evaluation, params=replace(PARAMS, epochs=epochs), not_finite=not_finite)
    return trained.get_weights()


def article(x: Any, y: Any, epochs: int = PARAMS.epochs) -> Any:
    """Trains with Keras' `fit`, as the article does; returns the final weights."""
    import tf_keras

    trained = network(str(x.dtype))
    trained.compile(tf_keras.optimizers.Adagrad(PARAMS.learning_rate), "mse")
    trained.fit(x[:TRAIN_ROWS], y[:TRAIN_ROWS], batch_size=PARAMS.batch_size, epochs=epochs, shuffle=False, verbose=0)
    return trained.get_weights()


def difference(a: Any, b: Any) -> float:
    """Returns the largest difference between two lists of weights."""
    return max(float(np.abs(mine - theirs).max()) for mine, theirs in zip(a, b, strict=True))


def rows() -> Iterator[Row]:
    """Yields the costs of training and the differences between the final weights."""
    x, y = article_arrays()
    # TensorFlow's start, once per process, is part of neither; tracing is part of both.
    ours(x, y, 1)
    article(x, y, 1)
    mine, theirs, ratio, scatter = interleave(
        lambda: cost(lambda: ours(x, y)), lambda: cost(lambda: article(x, y)), repeats=3
    )
    yield Row(
        "training", "100 epochs of 90 updates, Adagrad 0.4, 16 parameters, tracing and 100 evaluations included",
        mine, theirs, "CPU s", ratio, "<= 0.125", ratio <= 0.125, "Keras fit, no evaluations", scatter=scatter,
    )  # fmt: skip
    exact = difference(*(train(x.astype(np.float64), y.astype(np.float64)) for train in (ours, article)))
    yield Row(
        "training", "largest difference between the final weights, float64", exact, None, "", None, "<= 1e-6",
        exact <= 1e-6,
    )  # fmt: skip
    # In float32 the order in which a batch is summed matters more than that: fit's own weights differ by as much when
    # the rows of each batch are turned round, which changes no update but by rounding.
    turned = np.arange(len(y)).reshape(-1, PARAMS.batch_size)[:, ::-1].ravel()
    fitted = article(x, y)
    yield Row(
        "training", "largest difference between the final weights, float32", difference(ours(x, y), fitted),
        difference(article(x[turned], y[turned]), fitted), "", None,
        alternative="fit with each batch's rows turned round",
    )  # fmt: skip
