"""Compares kinds of model of equal size on a table of regimes.

The label is another product on each side of zero: `x1 x2` where `x0 > 0`, else `-x3`, and `x4 / 2` added. It has no
noise. Each kind has about 300 weights. Its learning rate, and the depth of DCN-v2, are chosen on validation rows alone,
from the same rates for each.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness import Row
from benchmarks.training import not_finite

if TYPE_CHECKING:
    from crossnet.components.params.networks import Architecture
    from crossnet.components.training.rows import Rows

FEATURES, TRAIN, VALIDATION, EVAL = 6, 4_000, 1_000, 5_000
EPOCHS, BATCH = 200, 200
RATES = (0.003, 0.01, 0.03, 0.1)
SEEDS, TUNING_SEED = range(5), 100


def rows() -> Iterator[Row]:
    """Yields the median eval RMSE of each kind over the seeds, beside that of DCN-v2."""
    train, validation, evaluation = (table(seed, size) for seed, size in enumerate((TRAIN, VALIDATION, EVAL)))
    found: dict[str, float] = {}
    for name, variants in networks().items():
        tried = [
            (rmse(*variant, TUNING_SEED, rate, train, validation)[0], i, rate)
            for i, variant in enumerate(variants)
            for rate in RATES
        ]
        _, best, rate = min(tried)
        runs = [rmse(*variants[best], seed, rate, train, evaluation) for seed in SEEDS]
        errors, weights = sorted(error for error, _ in runs), runs[0][1]
        print(f"  {name}: {np.round(tried, 4).tolist()}, RMSE {np.round(errors, 5)}", file=sys.stderr, flush=True)
        found[name] = float(np.median(errors))
        other = found.get("DCN-v2") if name != "DCN-v2" else None
        goal = "< 1" if name == "DCN-Mix" else ""
        ratio = None if other is None else found[name] / other
        yield Row(
            "regimes",
            f"{name}, {weights} weights, rate {rate}: median eval RMSE of {len(SEEDS)} seeds",
            found[name],
            other,
            "label units",
            ratio,
            goal,
            ratio < 1 if goal and ratio is not None else None,
            "DCN-v2, tuned alike" if other is not None else "",
        )


def networks() -> dict[str, list[tuple[str, Architecture]]]:
    """Returns by name the networks to choose from, DCN-v2 first; none has more than about 300 weights."""
    from crossnet.components.params.networks import CrossLayerParams, CrossMixParams, DenseParams

    beside = CrossLayerParams(num_layers=2, structure="parallel", deep_units=(13, 8))
    return {
        "DCN-v2": [("cross_layer", CrossLayerParams(num_layers=layers)) for layers in (2, 4, 7)],
        "DCN-v2 beside a tower": [("cross_layer", beside)],
        "DCN-Mix": [("cross_mix", CrossMixParams(num_layers=2, projection_dim=2))],
        "GDCN": [("cross_gated", CrossLayerParams(num_layers=4))],
        "Dense": [("dense", DenseParams(units=(13, 13)))],
    }


def table(seed: int, size: int) -> Rows:
    """Returns rows whose label is another product on each side of `x0 = 0`."""
    from crossnet.components.training.rows import Rows

    x = np.random.default_rng([7, seed]).normal(size=(size, FEATURES)).astype(np.float32)
    label = np.where(x[:, 0] > 0, x[:, 1] * x[:, 2], -x[:, 3]) + x[:, 4] / 2
    return Rows((x,), label.astype(np.float32), size)


def rmse(kind: str, architecture: Any, seed: int, rate: float, train: Rows, judged: Rows) -> tuple[float, int]:
    """Trains a network, as the Trainer does, and returns its RMSE on other rows, and its weights."""
    from crossnet.components.networks.models import build_network, initialize
    from crossnet.components.training.fit import fit
    from crossnet.components.training.recipe import Recipe

    network = build_network(kind, architecture, num_numbers=FEATURES)
    initialize(network, seed)
    recipe = Recipe(epochs=EPOCHS, batch_size=BATCH, learning_rate=rate, beta_2=0.999, shuffle=True, seed=seed)
    fit(network, train, None, params=recipe, not_finite=not_finite)
    errors = network(judged.inputs[0], training=False).numpy()[:, 0].astype(np.float64) - judged.label
    return float(np.sqrt(np.mean(errors**2))), network.count_params()
