from __future__ import annotations

import itertools

import numpy as np
import pytest

from crossnet.components.records import batches
from crossnet.components.records.batches import Columns, num_rows, rebatch, steady_batches, steady_rows
from crossnet.components.records.texts import as_texts
from crossnet.components.records.uniform_reader import Column


def table(texts: list[bytes]) -> Columns:
    numbers = np.arange(len(texts), dtype=np.float32)
    return {"n": Column(numbers, None if len(texts) < 3 else numbers % 3 > 0), "t": Column(as_texts(texts), None)}


def cut_at(whole: Columns, ends: list[int]) -> list[Columns]:
    bounds = [0, *ends, num_rows(whole)]
    return [
        {name: batches.cut(column, start, stop) for name, column in whole.items()}
        for start, stop in itertools.pairwise(bounds)
    ]


def sizes(chunks: list[Columns]) -> list[int]:
    return [num_rows(batch) for batch in steady_batches(chunks, 2)]


@pytest.mark.parametrize("ends", [[], [1], [3, 4, 5], [7, 7], list(range(1, 12))])
def test_batches_end_at_the_same_rows_however_the_rows_come(monkeypatch: pytest.MonkeyPatch, ends: list[int]) -> None:
    monkeypatch.setattr(batches, "MAX_BATCH_TEXT", 10)
    monkeypatch.setattr(batches, "_BATCH_ROWS", (4, 4))
    # 4 rows; then 3, for the next text would make 11 bytes; one that is too long alone; what is left.
    texts = [b"", b"", b"a", b"", b"bbbb", b"bbbb", b"cc", b"d", b"e" * 50, b"", b"f" * 10, b""]
    whole = table(texts)
    assert sizes(cut_at(whole, ends)) == [4, 3, 1, 1, 3]
    found = list(steady_batches(cut_at(whole, ends), 2))
    assert [text for batch in found for text in batch["t"].values.to_pylist()] == texts
    assert np.concatenate([batch["n"].values for batch in found]).tolist() == list(range(12))


def test_texts_of_lists_count_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MAX_BATCH_TEXT", 4)
    lists = Column(as_texts([b"aa", b"b", b"cc", b"ddd"]), None, np.array([2, 0, 1, 1]))
    assert sizes([{"t": lists}]) == [2, 1, 1]


def test_wide_tables_have_smaller_batches() -> None:
    assert [steady_rows(columns) for columns in (1, 128, 1024, 100_000)] == [65_536, 65_536, 8192, 1024]


def test_rebatch_gives_the_size_asked_for_and_joins_single_values_with_lists() -> None:
    single = Column(np.array([1, 0], np.int64), np.array([True, False]))
    several = Column(np.array([7, 8, 9], np.int64), None, np.array([2, 1]))
    (first, second) = rebatch([{"v": single}, {"v": several}], 3)
    assert first["v"].lengths is not None
    assert (first["v"].values.tolist(), first["v"].lengths.tolist()) == ([1, 7, 8], [1, 0, 2])
    assert second["v"].values.tolist() == [9]
