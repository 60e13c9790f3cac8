"""Finds segments of rows in which a model is worse than elsewhere.

A segment is a value, or a quarter, of one or two features. Whoever looks at many segments finds some that look bad by
chance: so each has an interval that holds for all that were looked at together (Bonferroni), and only those are told
whose interval lies above 1. They are advice: no rule reads them. Of a large split, a sample of the rows is looked at.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from crossnet.components.evaluation.intervals import lower_bound
from crossnet.components.evaluation.metrics import ErrorSums
from crossnet.components.evaluation.row_sample import RowSample
from crossnet.components.evaluation.slices import MISSING, binned, value_name
from crossnet.components.evaluation.units import MIN_UNITS
from crossnet.components.features import Feature
from crossnet.components.formats import number, percent
from crossnet.components.params.evaluator import EvaluatorParams
from crossnet.serving.protocol.dtypes import Array

MAX_FEATURES, MAX_PAIRED = 200, 12  # looked at alone, and in pairs
MAX_VALUES, BINS = 8, 4
MAX_FOUND, _MAX_TRIED = 5, 24
# A pair is told beside one of its features alone only where it is worse by this much.
_MORE = 1.1


class Coded(NamedTuple):
    """A feature as segments see it.

    Attributes:
      codes: Of each row, int64 (rows,); the last of `names` is what is not a segment.
      names: Of the codes, such as "zone=east"; "" for the last.
    """

    codes: Array
    names: tuple[str, ...]


class Segment(NamedTuple):
    """Rows of one value, or of two features' values together.

    Attributes:
      names: Of its features' values, such as ("zone=east", "x0=below 0.25").
      parts: The places of its features, and its code.
      score: A rough lower bound of how much the mean squared error is above what it is compared with.
    """

    names: tuple[str, ...]
    parts: tuple[tuple[int, ...], int]
    score: float


def find_segments(
    sample: RowSample, features: Sequence[Feature], model: int, other: int | None, overall: float,
    params: EvaluatorParams, words: tuple[str, str],
) -> list[dict[str, Any]]:  # fmt: skip
    """Returns the segments in which a model is most above its RMSE over all rows or, if given, above another model.

    Args:
      sample: The rows.
      features: Theirs.
      model: The model's place in the sample.
      other: Likewise that of the one that it is compared with; None: it is compared with its own RMSE over all rows.
      overall: That RMSE.
      params: Confidence and the fewest rows of a segment.
      words: The model's name, and in words what it is compared with.

    Returns:
      As JSON values, the worst first: `segment`, `rows` (of the sample), `rmse`, `reference`, `interval` (of the
      ratio, at `confidence` over all that were looked at) and `message`.
    """
    if not sample.rows or not math.isfinite(overall) or overall <= 0:
        return []
    weights = np.ones(sample.rows) if sample.weights is None else sample.weights
    errors = [np.square(sample.predictions(place) - sample.labels) for place in (model, other) if place is not None]
    if not all(np.isfinite(values).all() for values in errors):
        return []
    ours = weights * errors[0]
    theirs = weights * (overall**2 if other is None else errors[1])
    coded = [_coded(feature, sample.column(feature.name)) for feature in features[:MAX_FEATURES]]
    smallest = max(params.min_slice_rows, MIN_UNITS)
    segments = _segments(coded, ours, theirs, smallest)
    error = (1 - params.confidence) / max(len(segments), 1)
    found: list[dict[str, Any]] = []
    told: list[tuple[set[str], float]] = []
    for segment in sorted(_scored(segments, ours, theirs, coded, error), key=lambda item: -item.score)[:_MAX_TRIED]:
        places = np.flatnonzero(_code(coded, segment.parts[0]) == segment.parts[1])
        facts = _measure(sample, places, (model, other), overall, error)
        if facts is None or facts["interval"][0] <= 1:
            continue
        names, ratio = set(segment.names), facts["rmse"] / facts["reference"]
        # One that holds a segment that was told, or is held by it, and says about as much, is not told too.
        if any((names <= known or names >= known) and ratio <= _MORE * worse for known, worse in told):
            continue
        told.append((names, ratio))
        extent = f"{len(places):,} rows" if sample.stride == 1 else f"{len(places):,} of {sample.rows:,} rows seen"
        facts["message"] = (
            f"On `{', '.join(segment.names)}` ({extent}) `{words[0]}` has rmse {number(facts['rmse'])}, "
            f"{number(ratio)} times the {number(facts['reference'])} {words[1]} "
            f"({percent(params.confidence)} interval over {len(segments):,} segments {number(facts['interval'][0])} to "
            f"{number(facts['interval'][1])})."
        )
        found.append({"segment": ", ".join(segment.names), "rows": len(places), **facts})
        if len(found) == MAX_FOUND:
            break
    return found


def _coded(feature: Feature, values: Array) -> Coded:
    """Returns a feature's codes: its values where they are few or text, else the quarters of its numbers."""
    if values.dtype == object:
        seen: dict[Any, int] = {}
        codes = np.fromiter((seen.setdefault(value, len(seen)) for value in values), np.int64, len(values))
        distinct = [*seen]
    else:
        found, codes = np.unique(values, return_inverse=True)
        distinct = [*found]
        if len(distinct) > MAX_VALUES:
            numbers = values.astype(np.float64)
            edges = np.unique(np.nanquantile(numbers, np.arange(1, BINS) / BINS)) if len(numbers) else np.zeros(0)
            codes, names = binned(numbers, edges, feature.time_unit)
            return Coded(codes, (*(f"{feature.name}={name}" for name in names), ""))
    frequent = np.argsort(-np.bincount(codes, minlength=len(distinct)), kind="stable")[:MAX_VALUES]
    places = np.full(len(distinct), len(frequent))
    places[frequent] = np.arange(len(frequent))
    return Coded(places[codes], (*(f"{feature.name}={value_name(distinct[i]) or MISSING}" for i in frequent), ""))


def _code(coded: Sequence[Coded], features: tuple[int, ...]) -> Array:
    """Returns the codes of one feature, or of two together."""
    if len(features) == 1:
        return coded[features[0]].codes
    first, second = (coded[i] for i in features)
    return first.codes * len(second.names) + second.codes


def _names(coded: Sequence[Coded], features: tuple[int, ...]) -> list[tuple[str, ...]]:
    return [*itertools.product(*(coded[i].names for i in features))]


def _segments(coded: Sequence[Coded], ours: Array, theirs: Array, smallest: int) -> list[Segment]:
    """Returns the segments that have rows enough; pairs of the features that tell most."""
    spread, found = [], list[Segment]()
    for i, feature in enumerate(coded):
        sums = [np.bincount(feature.codes, weights=values, minlength=len(feature.names)) for values in (ours, theirs)]
        with np.errstate(all="ignore"):
            ratios = np.where(sums[1] > 0, sums[0] / sums[1], 1.0)
            spread.append(float(sums[1] @ np.square(ratios - ours.sum() / max(theirs.sum(), 1e-300))))
        found += _large(coded, (i,), smallest)
    told = sorted(np.argsort(-np.array(spread), kind="stable")[:MAX_PAIRED].tolist()) if spread else []
    for pair in itertools.combinations(told, 2):
        found += _large(coded, pair, smallest)
    return found


def _large(coded: Sequence[Coded], features: tuple[int, ...], smallest: int) -> Iterator[Segment]:
    names = _names(coded, features)
    rows = np.bincount(_code(coded, features), minlength=len(names))
    total = rows.sum()
    for code, parts in enumerate(names):
        if all(parts) and smallest <= rows[code] < total:
            yield Segment(parts, (features, code), 0.0)


def _scored(
    segments: Sequence[Segment], ours: Array, theirs: Array, coded: Sequence[Coded], error: float
) -> Iterator[Segment]:
    """Yields the segments with a rough lower bound of the ratio, as if rows were independent and sums normal."""
    z = NormalDist().inv_cdf(1 - error / 2) if segments else 0.0
    vectors = (ours, theirs, ours**2, ours * theirs, theirs**2)
    for features, group in itertools.groupby(segments, key=lambda segment: segment.parts[0]):
        codes = _code(coded, features)
        sums = [np.bincount(codes, weights=values) for values in vectors]
        for segment in group:
            a, b, aa, ab, bb = (values[segment.parts[1]] for values in sums)
            if b > 0:
                ratio = a / b
                width = z * math.sqrt(max(aa - 2 * ratio * ab + ratio * ratio * bb, 0.0)) / b
                yield segment._replace(score=float(ratio - width))


def _measure(
    sample: RowSample, places: Array, models: tuple[int, int | None], overall: float, error: float
) -> dict[str, Any] | None:
    """Returns RMSE, reference and the interval of their ratio on some rows, over groups where rows belong to them."""
    chosen = [model for model in models if model is not None]
    sums = ErrorSums(len(chosen))
    own = (values if values is None else values[places] for values in (sample.weights, sample.groups))
    sums.add(sample.labels[places], np.stack([sample.predictions(model)[places] for model in chosen]), *own)
    found = sums.moments()
    if found.units < MIN_UNITS:
        return None
    beside, scale = (1, 1.0) if len(chosen) == 2 else (-1, overall)
    means, products = found.means, found.products
    ours = float(means[0]), float(products[0, 0])
    theirs = float(means[beside]), float(products[beside, beside])
    both = float(products[0, beside])
    if not all(map(math.isfinite, (*ours, *theirs, both))) or theirs[0] <= 0:
        return None
    low = lower_bound(ours[0], ours[1], theirs[0], theirs[1], both, found.units, error / 2) / scale
    inverse = lower_bound(theirs[0], theirs[1], ours[0], ours[1], both, found.units, error / 2) * scale
    reference = overall if len(chosen) == 1 else sums.rmse(1)
    high = 1 / inverse if inverse > 0 else None
    return {"rmse": sums.rmse(0), "reference": reference, "interval": (low, high)}
