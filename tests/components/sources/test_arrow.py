from __future__ import annotations

import datetime
import gzip
import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from crossnet.components.errors import DataError
from crossnet.components.sources.arrow import group_rows, read_batches, read_schema
from support.example_gen_fixtures import all_rows, make

ROWS = 150_000
TABLE = pa.table(
    {
        "n": pa.array([n if n % 7 else None for n in range(ROWS)], pa.int32()),
        "word": pa.array([f"w{n % 5}" for n in range(ROWS)]).dictionary_encode(),
        "skipped": ["x" * 20] * ROWS,
        "y": pa.array(range(ROWS), pa.float64()),
    }
)


def write(path: Path, form: str) -> None:
    if form == "stream":
        with pa.ipc.new_stream(path, TABLE.schema) as writer:
            writer.write_table(TABLE, 40_000)
    elif form == "stream.gz":
        write(path.with_name("plain"), "stream")
        path.write_bytes(gzip.compress(path.with_name("plain").read_bytes(), 1))
    elif form == "file":
        with pa.ipc.new_file(path, TABLE.schema) as writer:
            writer.write_table(TABLE, 40_000)
    else:
        feather.write_feather(TABLE, path, compression=form)


@pytest.mark.parametrize("form", ["file", "stream", "stream.gz", "lz4", "zstd", "uncompressed"])
def test_arrow_reads_files_and_streams_compressed_or_not(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"rides.{form}"
    write(path, form)
    assert read_schema(path).names == TABLE.column_names
    batches = list(read_batches(path, ["y", "word", "n"]))
    assert max(batch.num_rows for batch in batches) <= 1 << 16
    assert pa.Table.from_batches(batches).to_pydict() == TABLE.select(["y", "word", "n"]).to_pydict()


def test_arrow_is_read_as_parquet_is(tmp_path: Path) -> None:
    table = TABLE.slice(0, 50)
    feather.write_feather(table, tmp_path / "t.feather")
    pq.write_table(table, tmp_path / "t.parquet")
    both = [
        make(tmp_path, source=s, input=str(tmp_path / f"t.{e}")) for s, e in (("arrow", "feather"), ("parquet",) * 2)
    ]
    assert all_rows(both[0]) == all_rows(both[1])
    assert both[0].columns == both[1].columns


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", ".*"), (b"a,y\n1,2\n" * 100, ".*"), (b"FEA1" + bytes(100), "it is Feather of version 1"), (b"ARROW1", ".*")],
)
def test_arrow_refuses_other_files(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "t.arrow").write_bytes(content)
    with pytest.raises(DataError, match=rf"t.arrow` cannot be read as Arrow: {reason}.* Name Arrow files"):
        make(tmp_path, source="arrow", input=str(tmp_path / "t.arrow"))


def test_arrow_refuses_a_file_that_was_cut(tmp_path: Path) -> None:
    for form in ("file", "stream"):
        write(tmp_path / "t", form)
        content = (tmp_path / "t").read_bytes()
        (tmp_path / "t").write_bytes(content[: len(content) // 2])
        settings: dict[str, Any] = {"source": "arrow", "input": str(tmp_path / "t")}
        with pytest.raises(DataError, match=r"cannot be read as Arrow: .*Name Arrow files"):
            make(tmp_path, **settings)


@pytest.mark.parametrize("encoded", [False, True])
def test_arrow_names_the_row_of_text_that_is_not_utf8(tmp_path: Path, encoded: bool) -> None:
    binary = pa.array([b"ok", b"na\xefve"])
    text = pa.Array.from_buffers(pa.string(), 2, binary.buffers())
    feather.write_feather(
        pa.table({"t": text.dictionary_encode() if encoded else text, "y": [1.0, 2.0]}), tmp_path / "t"
    )
    with pytest.raises(DataError, match=r"`t` row 1: `t` is 'na\\xefve', expected text in UTF-8. Fix the value"):
        make(tmp_path, source="arrow", input=str(tmp_path / "t"))


@pytest.mark.parametrize("form", ["file", "lz4", "stream"])
def test_arrow_tells_the_rows_of_the_batches_of_a_file(tmp_path: Path, form: str) -> None:
    write(tmp_path / "t", form)
    rows = {"file": [40_000, 40_000, 40_000, 30_000], "lz4": [1 << 16, 1 << 16, ROWS - (1 << 17)], "stream": []}
    assert group_rows(tmp_path / "t") == rows[form]
    if form != "stream":
        batches = list(read_batches(tmp_path / "t", ["n"], (70_000, 140_000)))
        assert pa.Table.from_batches(batches).to_pydict() == TABLE.select(["n"]).slice(70_000, 70_000).to_pydict()


def test_arrow_reads_types_that_others_can_stand_for(tmp_path: Path) -> None:
    identifiers = [uuid.UUID(int=n) for n in (1, 1, 2)]
    table = pa.table(
        {
            "id": pa.array([one.bytes for one in identifiers], pa.uuid()),
            "paid": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0, None], pa.int8())),
            "runs": pa.RunEndEncodedArray.from_arrays([2, 3], [1.5, 2.5]),
            "at": pa.array([datetime.datetime(1970, 1, 1, 0, 1), None, None]).dictionary_encode(),
            "y": [1.0, 2.0, 3.0],
        }
    )
    with pa.ipc.new_file(str(tmp_path / "t.arrow"), table.schema) as writer:
        writer.write_table(table)
    examples = make(tmp_path, source="arrow", input=str(tmp_path / "t.arrow"))
    assert examples.column_types == {"id": "BYTES", "paid": "INT", "runs": "FLOAT", "at": "INT", "y": "FLOAT"}
    assert examples.time_units == {"at": "s"}
    rows = all_rows(examples)
    assert [row["id"] for row in rows] == [str(one).encode() for one in identifiers]
    assert [row["paid"] for row in rows] == [1, 0, None]
    assert [row["runs"] for row in rows] == [1.5, 1.5, 2.5]
    assert [row["at"] for row in rows] == [60, None, None]
