"""Which source the settings name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from components.params import ExampleGenParams
from components.sources import Source


def plan_source(files: Sequence[Path], params: ExampleGenParams) -> Source:
    """Returns the source of rows, after a look at its columns.

    Raises:
      DataError: The files cannot be read as they stand.
      SettingsError: A setting names a column that is not there.
    """
    # Each is imported where it is needed: Parquet's reader, for one, is large.
    if params.source == "csv":
        from components.csv_source import plan_csv

        return plan_csv(files, params)
    if params.source == "parquet":
        from components.parquet_source import plan_parquet

        return plan_parquet(files, params)
    if params.source == "tfrecord":
        from components.tfrecord_source import plan_tfrecord

        return plan_tfrecord(files, params)
    from components.synthetic_source import SyntheticSource

    return SyntheticSource(params)
