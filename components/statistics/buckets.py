"""Writes the buckets of histograms as bytes, and reads them again.

A message for each bucket would take most of the time of a column's statistics.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import statistics_pb2

Floats = NDArray[np.float64]

# A bucket of a serialized tensorflow.metadata.v0.Histogram, none of whose numbers is 0.
_PARTS = [("tag", "<u2"), *((name, part) for n in "123" for name, part in ((f"tag{n}", "u1"), (f"value{n}", "<f8")))]
_BUCKET = np.dtype(_PARTS)
_TAGS = {"tag": 0x1B1A, "tag1": 0x09, "tag2": 0x11, "tag3": 0x21}  # field 3, 27 bytes; its fields 1, 2 and 4


@functools.lru_cache(maxsize=8)
def _tags(number: int) -> bytes:
    """Returns that many buckets without their numbers."""
    buckets = np.zeros(number, _BUCKET)
    for name, tag in _TAGS.items():
        buckets[name] = tag
    return buckets.tobytes()


def encoded_buckets(low: Floats, high: Floats, counts: Floats) -> bytes:
    """Returns a tensorflow.metadata.v0.Histogram with these buckets, serialized.

    Args:
      low, high, counts: float64 (buckets,).
    """
    data = bytearray(_tags(len(low)))
    buckets = np.frombuffer(data, _BUCKET)
    buckets["value1"], buckets["value2"], buckets["value3"] = low, high, counts
    if np.count_nonzero(low) == np.count_nonzero(high) == np.count_nonzero(counts) == len(low):
        return bytes(data)
    # Which leaves out each 0.
    return statistics_pb2.Histogram.FromString(bytes(data)).SerializeToString(deterministic=True)


def decoded_buckets(data: bytes) -> tuple[Floats, Floats] | None:
    """Returns what `bucket_values` does, of a serialized histogram that `encoded_buckets` made; None of another."""
    if len(data) % _BUCKET.itemsize:
        return None
    buckets = np.frombuffer(data, _BUCKET)
    if not all((buckets[name] == tag).all() for name, tag in _TAGS.items()):
        return None
    return buckets["value1"].copy(), buckets["value3"].copy()


def bucket_values(histogram: statistics_pb2.Histogram) -> tuple[Floats, Floats]:
    """Returns the low value and the count of each bucket, float64 (buckets,)."""
    found = decoded_buckets(histogram.SerializeToString())
    if found is not None:
        return found
    pairs = [(bucket.low_value, bucket.sample_count) for bucket in histogram.buckets]
    values, weights = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
    return values, weights


def evenly_spaced(low: float, high: float, number: int) -> Floats:
    """Returns the ends of `number` buckets of equal width, as `np.linspace`, which takes three times as long."""
    step = (high - low) / number
    if not step:
        return np.linspace(low, high, number + 1)
    edges = _counted(number) * step
    edges += low
    edges[-1] = high
    return edges


@functools.lru_cache(maxsize=8)
def _counted(number: int) -> Floats:
    return np.arange(number + 1, dtype=np.float64)
