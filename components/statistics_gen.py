"""Runs StatisticsGen: summarises each split's columns, in one pass."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.statistics import Statistics, statistics_file
from crossnet.components.engines.base import IN_PROCESS, Engine
from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.components.records.dataset import check_count, read_shard
from crossnet.components.records.wire_format import record_order
from crossnet.components.statistics.columns import ColumnStatistics, dataset_proto

ShardStatistics = dict[str, ColumnStatistics]


def generate_statistics(
    examples: Examples, *, output_dir: Path, params: StatisticsGenParams, engine: Engine = IN_PROCESS
) -> Statistics:
    """Writes the statistics of every column of every split.

    Shards are summarised one by one and merged in their order: the bytes depend on the number of shards (sums of
    floats), not on the engine.

    Returns:
      Counts: `columns`.

    Raises:
      DataError: A file is damaged, or a split has more or fewer records than were written.
    """
    types = examples.column_types
    shards = {split: examples.shards(split) for split in examples.splits}
    jobs = [(shard, examples.compression, types, params) for paths in shards.values() for shard in paths]
    engine = engine.for_bytes(sum(shard.stat().st_size for shard, *_ in jobs))
    parts = engine.map(shard_statistics, jobs)
    for split, paths in shards.items():
        total = _empty(types, params)
        for part in itertools.islice(parts, len(paths)):
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
    """Returns the statistics of one shard.

    Args:
      path: The file.
      compression: "" or "GZIP".
      types: Type ("FLOAT", "INT", "BYTES") by name of the columns.
      params: The sizes of histograms and vocabularies.
    """
    total = _empty(types, params)
    in_order = {name: types[name] for name in sorted(types, key=record_order)}  # as records have them
    for columns in read_shard(path, compression, in_order, list(types)):
        for name, column in columns.items():
            total[name].update(column)
    return total


def _empty(types: Mapping[str, str], params: StatisticsGenParams) -> ShardStatistics:
    return {name: ColumnStatistics(name, type_name, params) for name, type_name in types.items()}
