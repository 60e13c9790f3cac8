"""Calls `predict_rows` in one line, for tests of files of rows."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from crossnet.serving.predict import ModelAddress, PredictSummary, RowFiles, predict_rows


def predict_file(
    rows: Path | str, output: Path | None = None, format: str | None = None, **options: Any
) -> PredictSummary:
    """Calls `predict_rows` with the options of `ModelAddress` and its own."""
    fields = {field.name for field in dataclasses.fields(ModelAddress)}
    address = ModelAddress(**{name: value for name, value in options.items() if name in fields})
    others = {name: value for name, value in options.items() if name not in fields}
    return predict_rows(RowFiles(rows, output, format), address, **others)
