"""Columns written while rows are read: where they are, and which need not be written again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crossnet.components.artifacts.examples import columns_path
from crossnet.components.records import batches
from crossnet.components.records.column_spool import ColumnSpool, Part, parts_of
from crossnet.components.records.kept_columns import read_kept, write_columns

TYPES = {"v": "INT", "t": "BYTES", "f": "FLOAT"}


def rows_from(first: int, rows: int, text: str = "w") -> pa.RecordBatch:
    numbers = range(first, first + rows)
    return pa.record_batch(
        {
            "v": pa.array([None if n % 7 == 3 else n for n in numbers], pa.int64()),
            "t": pa.array([None if n % 5 == 2 else f"{text}{n}".encode() for n in numbers], pa.binary()),
            "f": pa.array([n / 4 for n in numbers], pa.float32()),
        }
    )


def spool_of(folder: Path, *written: pa.RecordBatch) -> ColumnSpool:
    folder.mkdir()
    spool = ColumnSpool(folder / "spool")
    for batch in written:
        spool.write(batch)
    spool.close()
    return spool


def shard_of(folder: Path, spool: ColumnSpool, rows: int, **how: Any) -> bytes:
    """Returns the file of columns of a shard that holds the first rows of a spool."""
    shard = folder / "data_tfrecord-00000-of-00001"
    shard.write_bytes(bytes(100))
    write_columns(shard, parts_of(spool.pieces, 0, rows), TYPES, **how)
    return columns_path(shard).read_bytes()


def test_a_spool_of_columns_says_where_rows_are(tmp_path: Path) -> None:
    spool = spool_of(
        tmp_path / "lists", *(pa.record_batch({"v": pa.array(values)}) for values in ([1, 2, 3], [4, 5], [[6], [7, 8]]))
    )
    assert [
        (part.piece.path.name, part.piece.number, part.start, part.stop) for part in parts_of(spool.pieces, 2, 6)
    ] == [
        ("spool.1.arrow", 0, 2, 3),
        ("spool.1.arrow", 1, 0, 2),
        ("spool.2.arrow", 0, 0, 1),
    ]
    assert [bool(piece.lists) for piece in spool.pieces] == [False, False, True]


@pytest.mark.parametrize("rows", [100, 99, 64, 63, 32, 5])
def test_a_spool_that_becomes_a_shard_gives_the_bytes_that_are_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(batches, "_BATCH_ROWS", (1, 32))
    written = [rows_from(0, 20), rows_from(20, 70), rows_from(90, 10)]
    anew = shard_of(tmp_path, spool_of(tmp_path / "a", *written), rows)
    spool = spool_of(tmp_path / "b", *written)
    assert [(piece.rows, piece.is_final) for piece in spool.pieces] == [(32, True)] * 3 + [(4, True)]
    first = spool.pieces[0].path
    file = first.stat().st_ino
    assert shard_of(tmp_path, spool, rows, is_spool=True) == anew
    became = columns_path(tmp_path / "data_tfrecord-00000-of-00001").stat().st_ino == file
    assert became == (not first.exists()) == (rows >= 32)  # else no whole batch is in the shard


@pytest.mark.parametrize("odd", ["long", "types"])
def test_batches_that_are_cut_in_another_way_are_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: str
) -> None:
    monkeypatch.setattr(batches, "_BATCH_ROWS", (1, 32))
    monkeypatch.setattr(batches, "MAX_BATCH_TEXT", 2000)
    other = rows_from(40, 40, "long " * 100)
    if odd == "types":
        other = rows_from(40, 40)
        other = other.set_column(1, "t", other["t"].cast(pa.large_binary()))
    spool = spool_of(tmp_path / "a", rows_from(0, 40), other, rows_from(80, 20))
    assert [piece.is_final for piece in spool.pieces] == [True] + [False] * (len(spool.pieces) - 1)
    assert sum(piece.rows for piece in spool.pieces) == 100
    anew = shard_of(tmp_path, spool, 100)
    assert shard_of(tmp_path, spool, 100, is_spool=True) == anew
    values = [
        value
        for columns in read_kept(tmp_path / "data_tfrecord-00000-of-00001", ["f"])
        for value in columns["f"].values
    ]
    assert values == [n / 4 for n in range(100)]


def test_parts_are_the_rows_between_two_places(tmp_path: Path) -> None:
    spool = spool_of(tmp_path / "a", rows_from(0, 10))
    assert parts_of(spool.pieces, 3, 7) == [Part(spool.pieces[0], 3, 7)]
    assert parts_of(spool.pieces, 3, 3) == []
