"""Compares predictions with labels in bins of equal size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from crossnet.components.evaluation.metrics import thinned
from crossnet.serving.protocol.dtypes import Array

_CHUNK = 1 << 16


def calibration(predictions: Path, labels: Path, bins: int = 10) -> list[dict[str, float | int]]:
    """Compares mean prediction and mean label in bins of equal size by prediction.

    Args:
      predictions: float32 (rows,) as .npy.
      labels: float32 (rows,) as .npy.
      bins: Deciles by default. Equal predictions share a bin, so there may be fewer.

    Returns:
      One dict per bin with rows: `rows`, `low` and `high` (of the prediction), `mean_prediction`, `mean_label`.
      Rows with a prediction that is not finite are left out.
    """
    sample = thinned(_read_npy(predictions))
    sample = sample[np.isfinite(sample)].astype(np.float64)
    if not len(sample):
        return []
    edges = np.unique(np.quantile(sample, np.arange(1, bins) / bins))
    rows, sums = np.zeros(len(edges) + 1, np.int64), np.zeros((2, len(edges) + 1))
    low, high = np.full(len(edges) + 1, np.inf), np.full(len(edges) + 1, -np.inf)
    for predicted, actual in zip(_read_npy(predictions), _read_npy(labels), strict=True):
        finite = np.isfinite(predicted)
        values, truth = predicted[finite].astype(np.float64), actual[finite].astype(np.float64)
        places = np.searchsorted(edges, values, side="left")
        rows += np.bincount(places, minlength=len(rows))
        sums += [np.bincount(places, weights=weights, minlength=len(rows)) for weights in (values, truth)]
        np.minimum.at(low, places, values)
        np.maximum.at(high, places, values)
    return [
        {
            "rows": int(rows[i]),
            "low": float(low[i]),
            "high": float(high[i]),
            "mean_prediction": float(sums[0, i] / rows[i]),
            "mean_label": float(sums[1, i] / rows[i]),
        }
        for i in np.flatnonzero(rows)
    ]


def _read_npy(path: Path) -> Iterator[Array]:
    """Yields the values of a .npy file of one dimension, piece by piece."""
    with path.open("rb") as stream:
        np.lib.format.read_magic(stream)
        (rows,), _, dtype = np.lib.format.read_array_header_1_0(stream)
        for start in range(0, rows, _CHUNK):
            yield np.fromfile(stream, dtype, min(_CHUNK, rows - start))
