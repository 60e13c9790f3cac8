from __future__ import annotations

from pathlib import Path

import numpy as np
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


@pytest.mark.parametrize("group", [50_000, 1_500_000])
def test_parquet_keeps_no_more_of_a_file_in_memory_when_it_is_larger(tmp_path: Path, group: int) -> None:
    file, random = tmp_path / "t.parquet", np.random.default_rng(0)
    pq.write_table(pa.table({"a": random.normal(size=1_500_000), "b": [0] * 1_500_000}), file, row_group_size=group)
    before, most, rows = pa.total_allocated_bytes(), 0, 0
    for batch in read_batches(file, ["a"]):
        rows += batch.num_rows
        most = max(most, pa.total_allocated_bytes() - before)
    assert rows == 1_500_000
    assert most < file.stat().st_size / 2  # pre-buffered it holds all of it until the last row
