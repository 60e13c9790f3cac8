"""Runs StatisticsGen: summarises each split's columns, in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from crossnet.components import progress
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.statistics import Statistics, statistics_file
from crossnet.components.engines.base import IN_PROCESS, Engine
from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.components.records.batches import Columns, concatenate, steady_rows
from crossnet.components.records.dataset import check_count, read_shard
from crossnet.components.records.kept_columns import has_columns
from crossnet.components.records.texts import is_text
from crossnet.components.records.wire_format import record_order
from crossnet.components.statistics.columns import ColumnStatistics, dataset_parts

GROUP_COLUMNS = 128
_WRITE_BYTES = 1 << 20  # half of the CPU of a call for each column
_MAX_ROWS, _MAX_VALUES = 1 << 16, 1 << 25  # of numbers that are summarised at once, in all columns of a table

ShardStatistics = dict[str, ColumnStatistics]


def generate_statistics(
    examples: Examples, *, output_dir: Path, params: StatisticsGenParams, engine: Engine = IN_PROCESS
) -> Statistics:
    """Writes the statistics of every column of every split.

    Shards are summarised one by one and merged in their order: the bytes depend on the number of shards (sums of
    floats), not on the engine. Where columns are kept beside the shards, `GROUP_COLUMNS` of them are summarised at a
    time, so that memory does not grow with columns.

    Returns:
      Counts: `columns`.

    Raises:
      DataError: A file is damaged, or a split has more or fewer records than were written.
    """
    kinds = examples.column_types
    types = {name: kinds[name] for name in sorted(kinds, key=record_order)}  # as records have them
    shards = {split: examples.shards(split) for split in examples.splits}
    all_shards = [shard for paths in shards.values() for shard in paths]
    groups = _groups(list(kinds), grouped=all(has_columns(shard, types) for shard in all_shards))
    jobs = [
        (shard, examples.compression, types, params, group)
        for paths in shards.values()
        for group in groups
        for shard in paths
    ]
    engine = engine.for_bytes(sum(shard.stat().st_size for shard in all_shards))
    parts = engine.map(shard_statistics, jobs)
    for split, paths in shards.items():

        def columns(split: str = split, paths: list[Path] = paths) -> Iterator[bytes]:
            for number, group in enumerate(groups):
                which = f", group {number + 1:,} of {len(groups):,} of columns" if len(groups) > 1 else ""
                progress.begin(f"rows of {split}{which}", progress.by_size(paths))
                total = _empty({name: types[name] for name in group}, params)
                for path, part in zip(paths, parts, strict=False):
                    for name, column in total.items():
                        column.merge(part[name])
                    progress.reached(path)
                check_count(examples, split, total[group[0]].num_rows)
                yield from (column.serialized() for column in total.values())

        file = statistics_file(output_dir, split)
        file.parent.mkdir()
        with file.open("wb", buffering=_WRITE_BYTES) as stream:
            stream.writelines(dataset_parts(split, examples.counts[split], columns()))
    return Statistics(output_dir, counts={"columns": len(types)})


def shard_statistics(
    path: Path, compression: str, types: dict[str, str], params: StatisticsGenParams, names: Sequence[str]
) -> ShardStatistics:
    """Returns the statistics of one shard.

    Args:
      path: The file.
      compression: "" or "GZIP".
      types: Type ("FLOAT", "INT", "BYTES") by name of the columns, best in the order of `record_order`.
      names: The columns to summarise.
      params: The sizes of histograms and vocabularies.
    """
    total = _empty({name: types[name] for name in names}, params)
    held: list[Columns] = []

    def add_numbers() -> None:
        for name, column in concatenate(held).items():
            total[name].update(column)
        held.clear()

    for columns in read_shard(path, compression, types, names):
        for name, column in columns.items():
            if is_text(column.values):
                total[name].update(column)
        held.append({name: column for name, column in columns.items() if not is_text(column.values)})
        if len(held) == _joined_batches(len(types)):
            add_numbers()
    if held:
        add_numbers()
    return total


def _joined_batches(num_columns: int) -> int:
    """Returns how many batches of numbers are summarised at once; each costs each column a merge of its sketches."""
    rows = steady_rows(num_columns)
    return max(1, min(_MAX_ROWS, _MAX_VALUES // num_columns) // rows)


def _groups(names: list[str], *, grouped: bool) -> list[list[str]]:
    """Returns the columns that are summarised together; all of them where each group would parse all records again."""
    if not grouped or len(names) < 2 * GROUP_COLUMNS:
        return [names]
    return [names[start : start + GROUP_COLUMNS] for start in range(0, len(names), GROUP_COLUMNS)]


def _empty(types: Mapping[str, str], params: StatisticsGenParams) -> ShardStatistics:
    return {name: ColumnStatistics(name, type_name, params) for name, type_name in types.items()}
