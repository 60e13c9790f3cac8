"""Reads the columns of a CSV file, and tells other files."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import NamedTuple

from crossnet.components.errors import DataError, SettingsError
from crossnet.components.formats import counted
from crossnet.components.sources.csv_lines import CsvRow, open_bytes, read_csv_rows
from crossnet.components.sources.other_files import advice_for
from crossnet.serving.protocol.csv_bytes import START_BYTES, misread_as, not_utf8, other_file
from crossnet.serving.protocol.csv_format import DEFAULT, DELIMITER_NAMES, CsvFormat
from crossnet.serving.protocol.header_names import feature_names
from crossnet.serving.protocol.printable import shown

_COMMENTS = ("#", "//", "%", "--", "!")  # how notes begin
_FIXED_WIDTH = re.compile(r"\S {2,}\S+( {2,}|$)")  # words that are aligned by blanks
_SEP = "sep="  # Excel's own first line


class Header(NamedTuple):
    """The columns of a CSV file.

    Attributes:
      names: Of the file, or of the settings.
      line: The physical line of the header, or of the first row where there is none.
      skip_lines: Physical lines before the first line that Arrow parses: its header, or a row where `given`.
      given: Whether `names` are not those that Arrow finds in the file.
    """

    names: list[str]
    line: int
    skip_lines: int
    given: bool


def read_header(path: Path, csv_format: CsvFormat = DEFAULT) -> list[str]:
    """Returns the names of the columns; raises as `find_header` does."""
    return find_header(path, csv_format).names


def find_header(path: Path, csv_format: CsvFormat = DEFAULT) -> Header:
    """Returns the columns of a file.

    Raises:
      DataError: The file is empty or missing, is not CSV, is in another encoding or with other delimiters than the
        format says, or its first row is too long.
      SettingsError: The format has another number of names than the file has columns.
    """
    if not path.is_file():
        raise DataError(f"`{path}` does not exist. Name an existing file or pattern in `example_gen.input`.")
    try:
        _check_kind(path, csv_format)
        rows = list(itertools.islice(read_csv_rows(path, csv_format), 2))
    except (OSError, EOFError) as error:
        raise DataError(f"`{path}` cannot be read: {error}. Write the file again.") from None
    if not rows:
        raise _empty(path, csv_format)
    row = rows[0]
    _check_row(path, row, csv_format)
    if csv_format.header and len(row.cells) == 1 < len(rows[-1].cells):
        raise _title(path, row, rows[-1])
    given = bool(csv_format.names) or not csv_format.header
    names = row.cells
    if csv_format.names:
        if len(csv_format.names) != len(row.cells):
            raise SettingsError(
                f"`example_gen.names` has {counted(len(csv_format.names), 'name')}, and `{path.name}:{row.line}` has "
                f"{counted(len(row.cells), 'cell')}. Give one name for each column."
            )
        names = list(csv_format.names)
    elif given:
        names = feature_names([""] * len(row.cells))
    before = max(csv_format.skip_rows, row.blank_line)
    return Header(names, row.line, row.last_line if given and csv_format.header else before, given)


def _check_kind(path: Path, csv_format: CsvFormat) -> None:
    """Raises DataError where the first bytes are not those of a CSV file in the format's encoding."""
    with open_bytes(path) as stream:
        start = stream.read(START_BYTES)
    if other := other_file(start):
        raise DataError(f"`{path.name}` is {other.what}, not a CSV file. {advice_for(other)}")
    if encoding := misread_as(start, csv_format):
        raise DataError(
            f"`{path.name}` begins as text in {encoding} does, and is read as {csv_format.encoding}. Set "
            f"`example_gen.encoding = {json.dumps(encoding)}`."
        )


def _empty(path: Path, csv_format: CsvFormat) -> DataError:
    left_out = [
        f"`example_gen.{name}`"
        for name, value in (("skip_rows", csv_format.skip_rows), ("comment", csv_format.comment))
        if value
    ]
    if left_out:
        return DataError(
            f"`{path}` has no lines but those that {' and '.join(left_out)} leave out. Expected a header and rows."
        )
    return DataError(f"`{path}` is empty. Expected a header line that names the columns, and rows below it.")


def _title(path: Path, row: CsvRow, following: CsvRow) -> DataError:
    """Returns the error for a first line that is not a header."""
    mark = next((mark for mark in _COMMENTS if row.cells[0].startswith(mark)), "")
    setting = f"comment = {json.dumps(mark)}" if mark else f"skip_rows = {following.line - 1}"
    return DataError(
        f"`{path.name}:{row.line}` has one cell, `{shown(row.cells[0])}`, and line {following.line} has "
        f"{len(following.cells):,}. Is it a note and not the header? Set `example_gen.{setting}`."
    )


def _check_row(path: Path, row: CsvRow, csv_format: CsvFormat) -> None:
    """Raises DataError where the first row shows that the format is another one."""
    place = f"`{path.name}:{row.line}`"
    text = csv_format.delimiter.join(row.cells)
    if csv_format.is_utf8 and not _is_unicode(text):
        raise DataError(
            f"{place}{', the header,' if csv_format.header else ''} is "
            f"{not_in_utf8(text.encode('utf-8', 'surrogateescape'))}"
        )
    if row.line == 1 and text.lower().startswith(_SEP) and len(text) == len(_SEP) + 1:
        mark = text[len(_SEP)]
        setting = "" if mark == csv_format.delimiter else f"`example_gen.delimiter = {json.dumps(mark)}` and "
        raise DataError(
            f"{place} is `{shown(text)}`, a line for Excel and not the header. Set {setting}"
            f"`example_gen.skip_rows = 1`."
        )
    if len(row.cells) == 1 and csv_format.delimiter in row.cells[0]:
        raise DataError(
            f"{place} is within quotes as a whole, so that it has one column, `{shown(row.cells[0])}`. Write the file "
            "without quotes around its lines."
        )
    if len(row.cells) == 1:
        counts = {mark: row.cells[0].count(mark) for mark in DELIMITER_NAMES if mark != csv_format.delimiter}
        mark = max(counts, key=lambda each: counts[each])
        if counts[mark]:
            raise DataError(
                f"{place} has one column, `{shown(row.cells[0])}`. Expected "
                f"{DELIMITER_NAMES.get(csv_format.delimiter, f'`{csv_format.delimiter}`')} between cells; are there "
                f"{DELIMITER_NAMES[mark]}? Set `example_gen.delimiter = {json.dumps(mark)}`."
            )
        if _FIXED_WIDTH.search(row.cells[0].strip()):
            raise DataError(
                f"{place} has one column, `{shown(row.cells[0])}`, with several blanks between words. A table whose "
                "columns are aligned by blanks is not read: write it with commas, such as by `pandas.read_fwf` and "
                "`to_csv`."
            )


def not_in_utf8(cell: bytes) -> str:
    """Returns the end of a sentence on bytes that are not UTF-8; "" where they are."""
    problem = not_utf8(cell)
    return problem and (
        f'not UTF-8 ({problem}). Set `example_gen.encoding`, such as `example_gen.encoding = "cp1252"`, or '
        "save the file as UTF-8."
    )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a byte that could not be decoded
        return False
    return True
