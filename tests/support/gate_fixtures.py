"""Makes rows, exported models and scores for the tests of the gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.schema import Schema
from crossnet.components.evaluation.metrics import ErrorSums
from crossnet.components.evaluation.rule_results import Scores
from crossnet.components.evaluation.units import UnitSums
from crossnet.components.features import Feature, read_schema
from crossnet.components.files import folder_checksum

# No rule is asked.
OFF: dict[str, Any] = dict.fromkeys(
    ("max_rmse", "max_rmse_ratio", "min_improvement", "max_mean_ratio", "max_linear_ratio", "non_inferiority_margin")
)


def article(rows: int, seed: int = 0) -> dict[str, list[Any]]:
    """Returns rows of y = x0² + x0·x1 + x1·x2 + x2², and a column `zone` of three values that y does not depend on."""
    x = np.random.default_rng(seed).integers(0, 200, (3, rows)) / 200
    y = x[0] ** 2 + x[0] * x[1] + x[1] * x[2] + x[2] ** 2
    table: dict[str, list[Any]] = {f"x{i}": values.tolist() for i, values in enumerate(x)}
    return table | {"zone": [("east", "north", "west")[row % 3] for row in range(rows)], "y": y.tolist()}


def truth(columns: Mapping[str, Any]) -> Any:
    """Computes `article`'s label from columns, arrays or tensors."""
    x0, x1, x2 = columns["x0"], columns["x1"], columns["x2"]
    return x0 * x0 + x0 * x1 + x1 * x2 + x2 * x2


def export(
    folder: Path,
    features: tuple[Feature, ...],
    function: Callable[[Any], Any],
    *variables: Any,
    output: str = "prediction",
) -> Path:
    """Exports `function` (a dict of tensors to a tensor (rows,)) with the signature `serving_default`."""
    import tensorflow as tf

    specs = {feature.name: tf.TensorSpec([None], feature.dtype, name=feature.name) for feature in features}

    @tf.function
    def serve(columns: Any) -> Any:
        return {output: function(columns)}

    module = tf.Module()
    module.variables_of_it = list(variables)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve.get_concrete_function(specs)})
    return folder


def make_model(folder: Path, schema: Schema, function: Callable[[Any], Any], *, kind: str = "cross_layer") -> Model:
    """Exports `function` as the Model artifact that the Trainer would return."""
    features, _ = read_schema(schema.proto())
    path = export(folder / "Format-Serving", features, function)
    properties = {"kind": kind, "checksum": folder_checksum(path), "train_seconds": 0.0}
    return Model(folder, counts={"parameters": 16}, properties=properties)


def make_scores(
    labels: Any,
    predictions: Mapping[str, Any],
    slices: Mapping[str, Any] | None = None,
    replicates: int = 400,
    *,
    weights: Any = None,
    groups: Any = None,
) -> Scores:
    """Returns the scores of predictions by name; `slices` are masks of rows by name."""
    labels = np.asarray(labels, float)
    matrix = np.array([np.broadcast_to(values, labels.shape) for values in predictions.values()], float)
    whole, units, parts = ErrorSums(len(matrix)), UnitSums(len(matrix), grouped=groups is not None), {}
    units.add(whole.add(labels, matrix, weights), weights, groups)
    for name, mask in (slices or {}).items():
        own = (values if values is None else values[mask] for values in (weights, groups))
        parts[name] = ErrorSums(len(matrix))
        parts[name].add(labels[mask], matrix[:, mask], *own)
    resampled = units.resampled(replicates, 1)
    grouped = {} if groups is None else {"unit": "group of `user`", "units": units.count}
    return Scores(tuple(predictions), whole, parts, resampled, **grouped)
