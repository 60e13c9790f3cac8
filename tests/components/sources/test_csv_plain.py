from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from crossnet.components.sources.csv_plain import plain_cells
from crossnet.serving.protocol.cell_values import is_hole, plain_number
from crossnet.serving.protocol.csv_format import CsvFormat

FORMATS: list[dict[str, Any]] = [
    {},
    {"null_values": ("NA", "-")},
    {"nan": "missing"},
    {"decimal": ","},
    {"thousands": ","},
    {"decimal": ",", "thousands": ".", "null_values": ("", "NA")},
    {"thousands": " "},
]
CELLS = ["1", " 2.5", "1,5", "1.234,5", "1,234", "1,23", "12,34,567", "1 234", "NA", " NA ", "-", "-5", "NaN", "inf"]
CELLS += ["-Infinity", "1e5", "1,5e-3", "word", "1.2.3", "", ",5", ".5", "+7", "1,,234", "0,001,234"]


@pytest.mark.parametrize("settings", FORMATS)
@pytest.mark.parametrize("times", [1, 50])  # many equal cells take another way
def test_columns_become_plain_as_the_rule_for_single_cells_says(settings: dict[str, Any], times: int) -> None:
    csv_format = CsvFormat(**settings)
    cells = CELLS * times
    array = pa.array([cell.encode() or None for cell in cells], pa.binary())
    for cell, plain in zip(cells, plain_cells(array, csv_format, numbers=True).to_pylist(), strict=True):
        if is_hole(cell, csv_format):
            assert plain is None, cell
        elif (number := plain_number(cell, csv_format)) is not None:
            assert plain.decode().strip() == number, cell
        else:
            assert plain == b"?" + cell.encode()


def test_other_columns_keep_their_marks_and_lose_their_holes() -> None:
    array = pa.array([b"2026-01-01", b"NA", b"1,5", None], pa.binary())
    csv_format = CsvFormat(null_values=("NA",), decimal=",")
    assert plain_cells(array, csv_format, numbers=False).to_pylist() == [b"2026-01-01", None, b"1,5", None]
