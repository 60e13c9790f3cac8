from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from crossnet.components.errors import DataError, SettingsError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.records.wire_format import tagged
from crossnet.components.sources.plan import plan_source
from crossnet.serving.protocol.tfrecord import write_frame
from support.example_records import feature

MILES = [1.5, 2.5]


def write(source: str, path: Path) -> None:
    """Writes two rows of `miles` and `y`."""
    if source == "csv":
        path.write_text("".join(f"{a},{b}\n" for a, b in [("miles", "y"), (1.5, 3), (2.5, 4)]))
    elif source == "parquet":
        pq.write_table(pa.table({"miles": MILES, "y": [3, 4]}), path)
    elif source == "jsonl":
        path.write_text("".join(f'{{"miles": {a}, "y": {b}}}\n' for a, b in [(1.5, 3), (2.5, 4)]))
    elif source == "arrow":
        pa.feather.write_feather(pa.table({"miles": MILES, "y": [3, 4]}), path)
    else:
        values = [{b"miles": miles, b"y": y} for miles, y in zip(MILES, [3, 4], strict=True)]
        rows = [[feature(name, 0x12, tagged(0x0A, struct.pack("<f", row[name]))) for name in row] for row in values]
        path.write_bytes(b"".join(write_frame(tagged(0x0A, b"".join(features))) for features in rows))


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("csv", "CsvSource"),
        ("parquet", "TableSource"),
        ("arrow", "TableSource"),
        ("jsonl", "TableSource"),
        ("tfrecord", "TFRecordSource"),
    ],
)
def test_plan_source_reads_each_format_with_its_own_source(tmp_path: Path, source: str, kind: str) -> None:
    path = tmp_path / "rides"
    write(source, path)
    planned = plan_source([path], ExampleGenParams(source=source, input=str(path)))
    assert type(planned).__name__ == kind
    assert planned.files == (path,)
    assert [tuple(column) for column in planned.columns] == [("miles", "miles", "FLOAT"), ("y", "y", "FLOAT")]
    (batch,) = planned.read(0, 1)
    assert batch.rows.to_pydict() == {"miles": MILES, "y": [3.0, 4.0]}


def test_plan_source_makes_synthetic_rows_without_files() -> None:
    planned = plan_source([], ExampleGenParams(num_examples=10))
    assert type(planned).__name__ == "SyntheticSource"
    assert planned.files == ()
    assert sum(batch.rows.num_rows for batch in planned.read(0, 1)) == 10


@pytest.mark.parametrize("source", ["csv", "parquet", "arrow", "jsonl", "tfrecord"])
def test_plan_source_refuses_a_setting_that_names_no_column_before_rows_are_read(tmp_path: Path, source: str) -> None:
    write(source, tmp_path / "rides")
    settings: dict[str, Any] = {"source": source, "input": str(tmp_path / "rides"), "exclude": ("mile",)}
    with pytest.raises(SettingsError, match=r"`example_gen.exclude` names `mile`, .* Did you mean `miles`"):
        plan_source([tmp_path / "rides"], ExampleGenParams(**settings))


def test_plan_source_follows_the_setting_not_the_file(tmp_path: Path) -> None:
    path = tmp_path / "rides.csv"
    write("csv", path)
    with pytest.raises(DataError, match=r"rides.csv` cannot be read as Parquet: .* `example_gen.source`"):
        plan_source([path], ExampleGenParams(source="parquet", input=str(path)))


def test_plan_source_loads_no_reader_that_is_not_needed() -> None:
    code = (
        "import sys\n"
        "from crossnet.components.params.example_gen import ExampleGenParams\n"
        "from crossnet.components.sources.plan import plan_source\n"
        "plan_source([], ExampleGenParams())\n"
        "readers = {f'crossnet.components.sources.{name}' for name in ('csv', 'parquet', 'tfrecord')}\n"
        "print(sorted(readers & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
