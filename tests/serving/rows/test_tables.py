"""Parquet, Arrow files and Arrow streams are read in batches, and an error names the file and the row."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pytest

from crossnet.serving.rows.formats import make_reader
from crossnet.serving.rows.tables import TableReader, joined
from crossnet.serving.status import RowsError
from support.row_files import table_bytes

TABLE = pa.table({"a": list(range(20_000)), "b": ["x"] * 20_000})


class Pipe(io.RawIOBase):
    """Bytes that can be read once, forwards."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._data.readinto(buffer)


def reader(content: bytes, kind: str) -> TableReader:
    table = make_reader(io.BytesIO(content), "parquet" if kind == "parquet" else "arrow", "rides")
    assert isinstance(table, TableReader)
    return table


@pytest.mark.parametrize("kind", ["parquet", "arrow", "stream"])
def test_rows_come_in_batches_with_their_numbers(kind: str) -> None:
    table = reader(table_bytes(TABLE, kind), kind)
    rows = list(table.rows())
    assert (table.header, len(rows), rows[0].place, rows[-1].place) == (
        ["a", "b"], 20_000, "rides row 0", "rides row 19,999"
    )  # fmt: skip
    assert len({id(row.values.batch) for row in rows}) > 1
    assert table.bytes_read >= TABLE.nbytes
    parts = list(joined(rows[8_000:9_000]))
    assert pa.Table.from_batches(parts).column("a").to_pylist() == list(range(8_000, 9_000))


def test_a_stream_of_batches_may_be_a_pipe() -> None:
    pipe = io.BufferedReader(Pipe(table_bytes(TABLE, "stream")))
    assert sum(1 for _ in TableReader(pipe, "standard input", "arrow").rows()) == 20_000


@pytest.mark.parametrize(("kind", "words"), [("parquet", "Parquet"), ("arrow", "Arrow")])
def test_a_file_that_is_read_from_its_end_may_not_be_a_pipe_or_compressed_as_a_whole(kind: str, words: str) -> None:
    content = table_bytes(TABLE, kind)
    packed = pa.CompressedInputStream(pa.BufferReader(pa.compress(content, "lz4", asbytes=True)), "lz4")
    for stream in (io.BufferedReader(Pipe(content)), io.BufferedReader(packed)):
        with pytest.raises(RowsError, match=f"is a pipe or is compressed as a whole; {words} is read from its end"):
            TableReader(stream, "rows", kind)


@pytest.mark.parametrize(
    ("content", "kind", "match"),
    [
        (b"a,b\n1,2\n", "parquet", "rides cannot be read as Parquet: .* name another format with `--format`"),
        (b"a,b\n1,2\n", "arrow", "rides cannot be read as Arrow: "),
        (b"", "parquet", "rides cannot be read as Parquet: "),
        (b"FEA1" + bytes(20), "arrow", "rides is Feather of version 1, which is not read. Write it as version 2"),
        (table_bytes(TABLE, "parquet")[:-9], "parquet", "rides cannot be read as Parquet: "),
        (table_bytes(TABLE, "arrow")[:-9], "arrow", "rides cannot be read as Arrow: "),
    ],
)
def test_another_file_is_an_error_in_words(content: bytes, kind: str, match: str) -> None:
    with pytest.raises(RowsError, match=match):
        reader(content, kind)


def test_a_stream_that_is_cut_short_is_an_error_in_words() -> None:
    table = reader(table_bytes(TABLE, "stream")[:-2000], "arrow")
    with pytest.raises(RowsError, match="rides cannot be read as Arrow: "):
        list(table.rows())


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_text_that_is_not_utf8_names_its_row(kind: str) -> None:
    raw = pa.array([b"x"] * 12 + [b"\xff"] + [b"x"] * 3, pa.binary())
    bad = pa.Array.from_buffers(pa.string(), len(raw), raw.buffers())
    content = table_bytes(pa.table({"zone": bad}), kind)
    with pytest.raises(RowsError, match="rides row 12: `zone` is not text in UTF-8. Fix the value, or write"):
        list(reader(content, kind).rows())


def test_two_columns_of_one_name_are_an_error() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])
    with pytest.raises(RowsError, match="rides .*`a`"):
        reader(table_bytes(table, "arrow"), "arrow")
