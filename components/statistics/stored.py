"""Reads what StatisticsGen recorded of each column of a split.

A column of numbers has a bucket for each of some 1,000 points. To read these as arrays, and the rest as a message,
takes a third of the CPU of a message for each of them (1,000 columns, 2026-11-30).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import NamedTuple

from tensorflow_metadata.proto.v0 import statistics_pb2

from crossnet.components.artifacts.statistics import Statistics, statistics_file
from crossnet.components.records.wire_format import tagged
from crossnet.components.statistics.buckets import bucket_values, decoded_buckets
from crossnet.components.statistics.columns import custom_number
from crossnet.components.statistics.sketches import EMPTY_POINTS, Points
from crossnet.components.statistics.values import DISTRIBUTION, RANK_ERROR
from crossnet.serving.protocol.varint import read_varint

_DATASETS, _FEATURES, _CUSTOM_STATS = 1, 3, 6  # numbers of fields
_VARINT, _LENGTH = 0, 2  # types of fields
_BYTES_OF = {1: 8, 5: 4}  # by the other types of fields
_START = tagged(0x0A, DISTRIBUTION.encode()) + b"\x22"  # of the custom statistic, before the histogram's length


class StoredColumn(NamedTuple):
    """What was recorded of a column of a split.

    Attributes:
      summary: The statistics; of those that were read from a file, all but `DISTRIBUTION`.
      points: The weighted sample of a numeric column; empty for text.
    """

    summary: statistics_pb2.FeatureNameStatistics
    points: Points


def stored_columns(statistics: Statistics, split: str) -> dict[str, StoredColumn]:
    """Returns what was recorded of each column of a split, by name."""
    return {column.summary.path.step[0]: column for column in _read(statistics, split, with_points=True)}


def summaries(statistics: Statistics, split: str) -> dict[str, statistics_pb2.FeatureNameStatistics]:
    """Returns `StoredColumn.summary` of each column of a split, by name."""
    return {column.summary.path.step[0]: column.summary for column in _read(statistics, split, with_points=False)}


def stored_of(statistics: statistics_pb2.FeatureNameStatistics) -> StoredColumn:
    """Returns what was recorded of a column, from the whole message."""
    for custom in statistics.custom_stats:
        if custom.name == DISTRIBUTION:
            return StoredColumn(
                statistics, Points(*bucket_values(custom.histogram), custom_number(statistics, RANK_ERROR))
            )
    return StoredColumn(statistics, EMPTY_POINTS)


def _read(statistics: Statistics, split: str, *, with_points: bool) -> Iterator[StoredColumn]:
    """Yields the columns of a split. The file is mapped: its pages need not be copied, nor read where points are."""
    path = statistics_file(statistics.path, split)
    if not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for number, _, start, stop in _fields(data, 0, len(data)):
            for inner, _, first, last in _fields(data, start, stop) if number == _DATASETS else ():
                if inner == _FEATURES:
                    yield _column(data, first, last, with_points=with_points)


def _column(data: mmap.mmap, first: int, last: int, *, with_points: bool) -> StoredColumn:
    for number, begin, start, stop in _fields(data, first, last):
        if number == _CUSTOM_STATS and data[start : start + len(_START)] == _START:
            rest = statistics_pb2.FeatureNameStatistics.FromString(data[first:begin] + data[stop:last])
            if not with_points:
                return StoredColumn(rest, EMPTY_POINTS)
            size, content = read_varint(data, start + len(_START))
            found = decoded_buckets(data[content:stop]) if content + size == stop else None
            if found is None:  # another tool wrote it, or a point is 0
                break
            return StoredColumn(rest, Points(*found, custom_number(rest, RANK_ERROR)))
    return stored_of(statistics_pb2.FeatureNameStatistics.FromString(data[first:last]))


def _fields(data: mmap.mmap, position: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
    """Yields each field's number, where it begins, and where its content begins and ends."""
    while position < stop:
        begin = position
        tag, position = read_varint(data, position)
        if tag & 7 == _LENGTH:
            size, position = read_varint(data, position)
        elif tag & 7 == _VARINT:
            size = read_varint(data, position)[1] - position
        else:
            size = _BYTES_OF[tag & 7]
        yield tag >> 3, begin, position, position + size
        position += size
