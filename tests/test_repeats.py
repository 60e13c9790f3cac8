from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import repeats
from components.repeats import Repeats, find_leaked, find_repeats


def hashes(*values):
    return np.array(values, np.uint64)


def test_rows_that_were_there_before_are_counted_in_table_order():
    table = {"train": hashes(7, 3, 7, 5, 7), "eval": hashes(1, 5, 1, 7)}
    repeated, leaked = find_repeats(table)
    assert repeated == Repeats(5, ("train", 2))  # 7, 7 in train; 5, 1, 7 in eval
    assert leaked == {"eval": Repeats(2, ("eval", 1))}


def test_without_repeats_nothing_is_found():
    assert find_repeats({"train": hashes(1, 2), "eval": hashes()}) == (Repeats(0, None), {"eval": Repeats(0, None)})


small = st.lists(st.integers(0, 12), max_size=12)


@given(small, small, small)
def test_repeats_equal_a_count_by_hand(train, held, test):
    table = {"train": train, "eval": held, "test": test}
    seen, places = set(), []
    for split, values in table.items():
        for place, value in enumerate(values):
            if value in seen:
                places.append((split, place))
            seen.add(value)
    repeated, leaked = find_repeats({split: hashes(*values) for split, values in table.items()})
    assert repeated == Repeats(len(places), places[0] if places else None)
    for split in ("eval", "test"):
        leaks = [place for place, value in enumerate(table[split]) if value in train]
        assert leaked[split] == Repeats(len(leaks), (split, leaks[0]) if leaks else None)
    assert find_leaked({split: hashes(*values) for split, values in table.items()}) == leaked


def test_repeats_are_found_across_chunks(monkeypatch):
    monkeypatch.setattr(repeats, "CHUNK_ROWS", 7)
    values = np.random.default_rng(0).integers(0, 500, 400).astype(np.uint64)
    repeated, _ = find_repeats({"train": values})
    assert repeated.rows == 400 - len(np.unique(values))
    before = [place for place in range(400) if values[place] in values[:place]]
    assert repeated.first == ("train", before[0])


@pytest.mark.parametrize("kept", [1, 3])
def test_rows_that_are_all_equal_repeat_all_but_once(kept):
    table = {"train": hashes(*[9] * 10), "eval": hashes(*[9] * kept)}
    assert find_repeats(table)[0] == Repeats(9 + kept, ("train", 1))
