"""Runs StatisticsGen: summarises each split's columns, in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.statistics import Statistics, statistics_file
from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.components.records.dataset import check_count, read_file
from crossnet.components.records.wire_format import record_order
from crossnet.components.statistics.columns import ColumnStatistics, dataset_proto

ShardStatistics = dict[str, ColumnStatistics]


def generate_statistics(examples: Examples, *, output_dir: Path, params: StatisticsGenParams) -> Statistics:
    """Writes the statistics of every column of every split.

    Shards are summarised one by one and merged in their order, so any engine that does the same gets equal bytes.

    Returns:
      Counts: `columns`.

    Raises:
      DataError: A file is damaged, or a split has more or fewer records than were written.
    """
    types = examples.column_types
    for split in examples.splits:
        total = _empty(types, params)
        for shard in examples.shards(split):
            part = shard_statistics(shard, examples.compression, types, params)
            for name, column in total.items():
                column.merge(part[name])
        check_count(examples, split, next(iter(total.values())).num_rows)
        file = statistics_file(output_dir, split)
        file.parent.mkdir()
        proto = dataset_proto(split, examples.counts[split], total.values())
        file.write_bytes(proto.SerializeToString(deterministic=True))
    return Statistics(output_dir, counts={"columns": len(types)})


def shard_statistics(
    path: Path, compression: str, types: Mapping[str, str], params: StatisticsGenParams
) -> ShardStatistics:
    """Returns the statistics of one TFRecord file.

    Args:
      path: The file.
      compression: "" or "GZIP".
      types: Type ("FLOAT", "INT", "BYTES") by name of the columns.
      params: The sizes of histograms and vocabularies.
    """
    total = _empty(types, params)
    in_order = {
        name: types[name] for name in sorted(types, key=record_order)
    }  # the order of features in a record is read fastest
    for columns in read_file(path, compression, in_order):
        for name, column in columns.items():
            total[name].update(column)
    return total


def _empty(types: Mapping[str, str], params: StatisticsGenParams) -> ShardStatistics:
    return {name: ColumnStatistics(name, type_name, params) for name, type_name in types.items()}
