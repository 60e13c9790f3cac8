"""Makes Examples from a few lines of text and reads them back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from crossnet.components.artifacts.examples import Examples
from crossnet.components.engines.base import IN_PROCESS, Engine
from crossnet.components.example_gen import generate_examples
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.records.dataset import Columns, read_columns, read_file


def make(tmp_path: Path, *, engine: Engine = IN_PROCESS, **settings: Any) -> Examples:
    """Returns Examples made in a new folder below `tmp_path`."""
    output_dir = tmp_path / f"examples-{len(list(tmp_path.glob('examples-*')))}"
    output_dir.mkdir()
    return generate_examples(output_dir=output_dir, params=ExampleGenParams(**settings), engine=engine)


def make_csv(tmp_path: Path, content: str | bytes, **settings: Any) -> Examples:
    """Returns Examples made from the text of one CSV file, rides.csv."""
    path = tmp_path / "rides.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return make(tmp_path, **{"source": "csv", "input": str(path), **settings})


def rows_of(examples: Examples, split: str) -> list[dict[str, Any]]:
    """Returns a split as one dict per record, None where a value is missing, a list where there are several.

    The records are parsed; the columns that are kept beside them must hold the same.
    """
    types = examples.column_types
    parsed = (batch for shard in examples.shards(split) for batch in read_file(shard, examples.compression, types))
    rows = _as_dicts({name: batch[name] for name in types} for batch in parsed)
    kept = _as_dicts(read_columns(examples, split, batch_size=1000))
    np.testing.assert_equal(kept, rows)  # NaN is NaN
    return rows


def _as_dicts(batches: Iterable[Columns]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for batch in batches:
        columns = {}
        for name, column in batch.items():
            values = column.values.tolist()
            if column.lengths is not None:
                ends = column.lengths.cumsum().tolist()
                starts = [0, *ends[:-1]]
                columns[name] = [values[a:b] or None for a, b in zip(starts, ends, strict=True)]
            else:
                present = [True] * len(values) if column.present is None else column.present.tolist()
                columns[name] = [value if is_there else None for value, is_there in zip(values, present, strict=True)]
        rows += [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return rows


def all_rows(examples: Examples) -> list[dict[str, Any]]:
    """Returns the rows of train, then those of eval."""
    return rows_of(examples, "train") + rows_of(examples, "eval")
