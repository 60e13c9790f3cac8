"""Puts pieces of many rows behind each other, all rows at once.

A piece is copied as one item of a fixed size, its longest, whatever its own length. What is too much lies on the
pieces that follow in the row, or between two rows, and is written over by what comes there later. So pieces are put one
after the other, each in all rows, and `GAP` bytes between rows are written at the very end.

Measured on 2026-11-29 on 2 cores of an AMD EPYC, busy with other work: 6 to 9 ns for a piece of 8 to 48 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossnet.serving.protocol.tfrecord import FOOTER_BYTES, HEADER_BYTES

GAP = HEADER_BYTES + FOOTER_BYTES  # between the pieces of two rows, and behind the last row: what frames a record
_WIDEST = 128  # bytes of a text that are copied at once
_SINGLE = 1 << 10  # bytes of a text that is copied by itself

Ints = NDArray[np.int64]


class Fixed(NamedTuple):
    """Pieces whose rows are equally long arrays, of which each begins with the piece.

    Attributes:
      rows: int64 (pieces,), the rows that have one, ascending; None: all.
      data: uint8 (pieces, width); a piece lacks at most `GAP` bytes of `width`.
      lengths: int64 (pieces,), bytes of each piece, 0 in a row that has none; None: `width`.
    """

    rows: Ints | None
    data: NDArray[np.uint8]
    lengths: Ints | None = None


class Ragged(NamedTuple):
    """Pieces of any length.

    Attributes:
      rows: As in `Fixed`.
      data: uint8, the bytes of all pieces, and `_WIDEST` bytes behind them (see `padded`).
      starts, lengths: int64 (pieces,), where each piece begins in `data`, and its bytes.
    """

    rows: Ints | None
    data: NDArray[np.uint8]
    starts: Ints
    lengths: Ints


Piece = Fixed | Ragged


def padded(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns a copy with as many bytes behind it as are read beyond a piece."""
    copy = np.empty(len(data) + _WIDEST, np.uint8)
    copy[: len(data)] = data
    copy[len(data) :] = 0
    return copy


def sizes(pieces: Sequence[Piece], rows: int) -> Ints:
    """Returns the bytes of all pieces of each row, int64 (rows,)."""
    total = np.zeros(rows, np.int64)
    for piece in pieces:
        _add(total, piece)
    return total


def put(target: NDArray[np.uint8], at: Ints, pieces: Sequence[Piece]) -> None:
    """Writes the pieces of each row one after the other.

    Args:
      target: uint8. Between the pieces of two rows and behind the last there are at least `GAP` bytes, which are left
        with any content.
      at: int64 (rows,), where the pieces of each row begin, ascending; afterwards, where they end.
      pieces: In their order.
    """
    behind = GAP  # bytes that each row has, at least, behind the pieces that follow
    room = []
    for piece in reversed(pieces):
        room.append(behind)
        if piece.rows is None:
            behind += _least(piece)
    for piece, spare in zip(pieces, reversed(room), strict=True):
        places = at if piece.rows is None else at[piece.rows]
        if isinstance(piece, Ragged):
            _put_ragged(target, places, piece, spare)
        else:
            _put_fixed(target, places, piece, spare)
        _add(at, piece)


def _put_fixed(target: NDArray[np.uint8], at: Ints, piece: Fixed, spare: int) -> None:
    """Copies all of them, also those without bytes where what these leave is written over."""
    width = piece.data.shape[1]
    items = _items(piece.data.reshape(-1), width, step=True)
    if piece.lengths is not None and width - _least(piece) > spare:
        some = np.flatnonzero(piece.lengths)
        at, items = at[some], items[some]
    if len(at):  # the piece may be wider than the target
        _items(target, width)[at] = items


def _put_ragged(target: NDArray[np.uint8], at: Ints, piece: Ragged, spare: int) -> None:
    """Copies as many bytes at once as the longest has, but no more than may be written beyond a piece."""
    starts, lengths = piece.starts, piece.lengths
    for place in np.flatnonzero(lengths > _SINGLE).tolist():
        size = int(lengths[place])
        target[at[place] : at[place] + size] = piece.data[starts[place] : starts[place] + size]
    rest = np.flatnonzero(lengths <= _SINGLE) if lengths.max(initial=0) > _SINGLE else None
    if rest is not None:
        at, starts, lengths = at[rest], starts[rest], lengths[rest]
    width = min(-(-int(lengths.max(initial=0)) // 8) * 8, _WIDEST, spare)
    if not width:
        return
    read, written = _items(piece.data, width), _items(target, width)
    while len(at):
        written[at] = read[starts]
        longer = np.flatnonzero(lengths > width)
        at, starts, lengths = at[longer] + width, starts[longer] + width, lengths[longer] - width


def _items(data: NDArray[np.uint8], width: int, *, step: bool = False) -> NDArray[Any]:
    """Returns the `width` bytes at each byte as one item or, with `step`, each `width` bytes."""
    if step:
        return data.view(f"V{width}")
    return np.ndarray((len(data) - width + 1,), f"V{width}", data, strides=(1,))


def _least(piece: Piece) -> int:
    if isinstance(piece, Fixed) and piece.lengths is None:
        return piece.data.shape[1]
    return int(piece.lengths.min(initial=1 << 62)) if piece.lengths is not None and len(piece.lengths) else 0


def _add(total: Ints, piece: Piece) -> None:
    lengths: Any = piece.data.shape[1] if piece.lengths is None else piece.lengths
    if piece.rows is None:
        total += lengths
    else:
        total[piece.rows] += lengths
