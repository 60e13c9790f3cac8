"""Trains boosted trees to compare with, which are never served.

LightGBM at its defaults on the columns of the models: a number is a number, a text is a category, a missing value is
missing. Rows weigh what they weigh for the models, and those of weight 0 are left out. Where the Trainer holds out a
part of train, this holds out the rows of the first of several members, the very same ones; it then stops when that part
has not become better for `PATIENCE` rounds.

All rows of train are in memory, 8 bytes for each value.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.reference_model import PREDICTIONS_FILE, ReferenceModel
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.errors import PipelineError
from crossnet.components.features import Feature, read_schema
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.records.dataset import read_dataset
from crossnet.components.training.folds import assign_folds, units_of
from crossnet.components.training.learned_rows import learned_rows
from crossnet.components.training.recipe import make_recipe

READ_ROWS = 1 << 16
PATIENCE = 50
MAX_ROUNDS = 1000  # where it stops early; else LightGBM's default, 100
SMALL = 1_000_000  # values; below, several threads take longer than one
# The same trees on any number of cores.
OPTIONS = {"objective": "regression", "verbosity": -1, "deterministic": True, "force_row_wise": True, "seed": 0}

Numbers = npt.NDArray[np.float64]


def train_reference(
    examples: Examples, schema: Schema, statistics: Statistics, *, output_dir: Path, kind: str, params: TrainerParams
) -> ReferenceModel:
    """Trains the reference and writes what it predicts for the eval rows.

    Args:
      examples: Splits `train` and `eval`.
      schema: The features and the label.
      statistics: Of train.
      output_dir: Where the artifact goes.
      kind: "lightgbm".
      params: How the models are trained: which rows are held out, if any. Without them it trains as long as LightGBM
        does by default.

    Raises:
      PipelineError: The package is not installed, or does not load.
      TrainingError: Train has fewer groups than parts that are to be held out.
    """
    lightgbm = _import()
    features, label = read_schema(schema.proto())
    values: list[dict[bytes, int]] = [{} for feature in features if feature.is_text]
    inputs, labels = _read(examples, "train", features, label, values, grow=True)
    learned = _learned(examples, schema, statistics, params, output_dir)
    if learned.place is not None:
        inputs, labels = inputs[learned.place], labels[learned.place]
    validation = np.zeros(len(labels), bool) if learned.held_out is None else learned.held_out
    start = time.perf_counter()
    texts = [i for i, feature in enumerate(features) if feature.is_text]
    booster = _train(lightgbm, inputs, labels, learned.weight, validation, texts)
    seconds = time.perf_counter() - start
    squares = np.square(booster.predict(inputs) - labels)
    train_rmse = math.sqrt(float(np.average(squares, weights=learned.weight)))
    del inputs
    inputs, _ = _read(examples, "eval", features, label, values, grow=False)
    predictions = booster.predict(inputs) if len(inputs) else np.zeros(0)
    np.save(output_dir / PREDICTIONS_FILE, np.asarray(predictions, "<f4"))
    rounds = booster.best_iteration if validation.any() else booster.current_iteration()
    trees = booster.dump_model(num_iteration=rounds)["tree_info"]
    counts = {"leaves": sum(tree["num_leaves"] for tree in trees), "rounds": rounds, "held_out": int(validation.sum())}
    properties = {"kind": kind, "train_rmse": train_rmse, "train_seconds": seconds}
    return ReferenceModel(output_dir, counts=counts, properties=properties)


class _Learned(NamedTuple):
    """Which rows of train the models learn from.

    Attributes:
      place: int64 (rows,): their places in train; None: all.
      weight: float32 (rows,): what they weigh; None: all the same.
      held_out: bool (rows,): whether the first of several members holds a row out; None: none is held out.
    """

    place: npt.NDArray[np.int64] | None
    weight: npt.NDArray[np.float32] | None
    held_out: npt.NDArray[np.bool_] | None


def _learned(
    examples: Examples, schema: Schema, statistics: Statistics, params: TrainerParams, scratch: Path
) -> _Learned:
    if params.early_stopping_patience is None and not examples.weight:
        return _Learned(None, None, None)
    # Equal rows, as a model sees them, are held out together: so they have to be seen as it sees them.
    from crossnet.components.networks.input_choice import make_preprocessing
    from crossnet.components.networks.preprocessing import Transform
    from crossnet.components.training.rows import read_rows

    learned = learned_rows(examples, statistics)
    features, label = read_schema(schema.proto())
    transform = Transform(make_preprocessing(features, label, learned.statistics, params=params))
    with read_rows(examples, "train", transform, label, scratch=scratch, cache_mib=params.cache_mib) as rows:
        held_out = None
        if params.early_stopping_patience is not None:
            folds = make_recipe(params, learned.count).folds
            held_out = assign_folds(units_of(examples, rows, folds), folds)[:] == 0
        place, weight = (None if part is None else part[:] for part in (rows.place, rows.weight))
        return _Learned(place, weight, held_out)


def _import() -> Any:
    try:
        import lightgbm
    except ImportError:
        raise PipelineError(
            "`reference` 'lightgbm' needs the package lightgbm, which is not installed. Install the extra `lightgbm`: "
            'pip install "crossnet-pipeline[lightgbm]".'
        ) from None
    except OSError as error:  # its wheel asks the system for OpenMP
        raise PipelineError(
            f"`reference` 'lightgbm': the package lightgbm does not load ({error}). Install OpenMP's library: "
            "apt install libgomp1."
        ) from None
    return lightgbm


def _train(
    lightgbm: Any,
    inputs: Numbers,
    labels: Numbers,
    weight: npt.NDArray[np.float32] | None,
    validation: npt.NDArray[np.bool_],
    texts: Sequence[int],
) -> Any:
    def rows(chosen: npt.NDArray[np.bool_], of: Any = None) -> Any:
        own = None if weight is None else weight[chosen]
        return lightgbm.Dataset(
            inputs[chosen], labels[chosen], weight=own, categorical_feature=list(texts), reference=of
        )

    options = OPTIONS | ({"num_threads": 1} if inputs.size < SMALL else {})
    train = rows(~validation)
    if not validation.any():
        return lightgbm.train(options, train)
    stop = lightgbm.early_stopping(PATIENCE, verbose=False)
    return lightgbm.train(options, train, MAX_ROUNDS, valid_sets=[rows(validation, train)], callbacks=[stop])


def _read(
    examples: Examples,
    split: str,
    features: Sequence[Feature],
    label: Feature,
    values: Sequence[dict[bytes, int]],
    *,
    grow: bool,
) -> tuple[Numbers, Numbers]:
    """Returns the features, float64 (rows, features), and the labels, float64 (rows,).

    A text is the number of its value in `values`; NaN where it is missing, or not there and `grow` is not set.
    """
    rows = examples.counts.get(split, 0)
    inputs, labels, first = np.empty((rows, len(features))), np.empty(rows), 0
    if not rows:
        return inputs, labels
    for columns, found in read_dataset(examples, split, features, label, batch_size=READ_ROWS):
        assert found is not None
        last, known = first + len(found), iter(values)
        labels[first:last] = found
        for i, feature in enumerate(features):
            column = columns[feature.name]
            inputs[first:last, i] = _codes(column, next(known), grow) if feature.is_text else column
        first = last
    return inputs, labels


def _codes(texts: npt.NDArray[Any], known: dict[bytes, int], grow: bool) -> Numbers:
    if grow:
        for text in sorted(set(texts) - known.keys() - {b""}):
            known[text] = len(known)
    return np.array([known.get(text, math.nan) for text in texts], float)
