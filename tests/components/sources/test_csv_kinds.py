"""A column is what its cells are."""

from __future__ import annotations

import pyarrow as pa
import pytest

from crossnet.components.sources.csv_kinds import classify_cells, time_kind


def cells(*texts: str | None) -> pa.Array:
    return pa.array([None if text is None else text.encode() for text in texts], pa.binary())


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (("1", "-2", " 3"), "INT"),
        (("1", "2.5"), "FLOAT"),
        (("1", "nan"), "FLOAT"),
        (("+1", "-inf", "1e5"), "FLOAT"),
        (("1", "99999999999999999999"), "FLOAT"),
        (("1_000", "2"), "BYTES"),
        (("true", "FALSE"), "BOOL"),
        ((" true", "FALSE "), "BOOL"),
        (("true", "1"), "BYTES"),
        (("2026-11-23", "2026-11-23T08:45:00"), "TIME"),
        (("2026-11-23T08:45:00Z", "2026-11-23 08:45+01:00"), "TIME_UTC"),
        ((" 2026-11-23", "2026-11-23T08"), "TIME"),
        (("2026-11-23T08:45:00+01",), "TIME_UTC"),
        (("2026-13-23",), "BYTES"),
        (("20261123",), "INT"),
        (("a",), "BYTES"),
        ((), "BYTES"),
    ],
)
def test_classify_cells_tells_what_a_column_is(texts: tuple[str, ...], kind: str) -> None:
    assert classify_cells(cells(*texts)) == kind


def test_classify_cells_makes_a_forced_column_a_number() -> None:
    assert classify_cells(cells("a", "1"), numeric=True) == "INT"
    assert classify_cells(cells("a"), numeric=True) == "FLOAT"
    assert classify_cells(cells("true"), numeric=True) == "BOOL"


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (("2026-11-23", None, "2026-11-23 08:45:00.123456789"), "TIME"),
        ((" 2026-11-23T08Z ", "2026-11-23T08:45 UTC"), "TIME_UTC"),
        (("2026-11-23T08Z", "2026-11-23T08"), "TIME"),
        (("2026-02-30",), ""),
        (("2026-11-23", ""), ""),
        (("2026-11-23T084500",), ""),
        ((None,), ""),
    ],
)
def test_times_are_those_that_predict_reads(texts: tuple[str | None, ...], kind: str) -> None:
    assert time_kind(cells(*texts)) == kind


def test_cells_that_are_not_unicode_are_not_times() -> None:
    assert time_kind(pa.array([b"\xff"], pa.binary())) == ""


@pytest.mark.parametrize(
    ("usual", "late", "kind"), [("7", "0.5", "MIXED"), ("0.5", "x", "FLOAT"), ("2026-01-01", "soon", "BYTES")]
)
@pytest.mark.parametrize("before", [49, 50, 200])
def test_a_cell_that_comes_late_counts_as_one_that_comes_first(usual: str, late: str, kind: str, before: int) -> None:
    assert classify_cells(cells(*[usual] * before, late, *[usual] * 100)) == kind
