"""Runs ExampleGen: writes a source's rows as TFRecord shards, by split.

Rows of any source become tf.train.Example records in train, eval and test. Each batch is read, split and written before
the next is read. An engine can read parts of the source at the same time; the result is the same.
"""

from __future__ import annotations

import dataclasses
import math
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from crossnet.components import progress
from crossnet.components.artifacts.examples import Examples
from crossnet.components.engines.base import IN_PROCESS, Engine
from crossnet.components.errors import DataError
from crossnet.components.hashing import Hashes
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.records.shards import SplitRows, Spool, SpoolWriter, write_shards
from crossnet.components.sources.base import (
    RetypedError,
    Source,
    SourceBatch,
    batch_names,
    check_sizes,
    time_units,
    unwritten,
)
from crossnet.components.sources.clock_columns import clock_columns
from crossnet.components.sources.conditions import condition_of
from crossnet.components.sources.doubts import Doubt, doubt_lines, merged
from crossnet.components.sources.files import input_files
from crossnet.components.sources.filters import (
    WHERE,
    DropLog,
    RowFilter,
    joined,
    no_rows,
    summarize_drops,
    tell_drops,
)
from crossnet.components.sources.holes import nan_as_null, without_empty
from crossnet.components.sources.plan import plan_source
from crossnet.components.sources.provenance import DROPPED, RowLog, write_provenance
from crossnet.components.sources.sentinels import Extremes, add_numbers, sentinel_doubts
from crossnet.components.sources.shares import Read, share_out, whole
from crossnet.components.sources.splits import SPLITS, Splitter, check_counts, order_counts
from crossnet.components.sources.strata import plan_strata
from crossnet.components.sources.time_split import BadTimeError, moment, newest_cuts, time_values
from crossnet.components.sources.weights import checked_extras, named_columns, stored_weights
from crossnet.components.sources.widening import read_narrowed
from crossnet.serving.protocol.printable import shown

_VALUE_BYTES = 8  # of a synthetic number


@dataclass
class _Part:
    """What one job wrote of its units.

    Attributes:
      spools: The records, by split.
      codes: The file with the split of each row.
      rows: Rows by unit.
      dropped: The rows that were left out.
      filled: The columns with a value in any row.
      doubts: What the rows have shown about columns.
      numbers: Those that may stand for nothing, by column, of train and eval.
    """

    spools: dict[str, Spool]
    codes: Path
    rows: Counter[int]
    dropped: DropLog
    filled: set[str]
    doubts: tuple[Doubt, ...]
    numbers: dict[str, Extremes]


def generate_examples(*, output_dir: Path, params: ExampleGenParams, engine: Engine = IN_PROCESS) -> Examples:
    """Writes the rows of the source that `params` name to `output_dir`.

    Returns:
      Examples with counts by split.

    Raises:
      DataError: The source cannot be read, or has no rows.
      SettingsError: A setting names a column that does not exist.
    """
    files = input_files(params)
    source = plan_source(files, params)
    spool_dir = output_dir / ".spool"
    while True:
        spool_dir.mkdir()
        try:
            return _write(source, params, output_dir, spool_dir, engine)
        except RetypedError as error:
            source = whole(error.source, source)
        finally:
            shutil.rmtree(spool_dir, ignore_errors=True)


def _write(source: Source, params: ExampleGenParams, output_dir: Path, spool_dir: Path, engine: Engine) -> Examples:
    label, weight, group = named_columns(params, batch_names(source))
    kept = RowFilter(params, label, condition_of(source, params.where), unwritten(source))
    splitter = _splitter(source, params, kept, spool_dir)
    engine = engine.for_bytes(_num_bytes(source))
    jobs = [(reads, splitter, kept, weight, spool_dir) for reads in share_out(source, engine)]
    progress.begin("rows", progress.by_size(source.files))
    parts = list(engine.map(_read_part, jobs))
    spools = {split: [part.spools[split] for part in parts] for split in SPLITS}
    rows = {split: sum(spool.rows for spool in spools[split]) for split in SPLITS}
    total = sum(rows.values())
    dropped = joined([part.dropped for part in parts])
    if not total:
        raise no_rows(source, label, dropped)
    filled = set[str]().union(*(part.filled for part in parts))
    if (fuller := without_empty(source, filled, label, kept.columns)) is not source:
        raise RetypedError(fuller)
    first = dict.fromkeys(SPLITS, 0)
    if splitter.by_order:
        rows = order_counts(total, params.eval_fraction, params.test_fraction)
        first = {"train": 0, "eval": rows["train"], "test": rows["train"] + rows["eval"]}
        spools = dict.fromkeys(SPLITS, spools["train"])
    rows = {split: rows[split] for split in splitter.splits}
    check_counts(rows, params, source.files)
    compression = "GZIP" if params.compression == "gzip" else ""
    columns = _columns(source, kept, weight, group)
    write_shards(
        output_dir,
        {split: SplitRows(spools[split], first[split], first[split] + rows[split]) for split in rows},
        num_shards=params.num_shards,
        compression=compression,
        types={column["name"]: column["type"] for column in columns["columns"]},
        scratch=spool_dir,
        engine=engine,
    )
    if dropped.total() or not splitter.by_order:
        write_provenance(output_dir, [part.codes for part in parts])
    summary = summarize_drops(dropped, source, by_order=splitter.by_order)
    doubts = merged((*source.doubts, *(doubt for part in parts for doubt in part.doubts)))
    doubts += sentinel_doubts((part.numbers for part in parts), source, params.source)
    properties: dict[str, Any] = {
        "label": label,
        "compression": compression,
        **columns,
        "time_units": time_units(source),
        "duration_units": time_units(source, "duration"),
        "source": params.source,
        "files": [str(path) for path in source.files],
        "rows_per_unit": [sum(part.rows[unit] for part in parts) for unit in range(len(source.sizes))],
        "dropped": summary,
        "doubts": [doubt._asdict() for doubt in doubts],
        "notes": [*tell_drops(summary, total, label), *doubt_lines(doubts)],
        "split": params.rule,
        "split_column": params.key_column,
        "settings": dataclasses.asdict(params),
    }
    return Examples(output_dir, counts=rows, properties=properties)


def _columns(source: Source, kept: RowFilter, weight: str, group: str) -> dict[str, Any]:
    """Returns the properties on columns, whose types are known by now; a weight is stored as FLOAT."""
    stored = (c._replace(type="FLOAT") if c.name == weight else c for c in source.columns)
    columns = [column._asdict() for column in stored if column.name not in kept.unwritten]
    return {"columns": columns, "weight": weight, "group": group, "clock": clock_columns(source, kept.params)}


def _splitter(source: Source, params: ExampleGenParams, kept: RowFilter, spool_dir: Path) -> Splitter:
    if params.split == "folders":
        return Splitter(params, tuple(SPLITS.index(path.relative_to(params.input).parts[0]) for path in source.files))
    if params.stratify:
        units = range(len(source.sizes))
        rows = (pair for unit in units for pair in _labelled_hashes(source, unit, kept, Splitter(params)))
        fractions = (params.eval_fraction, params.eval_fraction + params.test_fraction)
        return Splitter(params, strata=plan_strata(rows, fractions, kept.label, spool_dir / "strata"))
    if params.split != "time":
        return Splitter(params)
    if params.split_time and not params.test_fraction:
        return Splitter(params, cuts=(moment(params.split_time, params.split_form), math.inf))
    keys = (key for unit in range(len(source.sizes)) for key in _checked_times(source, unit, kept, params.split_form))
    fractions = (params.eval_fraction + params.test_fraction, params.test_fraction)
    first, last = newest_cuts(keys, fractions, spool_dir / "times", params.split_form)
    return Splitter(params, cuts=(moment(params.split_time, params.split_form) if params.split_time else first, last))


def _labelled_hashes(
    source: Source, unit: int, kept: RowFilter, splitter: Splitter
) -> Iterator[tuple[Hashes, NDArray[Any]]]:
    """Yields hashes and labels of the rows of a unit that are kept."""
    for batch in read_narrowed(source, kept.columns, unit):
        left = np.ones(batch.rows.num_rows, bool)
        for mask in kept.left_out(source, batch).values():
            left &= ~mask
        labels = batch.rows.column(kept.label).to_numpy(zero_copy_only=False)
        yield splitter.hashes(batch)[left], labels[left]


def _checked_times(source: Source, unit: int, kept: RowFilter, form: str) -> Iterator[pa.Array]:
    """Yields the split column of the rows of a unit that are kept, after checking that all values are times."""
    batches: Iterator[tuple[Any, dict[str, NDArray[np.bool_]]]]
    if not kept.is_active:
        batches = ((key, {}) for key in source.read_keys(unit))
    else:
        batches = ((b.key, kept.left_out(source, b)) for b in read_narrowed(source, kept.columns, unit))
    first = 0
    for key, masks in batches:
        seen = np.flatnonzero(~masks[WHERE]) if WHERE in masks else np.arange(len(key))
        try:
            time_values(key.take(pa.array(seen)) if WHERE in masks else key, form)
        except BadTimeError as error:
            raise _no_time(source, unit, first + int(seen[error.row]), error.value, form) from None
        yield key.filter(pa.array(~np.logical_or.reduce(list(masks.values())))) if masks else key
        first += len(key)


def _no_time(source: Source, unit: int, row: int, value: str, form: str) -> DataError:
    expected = f"a time in the form `{form}`" if form else "a number, or a date or time in ISO 8601"
    advice = "" if form else ", say its form in `example_gen.date_format`"
    return DataError(
        f"{source.place(unit, row)}: the split column is '{shown(value)}', expected {expected}. Fix the row{advice}, "
        "or name another column in `example_gen.split_column`."
    )


def _num_bytes(source: Source) -> int:
    """Returns the bytes that are read; of synthetic rows, about those that are made."""
    return sum(source.sizes) * (1 if source.files else _VALUE_BYTES * len(source.columns))


def _read_part(reads: Sequence[Read], splitter: Splitter, kept: RowFilter, weight: str, spool_dir: Path) -> _Part:
    """Writes the rows of some units, or of parts of them, to one spool per split, in a new folder below `spool_dir`.

    So a job that is run again never meets what its first run has left.
    """
    folder = Path(tempfile.mkdtemp(dir=spool_dir))
    dropped, filled, doubts = DropLog(), set(kept.unwritten), tuple[Doubt, ...]()
    numbers: dict[str, Extremes] = {}
    with ExitStack() as stack:
        writers = {split: stack.enter_context(SpoolWriter(folder / split)) for split in SPLITS}
        log = stack.enter_context(RowLog(folder / "codes"))
        named = ((read, batch_names(read.source)) for read in reads)
        for source, names, batch in ((read.source, names, batch) for read, names in named for batch in read.batches()):
            check_sizes(source, batch)
            batch = checked_extras(source, batch, kept.params, names)
            batch = nan_as_null(batch) if kept.params.nan == "missing" else batch
            left_out = kept.left_out(source, batch)
            if weight:
                batch = stored_weights(source, batch, weight, left_out.values())
            codes = _codes(source, splitter, batch, left_out)
            for reason, mask in left_out.items():
                dropped.add(reason, batch, mask, codes)
                codes[mask] = DROPPED
            log.add(batch.unit, codes)
            doubts = merged((*doubts, *batch.doubts)) if batch.doubts else doubts
            written = kept.written(batch.rows)
            for code, split in enumerate(SPLITS):
                mask = codes == code
                if mask.any():
                    rows = written if mask.all() else written.filter(pa.array(mask))
                    filled.update(n for n in rows.schema.names if n not in filled and rows[n].null_count < len(rows))
                    writers[split].write(rows)
                    if split != "test":
                        add_numbers(numbers, rows)
    return _Part(
        {split: writer.spool for split, writer in writers.items()}, log.path, log.rows, dropped, filled, doubts, numbers
    )


def _codes(
    source: Source, splitter: Splitter, batch: SourceBatch, left_out: Mapping[str, NDArray[np.bool_]]
) -> NDArray[np.uint8]:
    """Returns the split of each row; of a row that the condition leaves out, the split column may hold anything."""
    try:
        return splitter.codes(batch)
    except BadTimeError as error:
        gone = left_out.get(WHERE)
        if gone is None or not gone[error.row]:
            row = batch.first_row + error.row
            raise _no_time(source, batch.unit, row, error.value, splitter.params.split_form) from None
    codes = np.zeros(batch.rows.num_rows, np.uint8)
    left = np.flatnonzero(~gone)
    assert batch.key is not None  # the time
    try:
        codes[left] = splitter.codes(batch._replace(rows=batch.rows.take(pa.array(left)), key=batch.key.take(left)))
    except BadTimeError as error:
        row = batch.first_row + int(left[error.row])
        raise _no_time(source, batch.unit, row, error.value, splitter.params.split_form) from None
    return codes
