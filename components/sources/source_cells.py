"""Reads place and cells of a few records from their source."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from crossnet.components.artifacts.base import read_facts
from crossnet.components.artifacts.examples import Examples
from crossnet.components.errors import DataError
from crossnet.components.sources.base import file_label
from crossnet.components.sources.csv_lines import read_rows
from crossnet.components.sources.provenance import locate, source_row
from crossnet.serving.protocol.csv_format import CsvFormat
from crossnet.serving.protocol.header_names import spellings

MAX_BYTES = 32 << 20  # of a CSV file that is read for it


class SourceRow(NamedTuple):
    """The place of a record, such as "rides.csv:871", and its cells by column as the source names them."""

    place: str
    cells: Mapping[str, str]


def source_rows_of(
    examples: Examples, split: str, records: Sequence[int], columns: Sequence[str] = ()
) -> dict[int, SourceRow]:
    """Returns, by record, its place and its cells of `columns`, which may be columns that records lack.

    Of a CSV file that has not changed since, and is not large, both are read in one pass; else the place is a row's
    number or what `locate` says, without cells.

    Args:
      examples: The records.
      split: Theirs.
      records: Places in the split, from 0.
      columns: Names of columns, as the source or as settings spell them.
    """
    files = [Path(name) for name in examples.properties.get("files", ())]
    readable = all(_as_it_was(file, examples) for file in files)
    if examples.source == "csv" and readable:
        return _csv_rows(examples, files, {source_row(examples, split, record): record for record in records}, columns)
    if examples.source in ("csv", "jsonl") and not readable:  # a place would need a pass over the file for each record
        rows = {record: source_row(examples, split, record) for record in records}
        return {record: SourceRow(f"row {row + 1:,} of the source", {}) for record, row in rows.items()}
    return {record: SourceRow(locate(examples, split, record), {}) for record in records}


def _as_it_was(file: Path, examples: Examples) -> bool:
    """Whether a file is small, and has not been written since the artifact was made."""
    try:
        facts = file.stat()
    except OSError:
        return False
    made = datetime.datetime.fromisoformat(read_facts(examples.path)["created_at"]).timestamp()
    return facts.st_size <= MAX_BYTES and facts.st_mtime <= made


def _csv_rows(
    examples: Examples, files: Sequence[Path], wanted: Mapping[int, int], columns: Sequence[str]
) -> dict[int, SourceRow]:
    settings = examples.properties["settings"]
    csv_format, first, found = CsvFormat.of(settings), 0, dict[int, SourceRow]()
    for file, rows in zip(files, examples.properties["rows_per_unit"], strict=False):
        if not any(first <= row < first + rows for row in wanted):
            first += rows
            continue
        header: list[str] = list(csv_format.names)
        try:
            for number, (line, cells) in enumerate(read_rows(file, csv_format), first - csv_format.header):
                if number < first:
                    header = header or cells
                elif number in wanted:
                    place = f"{file_label(file, list(files))}:{line}"
                    found[wanted[number]] = SourceRow(place, _chosen(header, cells, columns, settings["rename"]))
        except DataError:  # a row that is too long: what stands before it is there
            pass
        first += rows
    return found


def _chosen(
    header: Sequence[str], cells: Sequence[str], columns: Sequence[str], rename: Mapping[str, str]
) -> dict[str, str]:
    names, row = spellings(header, rename), dict(zip(header, cells, strict=False))
    return {names[column]: row[names[column]] for column in columns if names.get(column) in row}
