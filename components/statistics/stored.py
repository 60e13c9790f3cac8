"""Reads what StatisticsGen recorded of each column of a split.

A column of numbers has a bucket for each of some 1,000 points. To read these as arrays, and the rest as a message,
takes a third of the CPU of a message for each of them (1,000 columns, 2026-11-30).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tensorflow_metadata.proto.v0 import statistics_pb2

from crossnet.components.artifacts.statistics import Statistics, statistics_file
from crossnet.components.records.wire_format import tagged
from crossnet.components.statistics.columns import custom_number
from crossnet.components.statistics.sketches import EMPTY_POINTS, Points
from crossnet.components.statistics.values import DISTRIBUTION, RANK_ERROR, bucket_values, decoded_buckets
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
    data = statistics_file(statistics.path, split).read_bytes()
    columns = {}
    for number, _, start, stop in _fields(data, 0, len(data)):
        for inner, _, first, last in _fields(data, start, stop) if number == _DATASETS else ():
            if inner == _FEATURES:
                column = _column(data, first, last)
                columns[column.summary.path.step[0]] = column
    return columns


def stored_of(statistics: statistics_pb2.FeatureNameStatistics) -> StoredColumn:
    """Returns what was recorded of a column, from the whole message."""
    for custom in statistics.custom_stats:
        if custom.name == DISTRIBUTION:
            return StoredColumn(
                statistics, Points(*bucket_values(custom.histogram), custom_number(statistics, RANK_ERROR))
            )
    return StoredColumn(statistics, EMPTY_POINTS)


def _column(data: bytes, first: int, last: int) -> StoredColumn:
    for number, begin, start, stop in _fields(data, first, last):
        if number == _CUSTOM_STATS and data.startswith(_START, start):
            size, content = read_varint(data, start + len(_START))
            found = decoded_buckets(data[content:stop]) if content + size == stop else None
            if found is None:  # another tool wrote it
                break
            rest = statistics_pb2.FeatureNameStatistics.FromString(data[first:begin] + data[stop:last])
            return StoredColumn(rest, Points(*found, custom_number(rest, RANK_ERROR)))
    return stored_of(statistics_pb2.FeatureNameStatistics.FromString(data[first:last]))


def _fields(data: bytes, position: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
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
