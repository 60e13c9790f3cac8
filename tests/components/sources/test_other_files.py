from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossnet.components.errors import DataError
from crossnet.components.sources.other_files import advice_for, unreadable
from crossnet.serving.protocol.csv_bytes import OtherFile
from support.example_gen_fixtures import make


@pytest.mark.parametrize(
    ("other", "advice"),
    [
        (OtherFile("a Parquet file", "parquet", ""), 'Set `example_gen.source = "parquet"`.'),
        (OtherFile("a zip archive", "", "Unpack it."), "Unpack it."),
        (OtherFile("a file of X", "x", ""), "Write its rows as CSV."),
    ],
)
def test_the_advice_names_the_source_that_reads_a_file(other: OtherFile, advice: str) -> None:
    assert advice_for(other) == advice


def test_a_file_of_another_format_is_named_as_what_it_is(tmp_path: Path) -> None:
    table = pa.table({"x": [1.0, 2.0], "y": [1.0, 2.0]})
    with pa.OSFile(str(tmp_path / "arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    pq.write_table(table, tmp_path / "parquet")
    (tmp_path / "packed").write_bytes(gzip.compress((tmp_path / "parquet").read_bytes()))
    for name, source, said in [
        ("arrow", "parquet", "is an Arrow file, and `example_gen.source` is 'parquet'. Set `example_gen.source = "),
        ("parquet", "arrow", "is a Parquet file, and `example_gen.source` is 'arrow'. Set `example_gen.source = "),
        ("packed", "parquet", "is compressed by gzip, and `example_gen.source` is 'parquet'. Unpack it."),
    ]:
        with pytest.raises(DataError, match=f"{name}` {said}"):
            make(tmp_path, source=source, input=str(tmp_path / name))


def test_refused_memory_is_not_a_file_of_another_format(tmp_path: Path) -> None:
    error = MemoryError("malloc of size 64 failed")
    assert unreadable(tmp_path / "absent", "parquet", error) is error


def test_a_file_that_is_gone_cannot_be_read(tmp_path: Path) -> None:
    error = unreadable(tmp_path / "absent", "parquet", OSError("gone.\nmore"))
    assert "cannot be read as Parquet: gone. Name Parquet files in" in str(error)
