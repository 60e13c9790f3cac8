"""Hashes 64-bit numbers, for splits, repeated rows and distinct values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]


def mix(values: Hashes) -> Hashes:
    """Returns splitmix64 of each number, uint64 of the same shape: every bit depends on every bit of the number.

    Source: Steele et al., 2014, Fast splittable pseudorandom number generators, https://doi.org/10.1145/2660193.2660195
    """
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed
