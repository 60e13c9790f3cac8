from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossnet.components.sources.parquet import group_rows, groups_with, read_batches, read_schema


def test_parquet_yields_the_columns_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    table = pa.table({"a": range(100_000), "b": ["x"] * 100_000, "c": [0.5] * 100_000})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=30_000)
    assert read_schema(tmp_path / "t.parquet").names == ["a", "b", "c"]
    batches = list(read_batches(tmp_path / "t.parquet", ["c", "a"]))
    assert pa.Table.from_batches(batches) == table.select(["c", "a"])


def test_parquet_refuses_other_bytes(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"a,b\n1,2\n")
    with pytest.raises(pa.ArrowInvalid):
        read_schema(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("first", "last", "groups"),
    [(0, 30, ([0, 1, 2], 0)), (10, 20, ([1], 0)), (8, 21, ([0, 1, 2], 8)), (20, 30, ([2], 0)), (12, 13, ([1], 2))],
)
def test_parquet_reads_the_groups_alone_that_have_some_of_the_rows(
    tmp_path: Path, first: int, last: int, groups: tuple[list[int], int]
) -> None:
    assert groups_with([10, 10, 10], first, last) == groups
    table = pa.table({"a": range(30)})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=10)
    assert group_rows(tmp_path / "t.parquet") == [10, 10, 10]
    batches = list(read_batches(tmp_path / "t.parquet", ["a"], (first, last)))
    assert pa.Table.from_batches(batches) == table.slice(first, last - first)
