"""Tests that ExampleGen and `predict` convert cells by the same rules."""

from __future__ import annotations

import csv
import datetime
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from crossnet.components.errors import DataError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.base import RetypedError
from crossnet.components.sources.csv import plan_csv
from crossnet.serving.protocol.cell_values import MISSING, is_hole, read_number, read_time, read_truth
from crossnet.serving.protocol.csv_format import DEFAULT
from crossnet.serving.protocol.messages import DATA_TYPES
from crossnet.serving.protocol.signature import TensorSpec
from crossnet.serving.rows.cells import read_cell

SPECS = {
    "FLOAT": TensorSpec(DATA_TYPES["DT_FLOAT"], (None,)),
    "INT": TensorSpec(DATA_TYPES["DT_INT64"], (None,)),
    "BYTES": TensorSpec(DATA_TYPES["DT_STRING"], (None,)),
}
READ = {
    "FLOAT": read_number,
    "MIXED": read_number,
    "INT": read_number,
    "BOOL": read_truth,
    "TIME": read_time,
    "TIME_UTC": read_time,
}

blanks = st.sampled_from(["", "", "", " ", "  ", "\t", "\u00a0", "\x1c"])
integers = st.integers(-(10**18) + 1, 10**18 - 1).map(str)
floats = st.one_of(
    st.floats(width=32).map(repr),
    st.floats().map(repr),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.sampled_from(["+1", "+.5e-3", "1.", ".5", "007", "-0", "1e99", "-1e400", "1e-60", "INF", "-Infinity", "NaN"]),
)
times = st.builds(
    lambda moment, style: moment.isoformat(*style) if style else str(moment.date()),
    st.datetimes(
        datetime.datetime(1, 1, 2),
        datetime.datetime(9999, 12, 30),
        timezones=st.sampled_from([None, datetime.UTC, datetime.timezone(datetime.timedelta(hours=-9, minutes=-30))]),
    ),
    st.sampled_from([None, ("T",), (" ",), ("T", "hours"), ("T", "minutes"), (" ", "seconds"), ("T", "milliseconds")]),
)
short_zones = st.builds(lambda zone: f"2026-11-23T08:45:01.5{zone}", st.sampled_from(["Z", "+01", "-0530", "+23:59"]))
almost = st.sampled_from(
    ["1_000", "1,5", "1e", "--1", "\u0661", "yes", "tRUE", "20261123", "2026-02-30", "2026-W47-1", "2026-11-23Z"]
    + [f"2026-11-23T{time}" for time in ("24:00", "08:45:60", "08:45+24:00", "08:45:01.1234567", "08:45:01,5")]
)
words = st.sampled_from(["true", "True", "TRUE", "false", "False", "FALSE"])
# Without `x` and `(`: Arrow also reads `0x10` and `nan(1)` as numbers, where a column's first cells made it numeric.
text = st.text(st.characters(codec="utf-8", exclude_characters="\r\0xX("), max_size=8)


def columns_of(cells: st.SearchStrategy[str], rest: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    """Columns that are mostly of one kind: blanks around cells, empty cells, and now and then one of another kind."""
    padded = st.tuples(blanks, cells, blanks).map("".join)
    return st.tuples(
        st.lists(st.one_of(padded, cells, cells, st.just(MISSING)), min_size=1, max_size=6),
        st.lists(rest, max_size=1),
    ).map(lambda parts: parts[0] + parts[1])


columns = st.one_of(
    *(columns_of(kind, st.one_of(kind, almost, text)) for kind in (integers, floats, words, times, short_zones, text)),
    columns_of(st.one_of(integers, floats), almost),
    columns_of(st.one_of(times, short_zones), almost),
)


def read_column(folder: Path, cells: list[str], numeric: bool) -> tuple[str, str, str, list[Any]]:
    """Returns a column as ExampleGen reads it from a CSV: its kind, its unit, its stored type and its values."""
    content = io.StringIO()
    csv.writer(content, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([["a", "y"], *([c, "1"] for c in cells)])
    path = folder / "rows.csv"
    path.write_bytes(content.getvalue().encode())
    params = ExampleGenParams(source="csv", input=str(path), numeric=("a",) if numeric else ())
    source: Any = plan_csv([path], params)
    while True:
        try:
            values = [value for batch in source.read(0, 1) for value in batch.rows["a"].to_pylist()]
            return source.kinds["a"], source.units.get("a", "s"), source.columns[0].type, values
        except RetypedError as error:
            source = error.source


def is_equal(read: Any, stored: Any) -> bool:
    """Whether two numbers are the same float32; the last bit may differ, as Arrow rounds once and Python twice."""
    with np.errstate(over="ignore"):
        near = np.float32(read.strip() if isinstance(read, str) else read)
    return (math.isnan(near) and math.isnan(stored)) or stored in (near, np.nextafter(near, np.float32(stored)))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(columns, st.booleans())
@example(["1", "2.5", " +3"], False)
@example([" 2026-11-23", "2026-11-23T08", "2026-11-23T08:45+01"], False)
@example([" true", "False "], False)
def test_columns_are_read_as_the_rule_for_single_cells_says(tmp_path: Path, cells: list[str], numeric: bool) -> None:
    try:
        kind, unit, stored_as, values = read_column(tmp_path, cells, numeric)
    except DataError:
        assert any(cell and None in (read_number(cell), read_truth(cell), read_time(cell)) for cell in cells)
        return
    assert len(values) == len(cells)
    for cell, value in zip(cells, values, strict=True):
        if cell == MISSING:
            assert value is None
            continue
        if not cell.strip() and kind != "BYTES":
            assert value is None
            assert is_hole(cell, DEFAULT)
            continue
        read = read_cell(cell, SPECS[stored_as], unit=unit)
        if kind == "BYTES":
            assert value == cell.encode() == read.encode()
        elif kind in ("FLOAT", "MIXED"):
            assert is_equal(read, value), (cell, read, value)
        else:
            assert read == value, (cell, read, value)
            assert READ[kind](cell) is not None
