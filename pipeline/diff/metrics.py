"""Compares the errors of two runs, on the same rows where possible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossnet.components.artifacts.evaluation import Evaluation, labels_file, predictions_file
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.schema import Schema
from crossnet.components.evaluation.grouping import grouping_of
from crossnet.components.evaluation.intervals import percentile_interval
from crossnet.components.evaluation.metrics import thinned
from crossnet.components.evaluation.slices import Slicer, parse_slices
from crossnet.components.evaluation.units import UnitSums
from crossnet.components.features import Feature, read_schema
from crossnet.components.params.evaluator import EvaluatorParams
from crossnet.components.records.dataset import read_dataset
from crossnet.components.sources.provenance import source_rows
from crossnet.pipeline.report.run import Run
from crossnet.pipeline.store import Store
from crossnet.serving.protocol.dtypes import Array

MAX_SLICES = 100
_READ_ROWS = 1 << 16


@dataclass(frozen=True)
class _Rows:
    """The eval rows of a run, and what its models predict for them."""

    run: Run
    examples: Examples
    evaluation: Evaluation

    @property
    def labels(self) -> Array:
        return np.asarray(np.load(labels_file(self.evaluation.path)), np.float64)

    def predictions(self, model: str) -> Array:
        return np.asarray(np.load(predictions_file(self.evaluation.path, model)), np.float64)

    @property
    def models(self) -> set[str]:
        return {name for name in self.run.record.models if predictions_file(self.evaluation.path, name).is_file()}


def compare_metrics(one: Run, other: Run, store: Store, notes: list[str]) -> list[dict[str, Any]]:
    """Returns RMSE by model and slice in both runs, label units: `model`, `slice` (null: all eval rows), `before`,
    `after`, `change` (after / before - 1) and `interval` of the change, which is paired.

    The interval is a bootstrap's over the eval rows, or over their groups, with the confidence of the second run's
    Evaluator. It is null, and a note says why, where the two runs did not predict the same rows. The last lines compare
    champion with champion, named "champion", where these are two kinds.

    Args:
      one, other: The runs.
      store: Their root.
      notes: What cannot be compared is added, one sentence each.
    """
    sides = [_rows(run, notes) for run in (one, other)]
    if not (one.record.models and other.record.models):
        return []
    before, after = sides
    if before and after and before.examples.label != after.examples.label:
        notes.append(
            f"The metrics cannot be compared: run {one.name} predicts `{before.examples.label}`, run {other.name} "
            f"predicts `{after.examples.label}`."
        )
        return []
    pairs: list[tuple[str, str, str]] = [(name, name, name) for name in {**one.record.models, **other.record.models}]
    best, now = one.record.champion, other.record.champion
    if best and now and best != now:
        pairs.append(("champion", best, now))
    for name, old, new in pairs:
        for run, model in ((one, old), (other, new)):
            if model not in run.record.models:
                notes.append(f"`{name}` is not in run {run.name}.")
    problem = _not_the_same(before, after, store) if before and after else ""
    if problem:
        notes.append(f"The changes of RMSE have no interval: {problem}")
    paired = _Paired(before, after) if before and after and not problem else None
    return [line for pair in pairs for line in _lines(one, other, *pair, paired)]


def _rows(run: Run, notes: list[str]) -> _Rows | None:
    examples, evaluation = run.get(Examples, "example_gen"), run.evaluation
    if examples is None or evaluation is None:
        step = "evaluator" if evaluation is None else "example_gen"
        notes.append(f"No prediction of run {run.name} can be compared: {run.why_missing(step)}")
        return None
    return _Rows(run, examples, evaluation)


def _not_the_same(one: _Rows, other: _Rows, store: Store) -> str:
    """Returns why two runs did not predict the same rows; empty where they did."""
    if one.examples.fingerprint == other.examples.fingerprint:
        return ""
    counts = [side.examples.counts["eval"] for side in (one, other)]
    if counts[0] != counts[1]:
        return f"run {one.run.name} has {counts[0]:,} eval rows, run {other.run.name} has {counts[1]:,}."
    data = [(store.facts(side.examples.path) or {}).get("data") for side in (one, other)]
    if data[0] != data[1]:
        return "the two runs read files with other content."
    rows = [source_rows(side.examples, "eval") for side in (one, other)]
    if not np.array_equal(rows[0], rows[1]) or not np.array_equal(one.labels, other.labels):
        return "the two runs have other eval rows."
    return ""


class _Paired:
    """Draws the same eval rows, or groups of them, for two models."""

    def __init__(self, one: _Rows, other: _Rows) -> None:
        self.one, self.other = one, other
        self.params = other.run.config.evaluator if other.run.config else EvaluatorParams()
        self._labels = one.labels
        weights, groups = self._weights_and_groups()
        self._weights, self._groups = weights, groups
        self.slices = dict(self._slices())

    def interval(self, before: str, after: str, places: Array | None) -> tuple[float, float] | None:
        """Returns the interval of after's RMSE / before's - 1 on these rows, int64; None: on all."""
        if before not in self.one.models or after not in self.other.models:
            return None
        errors = [side.predictions(model) - self._labels for side, model in ((self.one, before), (self.other, after))]
        chosen = slice(None) if places is None else places
        weights, groups = (None if v is None else v[chosen] for v in (self._weights, self._groups))
        squares = np.square(np.stack(errors)[:, chosen])
        sums = UnitSums(2, grouped=groups is not None)
        sums.add(squares if weights is None else squares * weights, weights, groups)
        found = sums.resampled(self.params.num_bootstrap, self.params.seed)
        if found is None:
            return None
        with np.errstate(all="ignore"):
            ratios = found.rmse[:, 1] / found.rmse[:, 0] - 1
        tail = (1 - self.params.confidence) / 2
        return percentile_interval(ratios, tail, 1 - tail)

    def _weights_and_groups(self) -> tuple[Array | None, Array | None]:
        examples = self.other.examples
        grouping = grouping_of(examples, "eval")
        columns = self._read(grouping.columns(examples.column_types))
        return grouping.of(columns, 0, len(self._labels))

    def _read(self, features: list[Feature]) -> dict[str, Array]:
        if not features:
            return {}
        batches = [
            batch for batch, _ in read_dataset(self.other.examples, "eval", features, None, batch_size=_READ_ROWS)
        ]
        return {feature.name: np.concatenate([batch[feature.name] for batch in batches]) for feature in features}

    def _slices(self) -> Iterator[tuple[str, Array]]:
        """Yields the slices of the second run's Evaluator, and the places of their rows."""
        schema = self.other.run.get(Schema, "schema_gen")
        if schema is None or not self.params.slices:
            return
        features, label = read_schema(schema.proto())
        types = self.other.examples.column_types
        recorded: dict[str, Feature] = {name: Feature(name, kind, required=False) for name, kind in types.items()}
        recorded |= {feature.name: feature for feature in (*features, label)}
        keys = parse_slices(self.params.slices, recorded)
        names = sorted({cut.column for key in keys for cut in key} - {label.name})
        columns = self._read([recorded[name] for name in names]) | {label.name: self._labels.astype(np.float32)}
        samples = {cut.column: thinned(iter([columns[cut.column]])) for key in keys for cut in key if cut.bins}
        yield from Slicer(keys, samples, self.other.examples.time_units).groups(columns)


def _lines(
    one: Run, other: Run, name: str, before: str, after: str, paired: _Paired | None
) -> Iterator[dict[str, Any]]:
    """Yields the line of all rows, and those of the slices that both runs have."""
    old, new = (run.record.models.get(model, {}) for run, model in ((one, before), (other, after)))
    whole = _line(name, None, old.get("eval_rmse"), new.get("eval_rmse"))
    yield whole | {"interval": paired.interval(before, after, None) if paired else None}
    slices = [_slices_of(run, model) for run, model in ((one, before), (other, after))]
    for group in [group for group in slices[1] if group in slices[0]][:MAX_SLICES]:
        line = _line(name, group, slices[0][group].get("rmse"), slices[1][group].get("rmse"))
        places = paired.slices.get(group) if paired else None
        rows = [found[group].get("rows") for found in slices]
        line["rows"] = rows[1] if rows[0] == rows[1] else None
        yield line | {"interval": paired.interval(before, after, places) if paired and places is not None else None}


def _line(name: str, group: str | None, before: float | None, after: float | None) -> dict[str, Any]:
    change = after / before - 1 if before and after is not None else None
    return {"model": name, "slice": group, "before": before, "after": after, "change": change}


def _slices_of(run: Run, model: str) -> dict[str, Mapping[str, Any]]:
    if run.evaluation is None:
        return {}
    return {facts["slice"]: facts for facts in run.evaluation.details.get(model, {}).get("slices", ())}
