"""Finds how a CSV file is written: encoding, delimiter, quotes, header.

Each candidate delimiter is scored by how regular the rows are that it makes and by how many of its cells have a known
form, as in van den Burg, Nazábal and Sutton, 2019, Wrangling messy CSV files by detecting row and type patterns.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crossnet.components.sources.csv_lines import open_bytes
from crossnet.components.sources.doubts import Doubt
from crossnet.pipeline.init.cell_forms import is_typed
from crossnet.pipeline.init.csv_names import distinct_names, has_header
from crossnet.pipeline.init.csv_notes import comment_mark, footer, last_lines, two_headers, unit_line
from crossnet.pipeline.init.encodings import find_encoding
from crossnet.serving.protocol.header_names import feature_names
from crossnet.serving.protocol.limits import MAX_ROW_BYTES
from crossnet.serving.protocol.printable import shown

_SAMPLE_BYTES = 1 << 20
_SAMPLE_LINES = 400
_SAMPLE_CELLS = 20_000
_DELIMITERS = (",", ";", "\t", "|", "^", "~", "\x01", "\x1f")
_LAST_RESORT = (" ", ":")  # they occur within cells
_WORDS = {"\t": "tabs", " ": "blanks", ";": "semicolons", "|": "bars", ":": "colons"}
_PREAMBLE_ROWS = 50
_REGULAR = 0.8  # share of rows of the most frequent width, from which a file counts as regular


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written.

    Attributes:
      settings: The settings of `example_gen` that differ from their defaults, with their values.
      reasons: Why, by setting.
      header: The cells of the header; names made up where there is none.
      doubts: What is a guess.
    """

    settings: dict[str, object] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    header: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()


def find_dialect(file: Path) -> Dialect:
    """Returns how `file` is written, after checking the encoding of all of it and looking at its first lines.

    Raises:
      OSError, EOFError: The file cannot be read, or unpacked.
    """
    settings: dict[str, object] = {}
    reasons: dict[str, str] = {}

    def put(name: str, value: object, reason: str) -> None:
        settings[name], reasons[name] = value, reason

    guess = find_encoding(file)
    encoding, doubts = guess.name, []
    if guess.reason:
        put("encoding", encoding, guess.reason)
    if guess.doubt:
        doubts.append(Doubt("", guess.doubt, guess.setting))
    lines, last = _first_lines(file, encoding)
    skip = 0
    delimiters: Sequence[str] = ()
    if lines and (named := re.fullmatch(r"\s*sep=(.)\s*", lines[0])):  # Excel's own first line
        delimiters, skip = (named[1],), 1
    comment, count = comment_mark(lines[skip:])
    bare = [line for line in lines[skip:] if line.strip() and not (comment and line.startswith(comment))]
    quote, escape = _quote(bare), _escape(bare)
    delimiter = _delimiter(bare, delimiters or _DELIMITERS, quote, escape)
    rows = list(_rows(bare, delimiter, quote, escape))
    width = _usual_width(rows)
    if delimiter != ",":
        put("delimiter", delimiter, f"{_WORDS.get(delimiter) or 'such characters'} make {width} cells in most lines")
    if quote != '"':
        put("quote", quote, "cells begin and end with it")
    if escape:
        put("escape", escape, "it stands before quotes in quoted cells")
    elif escaped := _with_escapes(bare, rows, delimiter, quote):
        rows, width = escaped, len(escaped[0])
        put("escape", "\\", "it stands before delimiters: without, these rows have more cells than the others")
    start = _first_row_of_table(rows, width)
    start += (has_two := two_headers(rows[start:]))
    above = itertools.takewhile(lambda line: not line.strip(), lines[skip:])
    if skip or start or any(delimiter in line for line in above):  # tabs alone, which are cells without names
        skip += _lines_before(lines[skip:], start, comment)
        put("skip_rows", skip, f"the table begins in line {skip + 1}")
    if has_two:
        said = f"two lines name the columns, and the second is used ('{shown(delimiter.join(rows[start - 1]))}' is not)"
        doubts.append(Doubt("", said, f"skip_rows = {skip - 1}" if skip > 1 else "no `skip_rows`"))
    table = rows[start:]
    begins, reason, found = _lines_left_out(table, bare[start:], last, delimiter, quote, comment)
    doubts += found
    if begins:
        first = f"{count} of the first {len(lines)} lines begin with it" if comment else ""
        put("comment", begins[0] if len(begins) == 1 else begins, "; ".join(filter(None, (first, reason))))
    header = _header(table, rows[start - 1] if start else [], put)
    return Dialect(settings, reasons, header, tuple(doubts))


def _header(
    table: Sequence[Sequence[str]], before: Sequence[str], put: Callable[[str, object, str], None]
) -> tuple[str, ...]:
    """Returns the names of the columns, after putting the settings that give them.

    Args:
      table: The first rows, from the header on.
      before: The row before it; empty where there is none.
      put: Takes a setting, its value and the reason.
    """
    header = tuple(table[0]) if table else ()
    if len(before) == len(header) - 1 > 1 and not any(map(is_typed, before)):  # as R writes the names of rows
        put("header", False, f"the line before the rows names {len(before)} of {len(header)} columns")
        if all(not row[-1].strip() for row in table if len(row) == len(header)):
            header, where = (*before, f"column_{len(header)}"), "empty cells at the ends of lines"
        else:
            header, where = ("column_1", *before), "first column"
        put("names", list(header), f"those of that line, and one for the {where}")
    elif len(before) == len(header) + 1 > 2 and not before[-1].strip() and not any(map(is_typed, before[:-1])):
        put("header", False, f"the line before the rows names {len(before) - 1} columns and ends with a delimiter")
        header = tuple(before[:-1])
        put("names", list(header), "those of that line")
    elif not has_header(table):
        put("header", False, f"the first line holds values ({', '.join(header[:3])}), not names")
        header = tuple(f"column_{number}" for number in range(1, len(header) + 1))
    elif min(len(set(names := feature_names(header))), len(set(header))) < len(header):
        header = tuple(distinct_names(names))
        put("names", list(header), "in the file, several columns have one name")
    return header


def _lines_left_out(
    table: Sequence[Sequence[str]], bare: Sequence[str], last: Sequence[str], delimiter: str, quote: str, comment: str
) -> tuple[list[str], str, list[Doubt]]:
    """Returns how lines begin that are not rows, why, and what to check about each.

    Args:
      table: The first rows, from the header on.
      bare: The first lines, from the header on, without those that `comment` leaves out.
      last: The last lines of the file.
      delimiter, quote, comment: As they were found.
    """
    begins = [comment] if comment else []
    notes = footer(table, last, delimiter, quote, begins)
    if len(bare) > 1 and (units := unit_line(table, bare[1], delimiter)):
        notes.insert(0, units)
    own = {note.line for note in notes}
    rows = [line for line in bare if line not in own]
    for note in list(notes):
        begin = note.line if any(line.startswith(note.begin) for line in rows) else note.begin
        if any(line.startswith(begin) for line in rows):
            notes.remove(note)
        elif begin not in begins:
            begins.append(begin)
    reason = "; ".join(note.said for note in notes)
    return begins, reason, [Doubt("", f"{note.said} is left out", "no `comment`") for note in notes]


def _first_lines(file: Path, encoding: str) -> tuple[list[str], list[str]]:
    """Returns the first lines of a file, and its last ones where they can be found."""
    with open_bytes(file) as stream:
        data = stream.read(_SAMPLE_BYTES)
        whole = len(data) < _SAMPLE_BYTES
        while not whole and b"\n" not in data and b"\r" not in data and len(data) < MAX_ROW_BYTES:  # a long header
            data += stream.read(_SAMPLE_BYTES)
    text = data.decode("utf-8-sig" if encoding == "utf-8" else encoding, errors="replace")
    lines = text.splitlines() if "\n" not in text else text.replace("\r\n", "\n").split("\n")
    if not whole and len(lines) > 1:
        del lines[-1]  # cut off
    return lines[:_SAMPLE_LINES], last_lines(file, encoding, lines, is_whole=whole)


def _quote(lines: Sequence[str]) -> str:
    """Returns the quote: the single one where more cells are within a pair of those."""
    text = "\n".join(lines)
    found = {
        quote: len(re.findall(rf"(?:^|[,;\t|]){quote}[^{quote}\n]*{quote}(?=$|[,;\t|])", text, re.MULTILINE))
        for quote in ("'", '"')
    }
    return "'" if found["'"] > max(2, found['"']) else '"'


def _escape(lines: Sequence[str]) -> str:
    """Returns a backslash where it stands before a quote that does not end its cell; else ""."""
    return "\\" if any(re.search(r'[^\\]\\"(?=[^,;\t|"\r\n])', line) for line in lines) else ""


def _with_escapes(lines: Sequence[str], rows: Sequence[Sequence[str]], delimiter: str, quote: str) -> list[list[str]]:
    """Returns the rows where a backslash before a delimiter makes it a part of a cell, by their widths; else none."""
    if len(set(map(len, rows))) == 1 or not any(f"\\{delimiter}" in line for line in lines):
        return []
    escaped = list(_rows(lines, delimiter, quote, "\\"))
    return escaped if len(set(map(len, escaped))) == 1 < len(escaped[0]) else []


def _rows(lines: Sequence[str], delimiter: str, quote: str, escape: str = "") -> Iterator[list[str]]:
    reader = csv.reader(
        (line + "\n" for line in lines),
        delimiter=delimiter,
        quotechar=quote,
        escapechar=escape or None,
        doublequote=not escape,
    )
    limit = csv.field_size_limit(MAX_ROW_BYTES)
    try:
        yield from (row for row in reader if row)
    except csv.Error:
        return
    finally:
        csv.field_size_limit(limit)


def _delimiter(lines: Sequence[str], candidates: Sequence[str], quote: str, escape: str) -> str:
    text = "\n".join(lines)
    candidates = [mark for mark in candidates if mark in text]
    scores = {mark: _score(list(_rows(lines, mark, quote, escape)), mark) for mark in candidates}
    if scores and max(scores.values()) > 0:
        return max(scores, key=lambda mark: scores[mark])
    for mark in _LAST_RESORT:
        rows = list(_rows([line.strip() for line in lines], mark, quote, escape))
        widths = Counter(map(len, rows))
        usual = widths.most_common(1)[0][0] if rows else 0
        is_regular = len(widths) == 1 or (len(widths) == 2 and widths[usual - 1] == 1 and len(rows[0]) == usual - 1)
        if usual > 1 and is_regular and _score(rows, mark) > 0.4 / len(widths):  # R names its rows, not their column
            return mark
    return ","


def _score(rows: Sequence[Sequence[str]], delimiter: str) -> float:
    """Returns how regular rows are, times the share of their cells that have a known form; 0 where all have one."""
    widths = Counter(map(len, rows))
    if not rows or widths.most_common(1)[0][0] < 2:
        return 0.0
    pattern = sum(count * (width - 1) / width for width, count in widths.items()) / len(widths) / len(rows)
    cells = [cell for row in rows for cell in row][:_SAMPLE_CELLS]
    others = [mark for mark in _DELIMITERS if mark != delimiter]
    known = sum(1.0 if is_typed(cell) or not any(mark in cell for mark in others) else 0.2 for cell in cells)
    return pattern * known / len(cells)


def _usual_width(rows: Sequence[Sequence[str]]) -> int:
    widths = Counter(map(len, rows))
    return max(widths, key=lambda width: (widths[width], width)) if widths else 0


def _first_row_of_table(rows: Sequence[Sequence[str]], width: int) -> int:
    """Returns how many rows stand before the table's first: titles, with fewer cells or with empty ones."""
    regular = sum(len(row) == width for row in rows) >= _REGULAR * max(len(rows) - _PREAMBLE_ROWS, 1)
    if width < 2 or not regular:
        return 0
    for index, row in enumerate(rows[:_PREAMBLE_ROWS]):
        filled = sum(bool(cell.strip()) for cell in row)
        if len(row) == width and (width < 3 or filled > 1):
            return index
    return 0


def _lines_before(lines: Sequence[str], start: int, comment: str) -> int:
    """Returns how many lines stand before row `start`."""
    left = start
    for number, line in enumerate(lines):
        if not line.strip() or (comment and line.startswith(comment)):
            continue
        if not left:
            return number
        left -= 1
    return 0
