"""The rows of kept columns, counted from the index of their file, against what pyarrow reads."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from crossnet.components.artifacts.examples import Examples, columns_path
from crossnet.components.errors import DataError
from crossnet.components.records import batches
from crossnet.components.records.kept_rows import batch_rows
from support.example_gen_fixtures import make_csv


def make_examples(folder: Path, rows: int = 100) -> Examples:
    lines = "".join(f"{n if n % 3 else ''},{'long ' * (n % 40)},{n}\n" for n in range(rows))
    return make_csv(folder, f"a,t,y\n{lines}", eval_fraction=0.1)


@pytest.mark.parametrize(("most_rows", "most_text"), [(1 << 16, 1 << 25), (7, 1 << 25), (64, 300)])
def test_batches_have_the_rows_that_the_index_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_rows: int, most_text: int
) -> None:
    monkeypatch.setattr(batches, "_BATCH_ROWS", (1, most_rows))
    monkeypatch.setattr(batches, "MAX_BATCH_TEXT", most_text)
    (shard,) = make_examples(tmp_path).shards("train")
    with pa.OSFile(str(columns_path(shard))) as file, pa.ipc.open_file(file) as reader:
        expected = [reader.get_batch(number).num_rows for number in range(reader.num_record_batches)]
    assert batch_rows(shard) == expected
    assert sum(expected) == 90
    assert (len(expected) > 1) == (most_rows < 100)


def test_a_file_without_batches_has_no_rows(tmp_path: Path) -> None:
    shard = tmp_path / "data_tfrecord-00000-of-00001"
    with pa.ipc.new_file(str(columns_path(shard)), pa.schema([("a", pa.int64())])):
        pass
    assert batch_rows(shard) == []


@pytest.mark.parametrize("size", [0, 5, 300, -1])
def test_a_file_that_was_cut_is_damaged(tmp_path: Path, size: int) -> None:
    (shard,) = make_examples(tmp_path).shards("train")
    path = columns_path(shard)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=r"arrow` is damaged: its index cannot be read .* Call `crossnet run` again"):
        batch_rows(shard)


def test_an_index_of_other_bytes_is_damaged_or_gives_numbers(tmp_path: Path) -> None:
    (shard,) = make_examples(tmp_path).shards("train")
    path = columns_path(shard)
    data = path.read_bytes()
    refused = 0
    for place in range(len(data) - 250, len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        try:
            assert all(isinstance(rows, int) for rows in batch_rows(shard))
        except DataError:
            refused += 1
    assert refused
