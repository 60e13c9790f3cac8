"""Finds lines of a CSV file that are not rows.

They show by their place, directly below the header or at the file's end, and by their cells: words where all other
rows have numbers, or too few cells.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from crossnet.components.sources.csv_hints import FOOTERS, SUMS, is_null_word
from crossnet.components.sources.csv_lines import may_be_compressed
from crossnet.pipeline.init.cell_forms import is_date, is_number, is_typed
from crossnet.serving.protocol.printable import shown

_COMMENTS = ("#", "%", "!")
_MARKS = re.compile(r"[,;\t|^~\x01\x1f]")
TAIL_BYTES, TAIL_LINES = 1 << 16, 30
_SURE_ROWS = 5  # fewer rows do not say what a column holds
_MOSTLY = 0.9
_MAX_WORD = 40
_MAX_FOOTER = 5  # lines; more are rows
_SUMS = (*SUMS, "grand total")


class Note(NamedTuple):
    """A line that is not a row.

    Attributes:
      begin: What leaves it out as `comment`.
      line: The line.
      what: What it seems to be, as "a line of units".
      is_last: Whether it stands at the end of the file, not below the header.
    """

    begin: str
    line: str
    what: str
    is_last: bool = True

    @property
    def said(self) -> str:
        """The note in a clause."""
        where = "at the end of the file" if self.is_last else "below the header"
        return f"{self.what} {where} ('{shown(self.line.strip())}')"


def comment_mark(lines: Sequence[str]) -> tuple[str, int]:
    """Returns the mark with which lines begin that are not rows, and how many do; "" where there is none.

    A row may begin so too, where its first cell is a word for nothing, such as #N/A: then a blank follows the mark.
    """
    for mark in _COMMENTS:
        marked = [line for line, inside in zip(lines, _in_quotes(lines), strict=True) if line.startswith(mark) > inside]
        others = [line for line in lines if line.strip() and not line.startswith(mark)]
        empty = [line for line in marked if _MARKS.search(line) and is_null_word(_MARKS.split(line)[0].strip(' "'))]
        marked = [line for line in marked if line not in empty]
        if not marked or len(marked) > len(others):
            continue
        per_line = {min(_MARKS.findall(line).__len__(), 99) for line in others[1:20]}
        like_rows = [line for line in marked if len(_MARKS.findall(line)) in per_line and per_line != {0}]
        # `#id,name` is a header, and `#1,red` a row, where they have as many cells as the others.
        if len(like_rows) < len(marked):
            begin = f"{mark} " if empty else mark
            if all(line.startswith(begin) for line in marked) and not any(line.startswith(begin) for line in empty):
                return begin, len(marked)
    return "", 0


def _in_quotes(lines: Sequence[str]) -> list[bool]:
    """Returns which lines begin within a quoted cell."""
    counts = itertools.accumulate((line.count('"') for line in lines), initial=0)
    return [count % 2 == 1 for count in counts][: len(lines)]


def last_lines(file: Path, encoding: str, first: Sequence[str], *, is_whole: bool) -> list[str]:
    """Returns the last lines of a file; none where they cannot be found without reading all of it.

    Args:
      file: The file.
      encoding: Of its text.
      first: Its first lines.
      is_whole: Whether these are all lines.
    """
    if is_whole:
        return list(first[-TAIL_LINES:])
    if may_be_compressed(file) or encoding.startswith(("utf-16", "utf-32")):
        return []
    with file.open("rb") as stream:
        stream.seek(-min(TAIL_BYTES, file.stat().st_size), 2)
        text = stream.read().decode(encoding, errors="replace")
    return text.replace("\r\n", "\n").split("\n")[1:][-TAIL_LINES:]


def numeric_columns(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Returns which columns hold numbers or dates in nearly all rows."""
    found = []
    for column in range(width):
        cells = [row[column].strip() for row in rows if len(row) == width and row[column].strip()]
        typed = sum(is_number(cell) or is_date(cell) or is_null_word(cell) for cell in cells)
        if cells and typed >= _MOSTLY * len(cells) and any(map(is_number, cells)):
            found.append(column)
    return found


def two_headers(table: Sequence[Sequence[str]]) -> bool:
    """Returns whether the second line names the columns: the first has empty or equal names, and numbers follow."""
    if len(table) < 2 + _SURE_ROWS:
        return False
    first, second = table[:2]
    width, names = len(first), [cell.strip() for cell in second]
    numeric = numeric_columns(table[2:], width)
    unnamed = len({cell.strip() for cell in first if cell.strip()}) < width
    if width > 2 and not first[0].strip() and not names[0]:  # an index of pandas, which has no name
        names[0] = "index"
    are_names = len(names) == width == len(set(names)) and all(names) and not any(map(is_typed, names))
    return bool(unnamed and are_names and numeric)


def unit_line(table: Sequence[Sequence[str]], line: str, delimiter: str) -> Note | None:
    """Returns the line below the header where it has no number, though at least two columns, or all, hold numbers.

    Args:
      table: The rows, from the header on.
      line: The line below the header.
      delimiter: Between its cells.
    """
    if len(table) < 2 + _SURE_ROWS or len(table[1]) != len(table[0]) or len(line.split(delimiter)) != len(table[0]):
        return None
    if list(table[1]) == list(table[0]):
        return None  # the header again, which a run leaves out; as a comment it would leave out both
    numeric = numeric_columns(table[2:], len(table[0]))
    cells = [table[1][column].strip() for column in numeric]
    words = [cell for cell in cells if cell and not is_typed(cell)]
    if len(words) < min(2, len(table[0])) or any(is_number(cell) or is_date(cell) for cell in cells):
        return None
    return Note(line, line, "a line of units or types", is_last=False)


def footer(
    table: Sequence[Sequence[str]], lines: Sequence[str], delimiter: str, quote: str, comments: Sequence[str]
) -> list[Note]:
    """Returns the lines at the end of a file that are not rows, in their order.

    Args:
      table: The first rows, from the header on.
      lines: The last lines of the file.
      delimiter, quote: As the file has them.
      comments: How lines begin that are left out anyhow.
    """
    if len(table) < 2 + _SURE_ROWS:
        return []
    width, body = len(table[0]), [row for row in table[1:] if len(row) == len(table[0])][:-_MAX_FOOTER]
    full = [column for column in range(width) if all(row[column].strip() for row in body)]
    known = {row[0].strip() for row in body} | {word for row in body for word in row[0].split()[:1]}
    words = [{row[column].strip() for row in body} for column in range(width)]
    found: list[Note] = []
    for line in reversed(lines):
        if not line.strip(delimiter + " \t\r") or line.startswith(tuple(comments)):
            continue  # left out anyhow: without a value there is not a label either
        try:
            row = next(csv.reader([line], delimiter=delimiter, quotechar=quote), [])
            if len(row) > width and f"\\{delimiter}" in line:  # a row where a backslash makes one part of a cell
                row = next(csv.reader([line], delimiter=delimiter, quotechar=quote, escapechar="\\"), [])
        except csv.Error:  # another line end within it, or a long cell
            break
        note = _note(row, line, width, full, known) or _sum_beside(row, line, words)
        if note is None:
            break
        found.append(note)
    return found[::-1] if len(found) <= min(len(body), _MAX_FOOTER) else []


def _note(row: Sequence[str], line: str, width: int, full: Sequence[int], known: set[str]) -> Note | None:
    first = row[0].strip() if row else ""
    word = first.split()[0] if first else ""
    if len(row) != width and '"' not in line:
        return Note(word if 0 < len(word) <= _MAX_WORD and line.startswith(word) else line, line, "a note")
    if len(row) != width:
        return None
    if first and word not in known and word.strip(":").lower() in FOOTERS and not is_number(first):
        return Note(line[: line.index(word) + len(word)], line, "a sum")
    is_alone = sum(bool(cell.strip()) for cell in row) == 1
    if is_alone and width > 2 and first and not is_typed(first) and word not in known and len(full) > 1:
        return Note(line[: line.index(word) + len(word)], line, "a note")
    if not first and 0 in full and any(is_number(cell.strip()) for cell in row[1:]):
        return Note(line, line, "a row without its first cell, perhaps a sum,")
    return None


def _sum_beside(row: Sequence[str], line: str, words: Sequence[set[str]]) -> Note | None:
    """Returns the note where a cell behind the first one is a word such as Total, which no row above has there."""
    for cell, known in zip(row[1:], words[1:], strict=False):
        if len(row) == len(words) and cell.strip() not in known and cell.strip(" :").lower() in _SUMS:
            return Note(line, line, "a sum")
    return None
