"""Finds the rows with the largest errors of each slice.

The Evaluator keeps errors by slice, not which rows a slice has: they are found again from the eval rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.schema import Schema
from crossnet.components.errors import PipelineError
from crossnet.components.evaluation.metrics import thinned
from crossnet.components.evaluation.slices import Slicer, parse_slices
from crossnet.components.features import Feature, read_schema
from crossnet.components.formats import number
from crossnet.components.records.dataset import read_dataset
from crossnet.components.sources.source_cells import source_rows_of
from crossnet.pipeline.report.arrays import MAX_EVAL_ROWS, READ_ROWS, Scored
from crossnet.pipeline.report.run import Run
from crossnet.serving.protocol.dtypes import Array

WORST = 3  # rows of a slice


def slice_rows(run: Run, scored: Scored | None, model: str, slices: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Returns, by slice, `typical`, a sentence on its errors, and `rows`: place, label, prediction and error.

    Args:
      run: The run.
      scored: Labels and predictions; of a larger split only its first rows are there, and slices are not opened.
      model: Whose errors they are.
      slices: The names of the slices that are shown.
    """
    examples = run.get(Examples, "example_gen")
    keys = run.settings.get("evaluator", {}).get("slices", ())
    if not (slices and keys and examples and scored and model in scored.predictions and scored.total <= MAX_EVAL_ROWS):
        return {}
    errors = scored.predictions[model].astype(np.float64) - scored.labels
    try:
        places = _places(run, examples, keys)
    except PipelineError:  # the rows are gone or damaged: the page says so elsewhere
        return {}
    worst = {name: _worst(errors, places[name]) for name in slices if name in places}
    records = sorted(set(itertools.chain.from_iterable(worst.values())))
    found = source_rows_of(examples, "eval", records)
    return {
        name: {
            "typical": _typical(np.abs(errors[places[name]])),
            "rows": [
                {
                    "place": found[i].place if i in found else f"row {i:,} of eval",
                    "label": float(scored.labels[i]),
                    "prediction": float(scored.predictions[model][i]),
                    "error": float(errors[i]),
                }
                for i in rows
            ],
        }
        for name, rows in worst.items()
    }


def _places(run: Run, examples: Examples, keys: Sequence[Sequence[str]]) -> Mapping[str, Array]:
    """Returns the places of the rows of each slice in eval, as the Evaluator has grouped them."""
    columns = {name: Feature(name, kind, required=False) for name, kind in examples.column_types.items()}
    schema = run.get(Schema, "schema_gen")
    if schema is not None:
        features, label = read_schema(schema.proto())
        columns |= {feature.name: feature for feature in (*features, label)}
    cuts = {cut for key in parse_slices(keys, columns) for cut in key}
    wanted = [columns[name] for name in sorted({cut.column for cut in cuts})]

    def batches() -> Iterator[Mapping[str, Array]]:
        for values, _ in read_dataset(examples, "eval", wanted, None, batch_size=READ_ROWS):
            if examples.label in values:  # the Evaluator takes it as models are trained on it
                values = values | {examples.label: values[examples.label].astype(np.float32)}
            yield values

    samples = {
        name: thinned(values[name] for values in batches()) for name in sorted({c.column for c in cuts if c.bins})
    }
    slicer, start = Slicer(parse_slices(keys, columns), samples, examples.time_units), 0
    places: dict[str, list[Array]] = {}
    for values in batches():
        for name, rows in slicer.groups(values):
            places.setdefault(name, []).append(start + rows)
        start += len(next(iter(values.values())))
    return {name: np.concatenate(parts) for name, parts in places.items()}


def _worst(errors: Array, places: Array) -> list[int]:
    sizes = np.nan_to_num(np.abs(errors[places]), nan=np.inf)
    return [int(i) for i in places[np.argsort(-sizes, kind="stable")[:WORST]]]


def _typical(sizes: Array) -> str:
    if not np.isfinite(sizes).all():
        return "Some of its predictions are not finite."
    half, most = (number(float(value), 4) for value in np.quantile(sizes, [0.5, 0.95]))
    return f"Half of its predictions are off by at most {half}, 95 % by at most {most}."
