"""Hashes 64-bit numbers and texts, for splits, repeated rows and distinct values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]


def mix(values: Hashes) -> Hashes:
    """Returns splitmix64 of each number, uint64 of the same shape: every bit depends on every bit of the number.

    Source: Steele et al., 2014, Fast splittable pseudorandom number generators, https://doi.org/10.1145/2660193.2660195
    """
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    shifted = mixed >> np.uint64(30)
    mixed ^= shifted
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= np.right_shift(mixed, np.uint64(27), out=shifted)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= np.right_shift(mixed, np.uint64(31), out=shifted)
    return mixed


_WORD = 8  # bytes that are mixed at once
_MASKS = np.array([(1 << (8 * size)) - 1 for size in range(_WORD + 1)], np.uint64)
_SECOND = mix(np.ones(1, np.uint64))  # the place of the second word


def hash_texts(offsets: NDArray[Any], data: Any) -> Hashes:
    """Returns 64-bit hashes of texts, uint64 (texts,): the same in every process and on every machine.

    The first eight bytes are mixed with the length; each further eight bytes are mixed with their place and added.

    Args:
      offsets: int32 or int64 (texts + 1,), as in Arrow: text `i` is `data[offsets[i]:offsets[i + 1]]`.
      data: The bytes of all texts: bytes, or a buffer of them.
    """
    first, last = int(offsets[0]), int(offsets[-1])
    padded = np.zeros(last - first + _WORD, np.uint8)  # a whole word can be read at each byte
    padded[: last - first] = np.frombuffer(data, np.uint8, last - first, first) if last > first else 0
    words = np.ndarray((last - first + 1,), "<u8", padded, strides=(1,))
    starts, lengths = offsets[:-1].astype(np.int64) - first, np.diff(offsets).astype(np.int64)
    most = int(lengths.max(initial=0))
    sizes = mix(np.arange(most + 1, dtype=np.uint64))[lengths] if most < len(lengths) else mix(lengths.view(np.uint64))
    hashes = mix((words[starts] & _MASKS[np.minimum(lengths, _WORD)]) ^ sizes)
    rows = np.flatnonzero(lengths > _WORD)
    if len(rows):
        starts, lengths = starts[rows] + _WORD, lengths[rows] - _WORD
        sums = mix((words[starts] & _MASKS[np.minimum(lengths, _WORD)]) ^ _SECOND)
        long = np.flatnonzero(lengths > _WORD)
        if len(long):  # the words of a few texts, or of all, one after the other
            starts, lengths = starts[long], lengths[long]
            counts = (lengths - 1) // _WORD
            begins = np.cumsum(counts) - counts
            places = np.arange(1, int(counts.sum()) + 1) - np.repeat(begins, counts)
            further = words[np.repeat(starts, counts) + _WORD * places]
            further[begins + counts - 1] &= _MASKS[lengths - _WORD * counts]
            sums[long] += np.add.reduceat(mix(further ^ mix(places.astype(np.uint64) + np.uint64(1))), begins)
        hashes[rows] = mix(hashes[rows] + sums)
    return hashes


def hash_lists(own: Hashes, lengths: NDArray[np.int64]) -> Hashes:
    """Returns one hash per row, uint64 (rows,), from the hashes of its values in their order.

    Args:
      own: The hashes of all values.
      lengths: Values in each row.
    """
    starts = np.cumsum(lengths) - lengths
    places = np.arange(len(own)) - np.repeat(starts, lengths)
    mixed = mix(mix(own) ^ places.astype(np.uint64))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed, dtype=np.uint64)])
    hashes = mix(sums[starts + lengths] - sums[starts] + lengths.astype(np.uint64))
    # A single value has the same hash in a batch where no row has several values.
    single = lengths == 1
    hashes[single] = own[starts[single]]
    return hashes
