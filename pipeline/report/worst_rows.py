"""Prepares the rows with the largest errors, and where to find them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from crossnet.components.artifacts.examples import Examples
from crossnet.components.sources.source_cells import source_rows_of
from crossnet.pipeline.report.column_texts import ColumnTexts
from crossnet.pipeline.report.run import Run

MAX_FEATURES = 30
MAX_IDS = 3  # excluded columns, which tell a row


def worst_rows(run: Run, rows: Sequence[Mapping[str, Any]], texts: ColumnTexts) -> dict[str, Any] | None:
    """Returns the rows with place, excluded ids and values as the source has them; None without rows.

    Args:
      run: The run.
      rows: Of details.json: record, label, prediction, features.
      texts: Names and values of columns.
    """
    if not rows:
        return None
    examples = run.get(Examples, "example_gen")
    excluded = run.settings.get("example_gen", {}).get("exclude", ())[:MAX_IDS]
    records = [row["record"] for row in rows]
    found = source_rows_of(examples, "eval", records, excluded) if examples else {}
    ids = list(dict.fromkeys(name for row in found.values() for name in row.cells))
    given = set(rows[0]["features"])
    columns = [column.name for column in examples.columns if column.name in given] if examples else []
    columns += sorted(given - set(columns))
    shown = [
        {
            **row,
            "error": _error(row["prediction"], row["label"]),
            "place": found[row["record"]].place if row["record"] in found else f"row {row['record']:,} of eval",
            "ids": [found[row["record"]].cells.get(name, "") for name in ids]
            if row["record"] in found
            else [""] * len(ids),
            "values": [texts.value(name, row["features"].get(name), 6) for name in columns[:MAX_FEATURES]],
        }
        for row in rows
    ]
    return {
        "rows": shown,
        "ids": ids,
        "columns": [texts.name(name) for name in columns[:MAX_FEATURES]],
        "numeric": [not isinstance(rows[0]["features"].get(name), str) for name in columns[:MAX_FEATURES]],
        "more": max(0, len(columns) - MAX_FEATURES),
    }


def _error(prediction: float | None, label: float | None) -> float | None:
    """Returns the exact difference of two float32 numbers, of which JSON holds the shortest decimal form."""
    if prediction is None or label is None:
        return None
    return float(np.float32(prediction)) - float(np.float32(label))
