"""Measures what `init` takes to look at 300,000 rows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from benchmarks.harness import Row, cost, interleave

ROWS, COLUMNS = 300_000, 19
GOAL = 5.0  # CPU seconds


def rows() -> Iterator[Row]:
    """Yields one row: all of `init` but the interpreter's start."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.csv"
        write_table(file, ROWS)
        ours, other, ratio, scatter = interleave(
            lambda: cost(lambda: look_at(file)), lambda: cost(lambda: read_as_text(file)), repeats=3
        )
    alternative = "pyarrow.csv: the same file, every column as text, with nothing counted"
    yield Row(
        "init", f"{ROWS:,} rows x {COLUMNS} columns, 6 of them text", ours, other, "CPU s", ratio,
        f"<= {GOAL:g} CPU s", ours <= GOAL, alternative, scatter=scatter,
    )  # fmt: skip


def write_table(file: Path, num_rows: int) -> None:
    """Writes numbers, whole numbers, a key, categories, codes, times in their order, and text without repetition."""
    draw = np.random.default_rng(0)
    zone = draw.integers(0, 40, num_rows)
    columns: dict[str, Any] = {f"f{n}": np.round(draw.normal(size=num_rows), 4) for n in range(8)}
    columns |= {f"i{n}": draw.integers(0, 10 ** (n + 1), num_rows) for n in range(4)}
    seconds = np.sort(draw.integers(0, 10**8, num_rows)).astype("timedelta64[s]")
    columns |= {
        "id": np.arange(num_rows),
        "zone": np.char.add("zone ", zone.astype(str)),
        "code": np.char.add("c", draw.integers(0, 20_000, num_rows).astype(str)),
        "flag": draw.choice(["yes", "no"], num_rows),
        "sold": (np.datetime64("2020-01-01T00:00:00") + seconds).astype(str),
        "note": np.char.add("note number ", draw.integers(0, 10**9, num_rows).astype(str)),
        "y": np.round(columns["f0"] * 3 + zone + draw.normal(size=num_rows), 3),
    }
    arrow_csv.write_csv(pa.table(columns), file)


def look_at(file: Path) -> None:
    """Does what `crossnet init` does."""
    from crossnet.pipeline.init.config_text import config_text
    from crossnet.pipeline.init.propose import list_columns, propose
    from crossnet.pipeline.init.tables import find_table, resolve_label

    table = find_table(file)
    proposal = propose(table, resolve_label(table, "y", list(list_columns(table))))
    assert len(proposal.columns) == COLUMNS
    config_text(table, proposal, file.with_suffix(".toml"))


def read_as_text(file: Path) -> None:
    """Reads all cells, block by block."""
    names = file.open().readline().strip().replace('"', "").split(",")
    types = dict.fromkeys(names, pa.binary())
    options = arrow_csv.ConvertOptions(column_types=types)
    with arrow_csv.open_csv(file, arrow_csv.ReadOptions(use_threads=False), convert_options=options) as reader:
        assert sum(batch.num_rows for batch in reader) == ROWS
