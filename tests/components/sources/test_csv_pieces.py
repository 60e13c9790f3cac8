from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossnet.components.engines.local import LocalEngine
from crossnet.components.errors import DataError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources import csv_pieces
from crossnet.components.sources.base import RetypedError
from crossnet.components.sources.csv import plan_csv
from crossnet.components.sources.csv_pieces import cut_files, piece_size
from crossnet.components.sources.shares import whole
from support.example_gen_fixtures import make
from support.wide_engine import Wide


def cut(folder: Path, text: str, width: int = 3, **changes):
    path = folder / "rows.csv"
    path.write_bytes(text.encode())
    source = plan_csv([path], ExampleGenParams(source="csv", input=str(path), **changes))
    return source, cut_files(source, Wide(width), least_bytes=1)[0]


def read(source) -> tuple[list[int], pa.Table]:
    batches = list(source.read(0, 1))
    return [batch.first_row for batch in batches], pa.Table.from_batches([batch.rows for batch in batches])


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 10**9), min_size=2, max_size=40),
    st.integers(2, 7),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_pieces_have_all_rows_in_order_with_their_numbers(tmp_path_factory, values, width, end, ends):
    text = end.join(["x,y", *(f"{value},{number}" for number, value in enumerate(values))]) + (end if ends else "")
    source, pieces = cut(tmp_path_factory.mktemp("cut"), text, width)
    firsts, rows = read(source)
    assert firsts == [0]
    found = [read(piece) for piece in pieces]
    assert pa.concat_tables([table for _, table in found]).combine_chunks() == rows.combine_chunks()
    starts = [first for (first, *_), _ in found]
    assert [table["y"][0].as_py() for _, table in found] == starts
    assert all(start % 4 == 0 for start in starts)  # the splits of the rows of a piece fill whole bytes
    assert sum(piece_size(piece, 0) for piece in pieces) == len(text)


ROWS = "".join(f"{n},{n}\n" for n in range(100))


def test_a_long_plain_file_is_cut_into_as_many_pieces_as_are_read_at_the_same_time(tmp_path):
    assert [len(cut(tmp_path, "x,y\n" + ROWS, width)[1]) for width in (1, 2, 5)] == [1, 2, 5]


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("x,y\n" + ROWS + '"1",2\n', {}),
        ("x,y\n" + ROWS + "\n1,2\n", {}),
        ("x,y\r\n" + ROWS.replace("\n", "\r\n") + "\r\n1,2\r\n", {}),
        ("x,y\n" + ROWS + "  \n1,2\n", {}),
        ("x,y\r\n" + ROWS.replace("\n", "\r\n") + "\t\r\n1,2\r\n", {}),
        ("x,y\n" + ROWS + " \t", {}),
        ("x,y\n" + ROWS + "1,2\r3,4\n", {}),
        ("x,y\n" + ROWS + "# a note\n", {"comment": "#"}),
    ],
    ids=["quote", "empty", "empty, CRLF", "blank", "blank, CRLF", "blank at the end", "lone CR", "comment"],
)
def test_a_file_in_which_a_line_may_not_be_a_row_is_read_whole(tmp_path, text, changes):
    source, pieces = cut(tmp_path, text, **changes)
    assert pieces == [source]


def test_messages_name_the_line_of_the_file(tmp_path):
    _, pieces = cut(tmp_path, "x,y\n" + ROWS + "word,1\n", numeric=("x",))
    with pytest.raises(DataError, match=r"`rows\.csv:102`: `x` is 'word'"):
        list(pieces[-1].read(0, 1))
    _, pieces = cut(tmp_path, "x,y\n" + ROWS)
    (tmp_path / "rows.csv").write_text("x,y\n" + ROWS.replace("99,99", "9,9,9"))
    with pytest.raises(DataError, match=r"`rows\.csv:101` is a long row"):
        list(pieces[-1].read(0, 1))


def test_a_column_that_a_piece_shows_to_hold_fractions_is_read_again_in_the_whole_file(tmp_path):
    text = "x,y\n" + "".join(f"{n},{n}\n" for n in range(12_000)) + "0.5,1\n"
    source, pieces = cut(tmp_path, text)
    assert {column.name: column.type for column in source.columns}["x"] == "INT"
    with pytest.raises(RetypedError) as caught:
        list(pieces[-1].read(0, 1))
    again = whole(caught.value.source, source)
    assert again.layouts == source.layouts
    assert len(read(again)[1]) == 12_001


def test_a_step_hands_its_engine_few_lists_however_many_files_and_splits_there_are(tmp_path, monkeypatch):
    """A pipeline of Beam on a service takes minutes to start: one counts lines, one reads, one writes."""
    for number in range(3):
        (tmp_path / f"{number}.csv").write_text("x,y\n" + "".join(f"{n},{n}\n" for n in range(1_000)))
    monkeypatch.setattr(csv_pieces, "LEAST_BYTES", 1000)
    wide = Wide(4)
    make(tmp_path, engine=wide, source="csv", input=str(tmp_path / "*.csv"), split="hash", num_shards=2)
    assert len(wide.lists) == 3
    assert wide.lists[-1] == 4  # the shards of train and eval


@pytest.mark.parametrize("split", ["random", "hash", "order"])
def test_no_byte_depends_on_the_cuts(tmp_path, monkeypatch, split):
    text = "x,t,y\n" + "".join(f"{n % 97},{'abc'[n % 3]},{n if n % 50 else ''}\n" for n in range(5_000)) + "0.5,d,1\n"
    (tmp_path / "rows.csv").write_text(text)
    wanted = {"source": "csv", "input": str(tmp_path / "rows.csv"), "split": split, "num_shards": 2}
    one = make(tmp_path, **wanted)
    monkeypatch.setattr(csv_pieces, "LEAST_BYTES", 1000)
    with LocalEngine(2, least_bytes=0) as engine:
        two = make(tmp_path, engine=engine, **wanted)
    files = [{f.relative_to(e.path): f.read_bytes() for f in e.path.rglob("*") if f.is_file()} for e in (one, two)]
    assert files[0] == files[1]
    assert (one.counts, one.properties) == (two.counts, two.properties)
