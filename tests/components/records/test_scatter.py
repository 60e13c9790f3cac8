"""Pieces compared with those joined one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossnet.components.records.scatter import GAP, Fixed, Piece, Ragged, padded, put, sizes

TEXTS = st.binary(max_size=20) | st.sampled_from(
    [bytes(range(1, size + 1)) for size in (8, 16, 17, 127, 128, 129, 200)]
)
TEXTS |= st.sampled_from([b"m" * size for size in (256, 1023, 1024, 1025, 3000)])


def piece_of(texts: list[bytes | None], *, fixed: bool, named: bool = True) -> Piece:
    """Returns the texts of some rows as a piece; None where a row has none, whose place is `named` or its length 0."""
    rows = None if None not in texts or not named else np.flatnonzero([text is not None for text in texts])
    own = [text or b"" for text in texts if text is not None or not named]
    lengths = np.array([len(text) for text in own], np.int64)
    if fixed:
        width = max([1, *lengths.tolist()])
        data = np.frombuffer(b"".join(text.ljust(width, b"?") for text in own), np.uint8).reshape(-1, width)
        return Fixed(rows, data, None if (lengths == width).all() else lengths)
    between = b"?" * 3  # texts need not lie one after the other
    starts = np.cumsum(lengths + 3) - lengths - 3
    return Ragged(rows, padded(np.frombuffer(between.join([*own, b""]), np.uint8)), starts, lengths)


@st.composite
def tables(draw: Any) -> tuple[list[list[bytes | None]], list[bool], list[bool]]:
    rows = draw(st.integers(1, 6))
    columns, fixed, named = [], [], []
    for _ in range(draw(st.integers(1, 5))):
        fixed.append(draw(st.booleans()))
        named.append(draw(st.booleans()))
        least = draw(st.sampled_from([1, 20]))  # so long that one that is absent may lack more than `GAP`
        value = st.binary(min_size=least, max_size=least + GAP - 1) if fixed[-1] else TEXTS
        columns.append(
            draw(st.lists(value | st.none() if draw(st.booleans()) else value, min_size=rows, max_size=rows))
        )
    return columns, fixed, named


@settings(deadline=None)
@given(tables())
def test_pieces_lie_one_after_the_other_in_each_row(
    table: tuple[list[list[bytes | None]], list[bool], list[bool]],
) -> None:
    columns, *kinds = table
    pieces = [piece_of(texts, fixed=fixed, named=named) for texts, fixed, named in zip(columns, *kinds, strict=True)]
    expected = [b"".join(text or b"" for text in row) for row in zip(*columns, strict=True)]
    lengths = sizes(pieces, len(expected))
    assert lengths.tolist() == [len(row) for row in expected]
    starts = np.cumsum(lengths + GAP) - lengths - GAP
    target, ends = np.zeros(int((lengths + GAP).sum()), np.uint8), starts.copy()
    put(target, ends, pieces)
    assert ends.tolist() == (starts + lengths).tolist()
    assert [target[a:b].tobytes() for a, b in zip(starts.tolist(), ends.tolist(), strict=True)] == expected


@pytest.mark.parametrize("size", [7, 16, 64, 300])
def test_a_short_text_behind_a_long_one_leaves_the_next_row_alone(size: int) -> None:
    """The longest text is copied in one go where what follows is long enough, and only there."""
    texts = piece_of([b"x" * size, b"", b"y"], fixed=False)
    for last in ([b"1", b"2", b"3"], [b"1" * 200, b"2" * 200, b"3" * 200], [b"1", None, None]):
        pieces = [piece_of([b"a", b"b", b"c"], fixed=True), texts, piece_of(last, fixed=False)]
        lengths = sizes(pieces, 3)
        starts = np.cumsum(lengths + GAP) - lengths - GAP
        target = np.zeros(int((lengths + GAP).sum()), np.uint8)
        put(target, starts.copy(), pieces)
        assert [target[start] for start in starts] == [*b"abc"]
