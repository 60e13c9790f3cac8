from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.base import RetypedError, narrowed
from crossnet.components.sources.plan import plan_source
from crossnet.components.sources.widening import widened
from support.example_gen_fixtures import all_rows, make

TABLE = pa.table({"moment": pa.array([0, 1_000, 2_500], pa.timestamp("ms")), "x": [1, 2, 3], "y": [1, 2, 3]})


def test_a_source_that_was_retyped_when_it_was_narrow_has_all_its_columns_again(tmp_path: Path) -> None:
    pq.write_table(TABLE, tmp_path / "t.parquet")
    settings = {"source": "parquet", "input": str(tmp_path / "t.parquet")}
    whole = plan_source([tmp_path / "t.parquet"], ExampleGenParams(**settings))  # type: ignore[arg-type]
    with pytest.raises(RetypedError) as caught:
        list(narrowed(whole, ["moment"]).read(0, 1))
    assert [column.name for column in caught.value.source.columns] == ["moment"]
    assert widened(caught.value.source, whole).columns == whole.columns
    synthetic = plan_source([], ExampleGenParams())
    assert widened(synthetic, whole) is synthetic


def test_a_condition_on_times_below_a_second_keeps_all_columns_of_a_split_by_time(tmp_path: Path) -> None:
    pq.write_table(TABLE, tmp_path / "t.parquet")
    settings = {"where": "moment >= '1970-01-01'", "split": "time", "split_column": "x", "eval_fraction": 0.4}
    examples = make(tmp_path, source="parquet", input=str(tmp_path / "t.parquet"), **settings)
    assert all_rows(examples)[2] == {"moment": 2_500, "x": 3, "y": 3.0}
