"""Finds the physical line of a row in a CSV file.

The file is read serially, and only when a message needs the line. Lines count from 1, the header's included; a blank
line is not a row; a quoted cell may contain line breaks.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from crossnet.components.errors import DataError
from crossnet.serving.protocol.limits import MAX_ROW_BYTES, mebibytes

COMPRESSED = (".gz", ".bz2", ".zst", ".lz4")
_MAGIC = {b"\x1f\x8b\x08": ".gz", b"BZh": ".bz2", b"\x28\xb5\x2f\xfd": ".zst", b"\x04\x22\x4d\x18": ".lz4"}


def open_bytes(path: Path) -> pa.NativeFile:
    """Opens a file, decompressed where its name ends in .gz, .bz2, .zst or .lz4."""
    return pa.input_stream(str(path), compression="detect")


@contextmanager
def _raised_field_limit() -> Iterator[None]:
    limit = csv.field_size_limit(MAX_ROW_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _lines(stream: pa.NativeFile, row_sizes: list[int]) -> Iterator[str]:
    """Yields lines, or pieces of one that is longer than a row may be; adds their characters to `row_sizes[0]`."""
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    while row_sizes[0] <= MAX_ROW_BYTES and (line := text.readline(MAX_ROW_BYTES + 1)):
        row_sizes[0] += len(line)
        yield line


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields the physical line on which each row starts, and its cells; the header first.

    Raises:
      DataError: A row is longer than `MAX_ROW_BYTES`.
    """
    row_sizes = [0]  # characters of the row that is read, which may have several lines
    with open_bytes(path) as stream, _raised_field_limit():
        reader = csv.reader(_lines(stream, row_sizes))
        line = 1
        while True:
            try:
                cells = next(reader, None)
            except csv.Error:  # a cell longer than the limit: nothing else is wrong to a reader that is not strict
                raise too_long_row(path, line) from None
            if row_sizes[0] > MAX_ROW_BYTES:
                raise too_long_row(path, line)
            if cells is None:
                return
            row_sizes[0] = 0
            if cells:
                yield line, cells
            line = reader.line_num + 1


def too_long_row(path: Path, line: int) -> DataError:
    """Returns the error for a row that is longer than `MAX_ROW_BYTES`."""
    return DataError(
        f"`{path.name}:{line}` begins a row of more than {mebibytes(MAX_ROW_BYTES)}, the most that a row may have. "
        "Is a quote left open, or is the file not CSV? Fix the row."
    )


def row_line(path: Path, row: int) -> int | None:
    """Returns the physical line on which data row `row` (from 0) begins; None where the file has no such row."""
    try:
        for number, (line, _) in enumerate(read_rows(path)):
            if number == row + 1:
                return line
    except DataError:  # it is in use for a message about something else
        pass
    return None


def read_header(path: Path) -> list[str]:
    """Returns the header's cells.

    Raises:
      DataError: The file is empty or missing, compressed against its name, not in UTF-8, or the header is too long.
    """
    if not path.is_file():
        raise DataError(f"`{path}` does not exist. Name an existing file or pattern in `example_gen.input`.")
    if kind := _compressed_against_its_name(path):
        raise DataError(
            f"`{path.name}` is compressed, as files in `{kind}` are. Let its name end in `{kind}`, or unpack it."
        )
    try:
        for line, cells in read_rows(path):
            if not all(_is_unicode(cell) for cell in cells):
                raise DataError(f"`{path.name}:{line}`, the header, is not UTF-8. Save the file as UTF-8.")
            return cells
    except (OSError, EOFError) as error:
        raise DataError(f"`{path}` cannot be read: {error}. Write the file again.") from None
    raise DataError(f"`{path}` is empty. Expected a header line that names the columns, and rows below it.")


def _compressed_against_its_name(path: Path) -> str:
    """Returns the end that the name of a compressed file should have, where it does not have it; else ""."""
    with path.open("rb") as stream:
        start = stream.read(6)
    kind = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), "")
    return "" if path.suffix in COMPRESSED else kind


def _is_unicode(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:  # a byte that could not be decoded
        return False
    return True


def misshapen_row(path: Path, num_columns: int) -> DataError | None:
    """Returns the error for the first row with more or fewer cells than the header, or None.

    Raises:
      DataError: A row before it is longer than `MAX_ROW_BYTES`.
    """
    for line, cells in read_rows(path):
        if len(cells) != num_columns:
            how = "short" if len(cells) < num_columns else "long"
            return DataError(
                f"`{path.name}:{line}` is a {how} row: it has {len(cells)} cells, the header has {num_columns} "
                "columns. Fix the row; a cell that holds a comma must be quoted."
            )
    return None
