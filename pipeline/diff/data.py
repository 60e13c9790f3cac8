"""Compares the rows of two runs: how many, which, how far apart."""

from __future__ import annotations

from typing import Any

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.statistics import Statistics
from crossnet.pipeline.report.run import Run

MAX_DRIFTS = 20


def compare_data(one: Run, other: Run, notes: list[str]) -> dict[str, Any]:
    """Returns `same`, and what differs: `rows` by split, `columns` (column, before, after: types or null), `drift`.

    Drift is of the train splits: `column`, `measure`, `value` (0 to 1), `noise` (chance explains as much) and `detail`,
    the largest first, of the columns where it is more than noise.

    Args:
      one, other: The runs.
      notes: What cannot be compared is added, one sentence each.
    """
    before, after = (run.get(Examples, "example_gen") for run in (one, other))
    for run, examples in ((one, before), (other, after)):
        if examples is None:
            notes.append(f"The rows of run {run.name} cannot be compared: {run.why_missing('example_gen')}")
    if before is None or after is None:
        return {"same": None, "rows": [], "columns": [], "drift": []}
    if before.fingerprint == after.fingerprint:
        return {"same": True, "rows": [], "columns": [], "drift": []}
    rows = [
        {"split": split, "before": before.counts.get(split), "after": after.counts.get(split)}
        for split in dict.fromkeys([*before.all_splits, *after.all_splits])
    ]
    old, new = ({column.source_name: column.type for column in rows.columns} for rows in (before, after))
    columns = [
        {"column": name, "before": old.get(name), "after": new.get(name)}
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    ]
    return {"same": False, "rows": rows, "columns": columns, "drift": _drift(one, other, before, after, notes)}


def _drift(one: Run, other: Run, before: Examples, after: Examples, notes: list[str]) -> list[dict[str, Any]]:
    from crossnet.components.statistics.stored import stored_columns
    from crossnet.components.validation.distances import distance

    statistics = [run.get(Statistics, "statistics_gen") for run in (one, other)]
    for run, found in zip((one, other), statistics, strict=True):
        if found is None:
            notes.append(f"Drift from or to run {run.name} is not known: {run.why_missing('statistics_gen')}")
    if statistics[0] is None or statistics[1] is None:
        return []
    old, new = (stored_columns(found, "train") for found in statistics if found is not None)
    sources = {column.name: column.source_name for column in after.columns}
    drifts = []
    for name in old.keys() & new.keys():
        gap = distance(old[name], new[name])
        if gap is None:
            notes.append(f"Column `{sources.get(name, name)}` cannot be compared: it has another type, or no value.")
        elif gap.value > gap.noise:
            drifts.append({"column": sources.get(name, name), **gap._asdict()})
    drifts.sort(key=lambda drift: (-drift["value"], drift["column"]))
    return drifts[:MAX_DRIFTS]
