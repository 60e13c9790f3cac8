from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from crossnet.components.errors import DataError
from crossnet.components.sources.provenance import locate
from support.example_gen_fixtures import all_rows, make


def make_parquet(tmp_path: Path, columns: dict[str, Any], **settings: Any) -> Any:
    pq.write_table(pa.table(columns), tmp_path / "rides.parquet")
    return make(tmp_path, source="parquet", input=str(tmp_path / "rides.parquet"), **settings)


def test_parquet_names_features_by_the_rule_for_headers(tmp_path: Path) -> None:
    examples = make_parquet(tmp_path, {"": [1, 2], " x1": [3, 4], "größe": [5, 6], " y": [0.5, 1.5]}, label="y")
    assert all_rows(examples)[0] == {"column_1": 1, "x1": 3, "gr__e": 5, "y": 0.5}
    with pytest.raises(DataError, match="`rides.parquet`: columns `a b`, `a_b` become one name, `a_b`"):
        make_parquet(tmp_path, {"a b": [1, 2], "a_b": [3, 4], "y": [0.5, 1.5]})


def text_of(*values: bytes) -> pa.Array:
    """Returns a text column of any bytes, as a writer that does not check them makes it."""
    binary = pa.array(values, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(binary), binary.buffers())


@pytest.mark.parametrize("encoded", [False, True])
def test_parquet_names_the_row_of_text_that_is_not_utf8(tmp_path: Path, encoded: bool) -> None:
    text = text_of("é".encode(), b"ok", b"na\xefve", b"ok")
    columns = {"t": text.dictionary_encode() if encoded else text, "y": [1.0, 2.0, 3.0, 4.0]}
    with pytest.raises(DataError, match=r"`rides.parquet` row 2: `t` is 'na\\xefve', expected text in UTF-8. Fix the"):
        make_parquet(tmp_path, columns, label="y")


def test_parquet_stores_every_plain_type(tmp_path: Path) -> None:
    utc = datetime.UTC
    examples = make_parquet(
        tmp_path,
        {
            "double": [0.1, None, float("inf")],
            "small": pa.array([1, None, -3], pa.int8()),
            "unsigned": pa.array([1, 2, 2**40], pa.uint64()),
            "flag": [True, None, False],
            "word": ["é", None, ""],
            "raw": [b"\xff", b"", None],
            "category": pa.array(["a", "b", None]).dictionary_encode(),
            "day": [datetime.date(1970, 1, 2), None, datetime.date(1969, 12, 31)],
            "moment": [
                datetime.datetime(1970, 1, 1, 0, 0, 1, 500_000),
                None,
                datetime.datetime(1969, 12, 31, 23, 59, 59, 1),
            ],
            "zoned": pa.array([datetime.datetime(1970, 1, 1, 0, 1, tzinfo=utc)] * 3, pa.timestamp("ns", "UTC")),
            "price": [Decimal("1.25"), None, Decimal("-2.5")],
            "nothing": pa.nulls(3),
            "y": [1, 2, 3],
        },
    )
    types = {column["name"]: column["type"] for column in examples.properties["columns"]}
    assert types == {
        **{"double": "FLOAT", "small": "INT", "unsigned": "INT", "flag": "INT", "word": "BYTES", "raw": "BYTES"},
        **{"category": "BYTES", "day": "INT", "moment": "INT", "zoned": "INT", "price": "FLOAT"},
        "y": "FLOAT",
    }
    rows = all_rows(examples)
    assert [row["double"] for row in rows] == [pytest.approx(0.1), None, float("inf")]
    assert [row["small"] for row in rows] == [1, None, -3]
    assert [row["unsigned"] for row in rows] == [1, 2, 2**40]
    assert [row["flag"] for row in rows] == [1, None, 0]
    assert [row["word"] for row in rows] == ["é".encode(), None, b""]
    assert [row["raw"] for row in rows] == [b"\xff", b"", None]
    assert [row["category"] for row in rows] == [b"a", b"b", None]
    assert [row["day"] for row in rows] == [86_400, None, -86_400]
    assert [row["moment"] for row in rows] == [1_500_000, None, -999_999]
    assert [row["zoned"] for row in rows] == [60, 60, 60]
    assert [row["price"] for row in rows] == [1.25, None, -2.5]
    assert [doubt["column"] for doubt in examples.properties["doubts"]] == ["moment", "nothing"]
    assert locate(examples, "eval", 0) == "rides.parquet row 2"


def test_parquet_stores_lists_as_several_values(tmp_path: Path) -> None:
    lists = {
        "floats": [[1.5, 2.5], None, []],
        "words": [["a"], ["b", "c"], None],
        "pairs": pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int32(), 2)),
        "y": [1.0, 2.0, 3.0],
    }
    rows = all_rows(make_parquet(tmp_path, lists, eval_fraction=0.4))
    assert [row["floats"] for row in rows] == [[1.5, 2.5], None, None]
    assert [row["words"] for row in rows] == [[b"a"], [b"b", b"c"], None]
    assert [row["pairs"] for row in rows] == [[1, 2], None, [3, 4]]


def test_parquet_settings_turn_text_into_numbers_and_numbers_into_text(tmp_path: Path) -> None:
    columns = {"a": ["1.5", "", None, " 2"], "b": [7, 8, 9, 10], "y": [1, 2, 3, 4]}
    rows = all_rows(make_parquet(tmp_path, columns, numeric=("a",), text=("b",)))
    assert [row["a"] for row in rows] == [1.5, None, None, 2.0]
    assert [row["b"] for row in rows] == [b"7", b"8", b"9", b"10"]


def test_parquet_loses_nothing_below_a_second_that_appears_late(tmp_path: Path) -> None:
    lasting = [1_000] * 99_999 + [2_501]
    columns = {"t": pa.array(lasting, pa.duration("ms")), "whole": pa.array(lasting[:1] * 100_000, pa.timestamp("ms"))}
    examples = make_parquet(tmp_path, {**columns, "y": range(100_000)})
    rows = all_rows(examples)
    assert [(row["t"], row["whole"]) for row in (rows[0], rows[-1])] == [(1_000, 1), (2_501, 1)]
    assert [doubt["column"] for doubt in examples.properties["doubts"]] == ["t"]


def test_parquet_says_which_numbers_float32_does_not_keep(tmp_path: Path) -> None:
    price = pa.array([Decimal("123456789.12"), Decimal("1.10")], pa.decimal128(12, 2))
    examples = make_parquet(tmp_path, {"price": price, "cheap": price.slice(1).take([0, 0]), "y": [1, 2**24 + 1]})
    assert {doubt["column"]: doubt["text"] for doubt in examples.properties["doubts"]} == {
        name: f"has numbers of more digits than float32 keeps, which is about 7 (such as {value})"
        for name, value in (("price", "123456789.12"), ("y", "16777217"))
    }


def test_parquet_keeps_whole_numbers_in_float64_where_the_settings_name_them(tmp_path: Path) -> None:
    columns = {"id": [1e9, 1e9 + 1, None], "at": [1e9 + 0.25, 1.0, 2.0], "y": [1.5, 2.0, 3.0]}
    examples = make_parquet(tmp_path, columns)
    assert [row["id"] for row in all_rows(examples)] == [1e9, 1e9, None]
    assert {(doubt["column"], doubt["setting"]) for doubt in examples.properties["doubts"]} == {
        ("id", 'integer = ["id"]'),
        ("at", ""),
    }
    kept = make_parquet(tmp_path, columns, integer=("id",))
    assert [row["id"] for row in all_rows(kept)] == [10**9, 10**9 + 1, None]
    assert [doubt["column"] for doubt in kept.properties["doubts"]] == ["at"]
    with pytest.raises(DataError, match=r"row 0: `at` is '1000000000.25', which does not convert to INT"):
        make_parquet(tmp_path, columns, integer=("at",))
    nan = make_parquet(tmp_path, {"id": pa.array([1e9 + 1, float("nan")]), "y": [1, 2]}, integer=("id",), nan="missing")
    assert [row["id"] for row in all_rows(nan)] == [10**9 + 1, None]


def test_parquet_says_how_files_of_differing_types_are_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, 2], "b": [1, 2], "c": pa.nulls(2), "y": [1, 2]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"y": [3, 4], "c": [5, 6], "b": ["x", "7"], "a": [0.5, 1.5]}), tmp_path / "2.parquet")
    examples = make(tmp_path, source="parquet", input=str(tmp_path / "*.parquet"))
    assert [[row[name] for row in all_rows(examples)] for name in "abc"] == [
        [1.0, 2.0, 0.5, 1.5],
        [b"1", b"2", b"x", b"7"],
        [None, None, 5, 6],
    ]
    assert [tuple(doubt.values()) for doubt in examples.properties["doubts"]] == [
        ("a", "is int64 in `1.parquet` and double in `2.parquet`, and is read as numbers (float32)", 'text = ["a"]'),
        ("b", "is int64 in `1.parquet` and string in `2.parquet`, and is read as text", 'numeric = ["b"]'),
    ]


@pytest.mark.parametrize("other", [pa.array([1], pa.duration("s")), [datetime.date(2026, 1, 2)], [[1, 2]]])
def test_parquet_refuses_files_whose_types_have_nothing_in_common(tmp_path: Path, other: Any) -> None:
    pq.write_table(pa.table({"a": [1], "y": [1]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": other, "y": [1]}), tmp_path / "2.parquet")
    with pytest.raises(DataError, match=r"`a` is int64 in `1.parquet` and .* in `2.parquet`: these have no type in"):
        make(tmp_path, source="parquet", input=str(tmp_path / "*.parquet"))


def test_parquet_reads_files_whose_types_differ_as_the_wider_one(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, 2], "y": [1, 2]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"y": [3, 4], "a": [0.5, 1.5]}), tmp_path / "2.parquet")
    examples = make(tmp_path, source="parquet", input=str(tmp_path / "*.parquet"))
    assert [row["a"] for row in all_rows(examples)] == [1.0, 2.0, 0.5, 1.5]


def test_parquet_fault_says_what_and_where(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"`rides.parquet` row 1: `a` is 'x', which does not convert to FLOAT"):
        make_parquet(tmp_path, {"a": ["1", "x"], "y": [1, 2]}, numeric=("a",))
    with pytest.raises(DataError, match=r"types that a record cannot hold: `a` \(struct<.*exclude"):
        make_parquet(tmp_path, {"a": [{"b": 1}, {"b": 2}], "y": [1, 2]})
    assert all_rows(make_parquet(tmp_path, {"a": [{"b": 1}] * 2, "y": [1, 2]}, exclude=("a",)))[0] == {"y": 1.0}
    with pytest.raises(
        DataError, match=r"`rides.parquet` has no column `y`, the label. The columns of `rides.parquet` are: `a`"
    ):
        make_parquet(tmp_path, {"a": [1, 2]})
    with pytest.raises(DataError, match=r"No row is in `rides.parquet`"):
        make_parquet(tmp_path, {"y": pa.array([], pa.int64())})


@pytest.mark.parametrize("content", [b"", b"a,y\n1,2\n" * 100])
def test_parquet_refuses_a_file_that_is_not_parquet(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rides.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"rides.parquet` cannot be read as Parquet: .*Name Parquet files"):
        make(tmp_path, source="parquet", input=str(tmp_path / "rides.parquet"))
    assert not [path for path in (tmp_path / "examples-0").rglob("*") if path.is_file()]


def test_parquet_refuses_files_with_other_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1], "y": [1]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"b": [1], "y": [1]}), tmp_path / "2.parquet")
    with pytest.raises(DataError, match=r"`2.parquet` has other columns than `1.parquet`: missing: `a`; extra: `b`"):
        make(tmp_path, source="parquet", input=str(tmp_path / "*.parquet"))


def test_parquet_refuses_a_split_column_of_lists(tmp_path: Path) -> None:
    sentence = r"The split column holds list<.*>; expected one value per row\. Name another column"
    with pytest.raises(DataError, match=sentence):
        make_parquet(tmp_path, {"k": [[1], [2, 3]], "y": [1.0, 2.0]}, split="key", split_column="k")


def test_parquet_names_a_file_whose_dictionary_or_names_are_damaged(tmp_path: Path) -> None:
    path = tmp_path / "rides.parquet"
    table = pa.table({"zone": pa.array([f"z{n % 5}" for n in range(300)]).dictionary_encode(), "y": range(300)})
    pq.write_table(table, path, compression="none")
    content = path.read_bytes()
    for good, bad, sentence in (
        (b"\x15\x0a\x15\x00", b"\x15\x02\x15\x00", "rides.parquet` cannot be read as Parquet: .*Name Parquet files"),
        (b"zone", b"zo\xf3e", "rides.parquet` cannot be read as Parquet: 'utf-8' codec can't decode byte"),
    ):
        assert good in content
        path.write_bytes(content.replace(good, bad))
        with pytest.raises(DataError, match=sentence):
            make(tmp_path, source="parquet", input=str(path))


def test_parquet_names_the_row_that_no_record_can_hold(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"`rides.parquet` row 2 holds 34,000,\d\d\d bytes; a record holds at most 32 MiB"
    ):
        make_parquet(tmp_path, {"text": ["a", "b", "x" * 34_000_000], "y": [1, 2, 3]})
    examples = make_parquet(tmp_path, {"text": ["a", "b", "x" * 20_000_000], "y": [1, 2, 3]})
    assert examples.counts == {"train": 2, "eval": 1}


def test_parquet_keeps_times_below_a_second_and_says_in_which_unit(tmp_path: Path) -> None:
    examples = make_parquet(
        tmp_path,
        {
            "wait": pa.array([1500, None, 20], pa.duration("ms")),
            "whole": pa.array([10**9, 2 * 10**9, None], pa.duration("ns")),
            "at": pa.array([1_000_000, 1, None], pa.time64("us")),
            "y": [1, 2, 3],
        },
    )
    rows = all_rows(examples)
    assert [row["wait"] for row in rows] == [1500, None, 20]
    assert [row["whole"] for row in rows] == [1, 2, None]
    assert [row["at"] for row in rows] == [1_000_000, 1, None]
    assert examples.properties["notes"] == [
        f"Column `{name}` holds times with parts of a second and is written in whole {unit}; a request of numbers has "
        f'{unit} too. To change that: `time_unit = {{ "{name}" = "s" }}` in [example_gen].'
        for name, unit in (("wait", "milliseconds"), ("at", "microseconds"))
    ]


def test_parquet_reads_decimals_without_digits_after_the_point_as_whole_numbers(tmp_path: Path) -> None:
    whole = [Decimal(2**53 + 1), None, Decimal(-(10**17))]
    rows = all_rows(make_parquet(tmp_path, {"id": pa.array(whole, pa.decimal128(38, 0)), "y": [1, 2, 3]}))
    assert [row["id"] for row in rows] == [2**53 + 1, None, -(10**17)]


def test_parquet_conditions_see_the_parts_of_a_second(tmp_path: Path) -> None:
    at = pa.array([1_000, 2_500, 2_501], pa.timestamp("ms"))
    examples = make_parquet(
        tmp_path, {"moment": at, "y": [1, 2, 3]}, where="moment <= TIMESTAMP '1970-01-01 00:00:02.5'"
    )
    assert [row["moment"] for row in all_rows(examples)] == [1_000, 2_500]


@pytest.mark.parametrize("source", ["parquet", "arrow", "jsonl"])
def test_nan_is_a_hole_where_the_settings_say_so(tmp_path: Path, source: str) -> None:
    values = [1.5, float("nan"), None]
    if source == "parquet":
        pq.write_table(pa.table({"x": values, "y": [1, 2, 3]}), tmp_path / "t")
    elif source == "arrow":
        pa.feather.write_feather(pa.table({"x": values, "y": [1, 2, 3]}), tmp_path / "t")
    else:
        lines = ("1.5", "NaN", "null")
        (tmp_path / "t").write_text("".join(f'{{"x": {x}, "y": 1}}\n' for x in lines))
    found = {
        nan: [row["x"] for row in all_rows(make(tmp_path, source=source, input=str(tmp_path / "t"), nan=nan))]
        for nan in ("error", "missing")
    }
    assert found == {"error": [1.5, pytest.approx(float("nan"), nan_ok=True), None], "missing": [1.5, None, None]}
