"""Some blocks of a split's rows: read from the batches that have them, and from no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossnet.components.artifacts.examples import Examples, columns_path
from crossnet.components.errors import DataError
from crossnet.components.records import batches
from crossnet.components.records.dataset import read_columns
from crossnet.components.records.row_blocks import RowBlocks
from support.example_gen_fixtures import make_csv

ROWS = 450


@pytest.fixture
def examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Examples:
    """Three shards whose columns are kept in batches of 64 rows."""
    monkeypatch.setattr(batches, "_BATCH_ROWS", (1, 64))
    lines = "".join(f"{n if n % 3 else ''},word {n},{n}\n" for n in range(500))
    return make_csv(tmp_path, f"a,t,y\n{lines}", eval_fraction=0.1, num_shards=3)


def labels(examples: Examples, blocks: RowBlocks | None = None, **more: int) -> list[list[float]]:
    columns = read_columns(examples, "train", columns=["y", "t"], blocks=blocks, **more)
    return [batch["y"].values.tolist() for batch in columns]


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize(("step", "size"), [(2, 100), (3, 1), (4, 64), (2, 1000)])
def test_readers_read_each_row_once_and_in_order(examples: Examples, kept: bool, step: int, size: int) -> None:
    if not kept:
        for path in examples.path.rglob("*.arrow"):
            path.unlink()
    whole = np.concatenate(labels(examples))
    assert len(whole) == ROWS
    for first in range(step):
        blocks = RowBlocks(first, step, size)
        found = labels(examples, blocks, batch_size=50)
        expected = whole[blocks.places(np.arange(blocks.count(ROWS)))]
        assert [value for batch in found for value in batch] == expected.tolist()
        assert all(len(batch) == 50 for batch in found[:-1])


def test_batches_without_own_rows_are_not_read(examples: Examples) -> None:
    path = columns_path(examples.shards("train")[0])
    data = bytearray(path.read_bytes())
    data[data.index(b"word 2" if b"word 2word" in data else b"word ")] ^= 1  # of the first batch
    path.write_bytes(data)
    assert sum(map(len, labels(examples, RowBlocks(1, 2, 64)))) == RowBlocks(1, 2, 64).count(ROWS)
    with pytest.raises(DataError, match=r"the checksum \(CRC32C\) of `t` in batch 0 is wrong"):
        labels(examples, RowBlocks(0, 2, 64))


def test_a_split_that_lost_a_shard_is_told_to_all_readers(examples: Examples) -> None:
    last = examples.shards("train")[-1]
    columns_path(last).unlink()
    last.write_bytes(b"")
    for first in range(2):
        with pytest.raises(DataError, match="Split `train` of .* has 300 records, expected 450"):
            labels(examples, RowBlocks(first, 2, 64))
