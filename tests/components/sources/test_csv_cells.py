from __future__ import annotations

import pyarrow as pa
import pytest

from crossnet.components.sources import csv_cells
from crossnet.components.sources.csv_cells import (
    PLAIN,
    BadCellError,
    NotWholeError,
    convert_cells,
    parse_time,
    stored_values,
)


def cells(*texts: str | None) -> pa.Array:
    return pa.array([None if text is None else text.encode() for text in texts], pa.binary())


@pytest.mark.parametrize(
    ("kind", "texts", "stored"),
    [
        ("FLOAT", ("1", None, "+2", " 3 ", "1e99", "-1e-60"), [1.0, None, 2.0, 3.0, float("inf"), 0.0]),
        ("INT", (" 7", None, "-8"), [7, None, -8]),
        ("BOOL", ("true", None, "FALSE", " True"), [1, None, 0, 1]),
        ("TIME", ("1970-01-01", None, "1970-01-01T00:00:01", "1970-01-01T01:00:00+01:00"), [0, None, 1, 0]),
        ("TIME", (" 1970-01-01", "1970-01-01T01+01"), [0, 0]),
        ("TIME_UTC", ("1970-01-01T00:00:01Z", None, "1970-01-01T00:00:00-00:01"), [1, None, 60]),
        ("BYTES", ("é", None, " "), ["é".encode(), None, b" "]),
    ],
)
def test_convert_cells_reads_what_its_kind_allows(
    kind: str, texts: tuple[str | None, ...], stored: list[object]
) -> None:
    assert stored_values(convert_cells(cells(*texts), kind), kind).to_pylist() == stored


@pytest.mark.parametrize(
    ("kind", "form", "texts", "values"),
    [
        ("WORDS", "", ("yes", "N", None), [True, False, None]),
        ("DATE", "%d.%m.%Y", ("02.01.1970", None), [86_400, None]),
    ],
)
def test_each_of_few_values_is_read_once(
    kind: str, form: str, texts: tuple[str | None, ...], values: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    for name in ("read_boolean", "read_date"):
        function = getattr(csv_cells, name)
        monkeypatch.setattr(
            csv_cells, name, lambda cell, *rest, function=function: read.append(cell) or function(cell, *rest)
        )
    array = convert_cells(cells(*texts * 100), kind, PLAIN, form)
    assert stored_values(array, kind).to_pylist() == values * 100
    assert sorted(read) == sorted(text for text in texts if text)
    with pytest.raises(BadCellError) as caught:
        convert_cells(cells(*texts * 100, "soon"), kind, PLAIN, form)
    assert (caught.value.row, caught.value.cell) == (100 * len(texts), b"soon")


@pytest.mark.parametrize("kind", ["FLOAT", "INT", "BOOL", "TIME", "TIME_UTC"])
def test_convert_cells_names_the_first_bad_cell(kind: str) -> None:
    with pytest.raises(BadCellError) as caught:
        convert_cells(cells(None, "x", "y"), kind)
    assert (caught.value.row, caught.value.cell) == (1, b"x")


def test_convert_cells_tells_whole_columns_that_hold_other_numbers() -> None:
    with pytest.raises(NotWholeError):
        convert_cells(cells("1", "2.5"), "INT")


def test_convert_cells_names_the_first_cell_that_is_not_text() -> None:
    with pytest.raises(BadCellError) as caught:
        convert_cells(pa.array([b"a", None, b"\xff", b"\xfe"]), "BYTES")
    assert (caught.value.row, caught.value.cell) == (2, b"\xff")
    with pytest.raises(BadCellError) as caught:
        convert_cells(pa.array([b"1", None, b"2\xff", b"\xfe"]), "INT")
    assert (caught.value.row, caught.value.cell) == (2, b"2\xff")


def test_parse_time_takes_numbers_and_iso_8601() -> None:
    assert [parse_time(text) for text in ("12.5", "1970-01-02", "1970-01-01T01:00:00+01:00")] == [12.5, 86_400, 0]
