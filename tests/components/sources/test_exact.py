"""A condition compares the numbers of the source, not those that a record rounds."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from crossnet.components.sources.base import SourceBatch
from crossnet.components.sources.exact import as_in_source, exact_array
from support.example_gen_fixtures import all_rows, make

LARGE = 2**62 + 1
COLUMNS = {
    "n": [1, 2, 3, 4],
    "x": [0.1, 0.2, 16777217.0, None],
    "id": [LARGE, LARGE - 1, None, 5],
    "y": [16777217.5, 16777216.5, 1.1, 2.0],
}


def written(folder: Path, source: str) -> Path:
    if source == "csv":
        lines = [",".join(COLUMNS), *(",".join("" if v is None else str(v) for v in row) for row in rows())]
        (folder / "t.csv").write_text("\n".join(lines) + "\n")
    elif source == "jsonl":
        lines = [json.dumps(dict(zip(COLUMNS, row, strict=True))) for row in rows()]
        (folder / "t.jsonl").write_text("\n".join(lines) + "\n")
    else:
        table = pa.table(COLUMNS)
        (pq.write_table if source == "parquet" else feather.write_feather)(table, folder / f"t.{source}")
    return folder / f"t.{source}"


def rows() -> list[tuple[Any, ...]]:
    return list(zip(*COLUMNS.values(), strict=True))


@pytest.mark.parametrize("source", ["csv", "jsonl", "parquet", "arrow"])
@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("x::DOUBLE = 0.1::DOUBLE OR n = 4", [1, 4]),
        ("x + 0.1 = 0.2 OR n = 4", [1, 4]),
        ("x = 16777217 OR n = 1", [1, 3]),
        ("x >= 16777216.5 OR n = 2", [2, 3]),
        ("x = 0.1 OR x = 0.2", [1, 2]),
        (f"id = {LARGE} OR n = 3", [1, 3]),
        (f"id < {LARGE} OR n = 3", [2, 3, 4]),
        ("y > 16777217 OR n = 3", [1, 3]),
        ("y = 1.1 OR n = 1", [1, 3]),
    ],
)
def test_numbers_are_those_of_the_source(tmp_path: Path, source: str, where: str, kept: list[int]) -> None:
    settings: dict[str, Any] = {"split": "order", "eval_fraction": 0.3, "exclude": ("x",)}
    examples = make(tmp_path, source=source, input=str(written(tmp_path, source)), where=where, **settings)
    assert [row["n"] for row in all_rows(examples)] == kept


def test_marks_of_numbers_forced_columns_and_nan_are_read_for_a_condition(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x;code;y\n1.234.567,1;007;1\nnan;08;2\n0,1;9;3\n0,3;9;4\n")
    settings: dict[str, Any] = {"input": str(path), "delimiter": ";", "decimal": ",", "thousands": ".",
                                "numeric": ("code",), "source": "csv", "nan": "missing"}  # fmt: skip
    found = make(tmp_path, where="x = 1234567.1 OR x = 0.1", **settings)
    assert [row["y"] for row in all_rows(found)] == [1, 3]
    assert [row["y"] for row in all_rows(make(tmp_path, where="x IS NULL OR code = 7", **settings))] == [1, 2]


def test_a_condition_sees_the_files_of_folders_likewise(tmp_path: Path) -> None:
    (tmp_path / "t" / "year=2024").mkdir(parents=True)
    written(tmp_path / "t" / "year=2024", "parquet")
    where = "year = 2024 AND (x + 0.1 = 0.2 OR n = 4)"
    examples = make(tmp_path, source="parquet", input=str(tmp_path / "t"), where=where, eval_fraction=0.3)
    assert [row["n"] for row in all_rows(examples)] == [1, 4]


def test_a_label_of_times_is_compared_to_the_second(tmp_path: Path) -> None:
    path, moments = tmp_path / "t.parquet", pa.array([1767225601, 1767225602, 1767225603], pa.timestamp("s"))
    pq.write_table(pa.table({"n": [1, 2, 3], "y": moments}), path)
    where = "y >= 1767225602"  # of float32, all three are one number
    examples = make(tmp_path, source="parquet", input=str(path), where=where, eval_fraction=0.3)
    assert [row["n"] for row in all_rows(examples)] == [2, 3]


@pytest.mark.parametrize(
    ("array", "exact"),
    [
        (pa.array([0.1, None]), pa.array([0.1, None])),
        (pa.array([0.1], pa.float32()), None),
        (pa.array([2**63], pa.uint64()), pa.array([2**63], pa.uint64())),
        (pa.array([Decimal("0.10")]), pa.array([Decimal("0.10")])),
        (pa.array([Decimal("0.10")], pa.decimal256(50, 2)), pa.array([0.1])),
        (pa.array([" 0.1", "", None]), pa.array([0.1, None, None])),
        (pa.array([3, 3]).dictionary_encode(), pa.array([3, 3])),
        (pa.array([1500], pa.timestamp("ms")), pa.array([1])),
        (pa.array([True]), None),
    ],
)
def test_what_a_record_rounds_is_kept(array: pa.Array, exact: pa.Array | None) -> None:
    assert exact_array(array) == exact


def test_exact_columns_take_the_place_of_those_that_are_written() -> None:
    batch = pa.RecordBatch.from_pydict({"a": [1], "x": pa.array([0.1], pa.float32())})
    exact = pa.RecordBatch.from_pydict({"x": [float("nan")]})
    found = SourceBatch(batch, None, 0, 0, exact=exact)
    assert as_in_source(found, nan_is_missing=True).to_pydict() == {"a": [1], "x": [None]}
    assert as_in_source(found, nan_is_missing=False).column("x").type == pa.float64()
