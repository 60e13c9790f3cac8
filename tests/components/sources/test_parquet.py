from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossnet.components.sources.parquet import read_batches, read_schema


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
