from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components import repeats
from components.repeats import Repeats, find_leaked, find_repeats


def hashes(*values):
    return np.array(values, np.uint64)


def test_rows_that_were_there_before_are_counted():
    assert find_repeats(hashes(7, 3, 7, 5, 7, 1, 5, 1, 7)) == Repeats(5, 2)
    assert find_leaked(hashes(1, 5, 1, 7), hashes(7, 3, 7, 5, 7)) == Repeats(2, 1)


def test_without_repeats_nothing_is_found():
    assert find_repeats(hashes()) == find_repeats(hashes(1, 2)) == Repeats(0, None)
    assert find_leaked(hashes(), hashes(1)) == find_leaked(hashes(1), hashes()) == Repeats(0, None)


@pytest.mark.parametrize("chunk_rows", [1, 5, 1 << 20])
@given(table=st.lists(st.integers(0, 30), max_size=30), train=st.lists(st.integers(0, 30), max_size=12))
def test_repeats_equal_a_count_by_hand(chunk_rows, table, train):
    again = [place for place, value in enumerate(table) if value in table[:place]]
    leaks = [place for place, value in enumerate(table) if value in train]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeats, "CHUNK_ROWS", chunk_rows)
        assert find_repeats(hashes(*table)) == Repeats(len(again), again[0] if again else None)
        assert find_leaked(hashes(*table), hashes(*train)) == Repeats(len(leaks), leaks[0] if leaks else None)


def test_rows_that_are_all_equal_repeat_all_but_once():
    assert find_repeats(hashes(*[9] * 10)) == Repeats(9, 1)
