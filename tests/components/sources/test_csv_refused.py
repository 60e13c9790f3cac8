from __future__ import annotations

import pytest

from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.csv_cells import PLAIN, BadCellError
from crossnet.components.sources.csv_refused import refused_cell
from crossnet.components.sources.naming import name_columns

NAMED = name_columns(["a", "b", "y"], ExampleGenParams(label="y"), "rides.csv:1")


def said(cell: bytes, source: str = "b", kind: str = "FLOAT", row: int = 7) -> str:
    return str(refused_cell(BadCellError(0, cell), source, kind, NAMED, PLAIN, "`rides.csv:9`", row))


def test_a_cell_is_named_with_what_was_expected_and_what_reads_it() -> None:
    assert said(b"1,5") == (
        "`rides.csv:9`: `b` is '1,5', expected a number. Fix the cell, or set `example_gen.decimal = \",\"`, or name "
        "the column in `example_gen.text` or `example_gen.exclude`."
    )


@pytest.mark.parametrize(("source", "row", "has"), [("a", 0, True), ("b", 0, False), ("a", 5, False)])
def test_a_line_of_units_is_left_out_by_its_first_cell(source: str, row: int, has: bool) -> None:
    assert ('`example_gen.comment = "metres"`' in said(b"metres", source, row=row)) is has


def test_no_form_of_dates_is_named_for_a_column_of_times() -> None:
    assert "date_format" in said(b"1/2/2024")
    assert "date_format" not in said(b"1/2/2024", kind="TIME")


def test_bytes_that_are_not_text_are_said() -> None:
    assert "`b` is not UTF-8" in said(b"\xff", kind="BYTES")
