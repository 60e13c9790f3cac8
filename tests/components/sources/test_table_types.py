from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crossnet.components.errors import DataError
from crossnet.components.sources.naming import NamedColumns
from crossnet.components.sources.table_types import differing_types, is_null, joined_kind, meanings_of

NAMED = NamedColumns({"a": "a", "y": "y"}, "y", frozenset({"n"}), frozenset({"t"}), "", integer=frozenset({"i"}))
FILES = [Path("1.parquet"), Path("2.parquet")]


@pytest.mark.parametrize(
    ("source", "kinds", "joined"),
    [
        ("a", {"INT"}, "INT"),
        ("a", {"INT", "FLOAT"}, "FLOAT"),
        ("a", {"INT", "BYTES"}, "BYTES"),
        ("n", {"INT", "BYTES"}, "FLOAT"),
        ("i", {"BYTES"}, "INT"),
        ("i", {"INT", "FLOAT"}, "INT"),
        ("i", set(), "BYTES"),
        ("t", {"INT"}, "BYTES"),
        ("y", {"INT"}, "FLOAT"),
        ("a", set(), "BYTES"),
    ],
)
def test_files_of_several_types_are_read_as_one(source: str, kinds: set[str], joined: str) -> None:
    assert joined_kind(source, kinds, NAMED) == joined


@pytest.mark.parametrize(
    ("types", "kind", "text"),
    [
        ((pa.int8(), pa.int64()), "INT", ""),
        ((pa.float32(), pa.null()), "FLOAT", ""),
        ((pa.date32(), pa.timestamp("ms")), "INT", ""),
        ((pa.string(), pa.dictionary(pa.int8(), pa.string())), "BYTES", ""),
        (
            (pa.bool_(), pa.int64()),
            "INT",
            "is bool in `1.parquet` and int64 in `2.parquet`, and is read as whole numbers",
        ),
        (
            (pa.date32(), pa.string()),
            "BYTES",
            "is date32[day] in `1.parquet` and string in `2.parquet`, and is ",
        ),
    ],
)
def test_only_types_that_hold_other_values_are_doubtful(types: tuple[Any, Any], kind: str, text: str) -> None:
    doubts = differing_types("a", types, FILES, kind, NAMED)
    assert [doubt.text[: len(text)] for doubt in doubts] == ([text] if text else [])


@pytest.mark.parametrize("other", [pa.list_(pa.int64()), pa.duration("s"), pa.time32("s"), pa.timestamp("s")])
def test_types_without_anything_in_common_are_refused(other: Any) -> None:
    with pytest.raises(
        DataError, match=r"`a` is int64 in `1.parquet` and .* in `2.parquet`: these have no type in common"
    ):
        differing_types("a", (pa.int64(), other), FILES, "INT", NAMED)


def test_numbers_stand_for_times_or_truth_where_they_do_so_in_all_files() -> None:
    one = pa.schema({"t": pa.timestamp("s"), "b": pa.bool_(), "n": pa.bool_()})
    other = pa.schema({"t": pa.date32(), "b": pa.bool_(), "n": pa.int8()})
    assert meanings_of([one, other], ["t", "b", "n"]) == {"t": "time", "b": "truth"}
    assert is_null(pa.null())
    assert not is_null(pa.bool_())
