"""Rows of Parquet and Arrow are written with the outputs behind their columns, which stay as they are."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import crossnet.serving.rows.table_writers
from crossnet.serving.protocol.signature import TensorSpec
from crossnet.serving.rows.formats import make_reader, make_writer
from crossnet.serving.status import OutputError, RowsError
from support.fake_server import FLOAT
from support.row_files import table_bytes

TABLE = pa.table(
    {
        "zone": pa.array(["a", "b", None, "a", "c"]).dictionary_encode(),
        "at": pa.array([1, 2, 3, 4, 5], pa.timestamp("ns", "Europe/Berlin")),
        "n": pa.array([1, None, 2**62 + 1, 4, 5], pa.int64()),
        "l": pa.array([[1], [], None, [2, 3], [4]]),
    }
).replace_schema_metadata({"made": "by hand"})
OUTPUTS = {
    "prediction": np.array([0.1, 0.2, 0.3, 0.4, 0.5], np.float32),
    "interval": np.array([[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]], np.float32),
    "class": np.array([b"x", b"y", b"z", b"\xc3\xa9", b""], object),
}
SPECS = {"prediction": TensorSpec(FLOAT, (None,))}


def written(content: bytes, kind: str, to: str, outputs: dict[str, Any], rows: int = 2) -> bytes:
    """The answers of a file of `kind`, asked for a few rows at a time."""
    table, out = make_reader(io.BytesIO(content), kind, "rides"), io.BytesIO()
    writer, all_rows = make_writer(table, out, to), list(table.rows())
    for start in range(0, len(all_rows), rows):
        part = {name: values[start : start + rows] for name, values in outputs.items()}
        writer.write(all_rows[start : start + rows], part)
    writer.end(SPECS)
    return out.getvalue()


def read(content: bytes, kind: str) -> pa.Table:
    stream = io.BytesIO(content)
    return pq.read_table(stream) if kind == "parquet" else pa.ipc.open_file(stream).read_all()


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
@pytest.mark.parametrize("to", ["parquet", "arrow"])
def test_rows_stay_as_they_are(kind: str, to: str) -> None:
    found = read(written(table_bytes(TABLE, kind), kind, to, OUTPUTS), to)
    assert found.schema.names == [*TABLE.schema.names, "class", "interval", "prediction"]
    assert found.schema.metadata[b"made"] == b"by hand"
    assert found.select(TABLE.schema.names).to_pydict() == TABLE.to_pydict()
    assert found.schema.field("at").type == TABLE.schema.field("at").type
    assert found.column("prediction").type == pa.float32()
    np.testing.assert_array_equal(found.column("prediction"), OUTPUTS["prediction"])
    assert found.column("interval").to_pylist() == OUTPUTS["interval"].tolist()
    assert found.column("class").to_pylist() == ["x", "y", "z", "é", ""]


def test_rows_are_written_in_groups_not_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = {"prediction": np.zeros(5, np.float32)}
    content = written(table_bytes(TABLE, "parquet"), "parquet", "parquet", outputs, rows=1)
    assert pq.ParquetFile(io.BytesIO(content)).num_row_groups == 1
    monkeypatch.setattr(crossnet.serving.rows.table_writers, "_GROUP_ROWS", 2)
    content = written(table_bytes(TABLE, "parquet"), "parquet", "parquet", outputs, rows=1)
    assert pq.ParquetFile(io.BytesIO(content)).num_row_groups == 3


def test_rows_become_json_lines_and_csv() -> None:
    outputs = {name: OUTPUTS[name] for name in ("prediction", "interval")}
    lines = written(table_bytes(TABLE, "parquet"), "parquet", "jsonl", outputs).decode().splitlines()
    assert json.loads(lines[2]) == {
        "zone": None, "at": "1970-01-01 01:00:00.000000003+0100", "n": 2**62 + 1, "l": None,
        "interval": [4.0, 5.0], "prediction": 0.3,
    }  # fmt: skip
    cells = written(table_bytes(TABLE, "parquet"), "parquet", "csv", outputs).decode().splitlines()
    assert cells[:2] == [
        "zone,at,n,l,interval,prediction",
        'a,1970-01-01 01:00:00.000000001+0100,1,[1],"[0.0, 1.0]",0.1',
    ]
    assert len(cells) == 6


@pytest.mark.parametrize("to", ["parquet", "arrow", "jsonl", "csv"])
def test_no_rows_are_a_file_with_its_columns(to: str) -> None:
    content = written(table_bytes(TABLE.slice(0, 0), "parquet"), "parquet", to, {})
    if to in ("parquet", "arrow"):
        assert (read(content, to).schema.names[-1], read(content, to).num_rows) == ("prediction", 0)
    else:
        assert content == (b"" if to == "jsonl" else b"zone,at,n,l,prediction\n")


@pytest.mark.parametrize("to", ["parquet", "arrow", "jsonl", "csv"])
def test_a_column_of_the_outputs_name_is_an_error(to: str) -> None:
    content = table_bytes(pa.table({"prediction": [1.0]}), "parquet")
    with pytest.raises(RowsError, match="rides already has `prediction`, the name of the model's output"):
        written(content, "parquet", to, {"prediction": np.zeros(1, np.float32)})


def test_a_type_that_parquet_does_not_have_is_an_error_with_another_format() -> None:
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])
    content = table_bytes(pa.table({"u": union}), "arrow")
    with pytest.raises(RowsError, match="cannot be written as Parquet: .*Write them as Arrow, with an `--output`"):
        written(content, "arrow", "parquet", {"prediction": np.zeros(1, np.float32)})


def test_an_output_that_cannot_be_written_is_the_error_of_the_stream() -> None:
    class Full:
        def write(self, data: bytes) -> None:
            raise OutputError("Cannot write `a`: no space.")

    table = make_reader(io.BytesIO(table_bytes(TABLE, "parquet")), "parquet", "rides")
    writer = make_writer(table, Full(), "parquet")
    with pytest.raises(OutputError, match="no space"):
        writer.write(list(table.rows()), {"prediction": np.zeros(5, np.float32)})
        writer.end(SPECS)


@pytest.mark.parametrize("to", ["parquet", "csv"])
def test_an_output_with_one_value_per_row_is_a_column(to: str) -> None:
    outputs = {"prediction": np.array([[0.5], [1.5]], np.float32)}
    content = written(table_bytes(pa.table({"a": [1, 2]}), "parquet"), "parquet", to, outputs)
    if to == "csv":
        assert content == b"a,prediction\n1,0.5\n2,1.5\n"
    else:
        assert read(content, to).column("prediction").to_pylist() == [0.5, 1.5]
