from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossnet.components.sources.base import SourceBatch
from crossnet.components.sources.holes import nan_as_null
from support.example_gen_fixtures import all_rows, make


def test_nan_becomes_a_missing_value_in_numbers_alone() -> None:
    columns = {
        "a": pa.array([math.nan, 1.5, None], pa.float32()),
        "b": pa.array([1, 2, 3]),
        "c": pa.array([b"nan"] * 3),
    }
    rows = nan_as_null(SourceBatch(pa.RecordBatch.from_pydict(columns), None, 0, 0)).rows
    assert rows.to_pydict() == {"a": [None, 1.5, None], "b": [1, 2, 3], "c": [b"nan"] * 3}


@pytest.mark.parametrize("nan", ["missing", "error"])
def test_nan_of_parquet_is_what_the_setting_says(tmp_path: Path, nan: str) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"a": [math.nan, 1.5, None, 2.5], "y": [1.0, 2.0, 3.0, 4.0]}), path)
    first, *others = [row["a"] for row in all_rows(make(tmp_path, source="parquet", input=str(path), nan=nan))]
    assert others == [1.5, None, 2.5]
    assert first is None if nan == "missing" else math.isnan(first)
