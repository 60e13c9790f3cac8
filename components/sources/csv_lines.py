"""Finds the physical line of a row in a CSV file.

The file is read serially, and only when a message needs the line. Lines count from 1, the header's included; a blank
line is not a row; a quoted cell may contain line breaks.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from crossnet.components.errors import DataError


def open_bytes(path: Path) -> pa.NativeFile:
    """Opens a file, decompressed where its name ends in .gz, .bz2, .zst or .lz4."""
    return pa.input_stream(str(path), compression="detect")


@contextmanager
def _lifted_field_limit() -> Iterator[None]:
    limit = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields the physical line on which each row starts, and its cells; the header first."""
    with open_bytes(path) as stream, _lifted_field_limit():
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        reader = csv.reader(text)
        line = 1
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1


def row_line(path: Path, row: int) -> int | None:
    """Returns the physical line on which data row `row` (from 0) begins; None where the file has no such row."""
    for number, (line, _) in enumerate(read_rows(path)):
        if number == row + 1:
            return line
    return None


def read_header(path: Path) -> list[str]:
    """Returns the header's cells.

    Raises:
      DataError: The file is empty or missing.
    """
    if not path.is_file():
        raise DataError(f"`{path}` does not exist. Name an existing file or pattern in `example_gen.input`.")
    try:
        for line, cells in read_rows(path):
            if not all(_is_unicode(cell) for cell in cells):
                raise DataError(f"`{path.name}:{line}`, the header, is not UTF-8. Save the file as UTF-8.")
            return cells
    except (OSError, EOFError) as error:
        raise DataError(f"`{path}` cannot be read: {error}. Write the file again.") from None
    raise DataError(f"`{path}` is empty. Expected a header line that names the columns, and rows below it.")


def _is_unicode(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:  # a byte that could not be decoded
        return False
    return True


def misshapen_row(path: Path, num_columns: int) -> DataError | None:
    """Returns the error for the first row with more or fewer cells than the header, or None."""
    for line, cells in read_rows(path):
        if len(cells) != num_columns:
            how = "short" if len(cells) < num_columns else "long"
            return DataError(
                f"`{path.name}:{line}` is a {how} row: it has {len(cells)} cells, the header has {num_columns} "
                "columns. Fix the row; a cell that holds a comma must be quoted."
            )
    return None
