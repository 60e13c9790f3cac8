from __future__ import annotations

import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossnet.components.hashing import mix
from crossnet.components.validation import repeats
from crossnet.components.validation.repeats import Repeats, RowHashes


def find_repeats(**table):
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for split, values in table.items():  # two files a split, as of two shards
            for number, part in enumerate((values[:3], values[3:])):
                files.append(Path(folder) / f"{split}-{number}")
                files[-1].write_bytes(np.array(part, np.uint64).tobytes())
        found = RowHashes(files, {split: len(values) for split, values in table.items()}).find_repeats()
    return found


def test_rows_that_were_there_before_are_counted_in_table_order():
    repeated, leaked = find_repeats(train=[7, 3, 7, 5, 7], eval=[1, 5, 1, 7])
    assert repeated == Repeats(5, ("train", 2))  # 7, 7 in train; 5, 1, 7 in eval
    assert leaked == {"eval": Repeats(2, ("eval", 1))}


def test_without_repeats_nothing_is_found():
    assert find_repeats(train=[1, 2], eval=[]) == (Repeats(), {"eval": Repeats()})
    assert find_repeats(train=[], eval=[]) == (Repeats(), {"eval": Repeats()})


def test_rows_that_are_all_equal_repeat_all_but_once():
    assert find_repeats(train=[9] * 10, eval=[9] * 3) == (Repeats(12, ("train", 1)), {"eval": Repeats(3, ("eval", 0))})


def test_the_hashes_that_several_rows_have_are_told_up_to_a_number(tmp_path):
    file = tmp_path / "hashes"
    file.write_bytes(np.array([5, 9, 1, 9, 5, 2**64 - 1, 5], np.uint64).tobytes())
    hashes = RowHashes([file], {"train": 5, "eval": 2})
    assert hashes.shared(3).tolist() == [5, 9]
    assert hashes.shared(2) is None


small = st.lists(st.integers(0, 20), max_size=15)


@pytest.mark.parametrize(("range_rows", "chunk_rows"), [(1, 4), (7, 5), (1 << 20, 1 << 18)])
@settings(deadline=None)
@given(train=small, held=small, test=small)
def test_repeats_equal_a_count_by_hand(range_rows, chunk_rows, train, held, test):
    table = {"train": train, "eval": held, "test": test}
    seen, places = set(), []
    for split, values in table.items():
        for place, value in enumerate(values):
            if value in seen:
                places.append((split, place))
            seen.add(value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeats, "RANGE_ROWS", range_rows)
        patch.setattr(repeats, "CHUNK_ROWS", chunk_rows)
        spread = {split: mix(np.array(values, np.uint64)) for split, values in table.items()}
        repeated, leaked = find_repeats(**spread)
    assert repeated == Repeats(len(places), places[0] if places else None)
    for split in ("eval", "test"):
        leaks = [place for place, value in enumerate(table[split]) if value in train]
        assert leaked[split] == Repeats(len(leaks), (split, leaks[0]) if leaks else None)


def test_memory_does_not_grow_with_ranges(tmp_path, monkeypatch):
    monkeypatch.setattr(repeats, "RANGE_ROWS", 1 << 15)
    monkeypatch.setattr(repeats, "CHUNK_ROWS", 1 << 12)
    peaks = []
    for rows in (1 << 15, 1 << 18):
        file = tmp_path / f"{rows}"
        file.write_bytes((mix(np.arange(rows, dtype=np.uint64) // np.uint64(2))).tobytes())  # each row occurs twice
        tracemalloc.start()
        found, _ = RowHashes([file], {"train": rows}).find_repeats()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found == Repeats(rows // 2, ("train", 1))
    assert peaks[1] < 1.1 * peaks[0]
