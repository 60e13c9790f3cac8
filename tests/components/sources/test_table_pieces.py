from __future__ import annotations

import datetime
import itertools
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossnet.components.engines.local import LocalEngine
from crossnet.components.errors import DataError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources import table_pieces
from crossnet.components.sources.base import RetypedError
from crossnet.components.sources.shares import share_out, whole
from crossnet.components.sources.table_pieces import cut_tables
from crossnet.components.sources.tables import TableSource, plan_tables
from support.example_gen_fixtures import make
from support.wide_engine import Wide


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_pieces, "LEAST_BYTES", 64)


def write(path: Path, table: pa.Table, groups: list[int]) -> TableSource:
    """Writes a file whose groups have so many rows, and returns the source that reads it."""
    starts = [sum(groups[:number]) for number in range(len(groups))]
    pieces = [table.slice(start, rows) for start, rows in zip(starts, groups, strict=True)]
    if path.suffix == ".parquet":
        with pq.ParquetWriter(path, table.schema) as writer:
            for piece in pieces:
                writer.write_table(piece)
    else:
        with pa.ipc.new_file(path, table.schema) as writer:
            for piece in pieces:
                writer.write_table(piece)
    form = "parquet" if path.suffix == ".parquet" else "arrow"
    return plan_tables([path], ExampleGenParams(source=form, input=str(path), label="y"))


def numbered(rows: int) -> pa.Table:
    return pa.table({"x": pa.array(range(rows), pa.int64()), "y": pa.array(range(rows), pa.float32())})


def values(source: TableSource) -> tuple[int, list[int]]:
    """Returns the number of the first row that is read, and a column."""
    batches = list(source.read(0, 1))
    for before, after in itertools.pairwise(batches):
        assert after.first_row == before.first_row + before.rows.num_rows
    return batches[0].first_row, [value for batch in batches for value in batch.rows["x"].to_pylist()]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(2, 5), st.sampled_from(["parquet", "arrow"]))
def test_pieces_have_all_rows_in_order_with_their_numbers(
    tmp_path_factory: pytest.TempPathFactory, groups: list[int], width: int, form: str
) -> None:
    rows = sum(groups)
    source = write(tmp_path_factory.mktemp("cut") / f"t.{form}", numbered(rows), groups)
    (pieces,) = cut_tables(source, Wide(width))
    found = [values(piece) for piece, _ in pieces]
    assert [value for _, own in found for value in own] == list(range(rows))
    assert all(first == own[0] and first % 4 == 0 for first, own in found)
    assert sum(size for _, size in pieces) <= source.sizes[0]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_a_large_file_is_shared_out_evenly(tmp_path: Path, form: str) -> None:
    source = write(tmp_path / f"t.{form}", numbered(1000), [100] * 10)
    for width in (1, 2, 5):
        jobs = share_out(source, Wide(width))
        assert [sum(len(values(read.source)[1]) for read in job) for job in jobs] == [1000 // width] * width


def test_a_file_is_read_whole_where_it_is_small_or_has_one_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "one.parquet", numbered(1000), [1000])
    assert cut_tables(source, Wide(3)) == [[(source, source.sizes[0])]]
    source = write(tmp_path / "t.parquet", numbered(1000), [500, 500])
    assert len(cut_tables(source, Wide(3))[0]) == 2
    monkeypatch.setattr(table_pieces, "LEAST_BYTES", 1 << 20)
    assert cut_tables(source, Wide(3)) == [[(source, source.sizes[0])]]


def test_a_stream_is_read_whole(tmp_path: Path) -> None:
    with pa.ipc.new_stream(tmp_path / "t.arrows", numbered(1000).schema) as writer:
        writer.write_table(numbered(1000), 100)
    source = plan_tables([tmp_path / "t.arrows"], ExampleGenParams(source="arrow", input="t", label="y"))
    assert cut_tables(source, Wide(3)) == [[(source, source.sizes[0])]]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    source = write(tmp_path / "t.parquet", numbered(1000), [500, 500])
    (tmp_path / "t.parquet").write_bytes(b"PAR1" * 100)
    with pytest.raises(DataError, match=r"t\.parquet` cannot be read as Parquet: .* Name Parquet files in"):
        cut_tables(source, Wide(2))


def test_messages_name_the_row_of_the_file(tmp_path: Path) -> None:
    table = pa.table({"t": [b"a"] * 999 + [b"\xff"], "y": pa.array(range(1000), pa.float32())})
    fields = pa.schema([("t", pa.string()), ("y", pa.float32())])
    arrays = [
        pa.Array.from_buffers(pa.string(), 1000, table["t"].combine_chunks().buffers()),
        table["y"].combine_chunks(),
    ]
    source = write(tmp_path / "t.parquet", pa.Table.from_arrays(arrays, schema=fields), [400, 600])
    ((_, _), (last, _)) = cut_tables(source, Wide(2))[0]
    with pytest.raises(DataError, match=r"`t\.parquet` row 999: `t` is"):
        list(last.read(0, 1))


def test_a_column_that_a_piece_shows_to_need_a_finer_unit_is_read_again_in_the_whole_file(tmp_path: Path) -> None:
    moments = [datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=n) for n in range(1000)]
    moments[-1] += datetime.timedelta(milliseconds=5)
    table = pa.table({"x": pa.array(moments, pa.timestamp("us")), "y": pa.array(range(1000), pa.float32())})
    source = write(tmp_path / "t.parquet", table, [400, 600])
    ((_, _), (last, _)) = cut_tables(source, Wide(2))[0]
    with pytest.raises(RetypedError) as caught:
        list(last.read(0, 1))
    again: Any = whole(caught.value.source, source)
    assert (len(values(again)[1]), again.units) == (1000, {"x": "ms"})


@pytest.mark.parametrize(("form", "split"), [("parquet", "random"), ("parquet", "hash"), ("arrow", "order")])
def test_no_byte_depends_on_the_cuts(tmp_path: Path, form: str, split: str) -> None:
    count = 5_001
    columns = {
        "x": [n % 97 for n in range(count)],
        "t": [None if n % 11 == 0 else "abc"[n % 3] for n in range(count)],
        "several": [[float(n)] * (n % 3) for n in range(count)],
        "y": [n / 2 if n % 50 else None for n in range(count)],
    }
    path = tmp_path / f"t.{form}"
    source = write(path, pa.table(columns), [1001, 1, 999, 2000, 1000])
    assert len(share_out(source, Wide(2))) == 2
    wanted = {"source": form, "input": str(path), "split": split, "num_shards": 2}
    one = make(tmp_path, **wanted)
    with LocalEngine(2, least_bytes=0) as engine:
        two = make(tmp_path, engine=engine, **wanted)
    files = [{f.relative_to(e.path): f.read_bytes() for f in e.path.rglob("*") if f.is_file()} for e in (one, two)]
    assert files[0] == files[1]
    assert (one.counts, one.properties) == (two.counts, two.properties)


def test_feather_is_cut_too(tmp_path: Path) -> None:
    feather.write_feather(numbered(1000), tmp_path / "t.feather", chunksize=100)
    source = plan_tables([tmp_path / "t.feather"], ExampleGenParams(source="arrow", input="t", label="y"))
    assert [values(piece)[0] for piece, _ in cut_tables(source, Wide(2))[0]] == [0, 500]
