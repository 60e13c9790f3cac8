"""Chooses the source that the settings name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.base import Source


def plan_source(files: Sequence[Path], params: ExampleGenParams) -> Source:
    """Returns the source of rows, after reading its header or schema; folders named `NAME=VALUE` are columns.

    Raises:
      DataError: The files cannot be read.
      SettingsError: A setting names a column that does not exist.
    """
    if any("=" in part for path in files for part in path.parts[:-1]):
        from crossnet.components.sources.hive import plan_hive

        return plan_hive(files, params, _plan_files)
    return _plan_files(files, params)


def _plan_files(files: Sequence[Path], params: ExampleGenParams) -> Source:
    # Imported on demand: Parquet's reader, for example, is large.
    if params.source == "csv":
        from crossnet.components.sources.csv import plan_csv

        return plan_csv(files, params)
    if params.source in ("parquet", "arrow", "jsonl", "sql"):  # the rows of a query are kept as Parquet
        from crossnet.components.sources.tables import plan_tables

        return plan_tables(files, params)
    if params.source == "tfrecord":
        from crossnet.components.sources.tfrecord import plan_tfrecord

        return plan_tfrecord(files, params)
    from crossnet.components.sources.synthetic import SyntheticSource

    return SyntheticSource(params)
