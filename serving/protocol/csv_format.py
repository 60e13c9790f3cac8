"""Declares how the bytes of a CSV file become cells.

ExampleGen and `predict` read a file by the same format, so that a file means the same in training and in a request.
"""

from __future__ import annotations

import codecs
import dataclasses
import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from encodings.aliases import aliases
from typing import Any

from crossnet.serving.protocol.printable import shown
from crossnet.serving.protocol.suggestions import did_you_mean

FORMAT_FILE = "assets.extra/csv_format.json"  # in a SavedModel: of the CSV that it was trained on
_BLANKS = " \t\r\n"
_LINE_ENDS = "\r\n"
_SPELLED = {"\\t": "\t"}  # as one writes it on a command line
DECIMALS = (".", ",", ",.")
DELIMITER_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class CsvFormat:
    r"""How the bytes of a CSV file become cells, and which cells are missing or numbers.

    Attributes:
      delimiter: One character, between cells.
      quote: One character, around cells that hold delimiters, quotes (doubled) or line breaks; "": cells are not
        quoted.
      escape: One character, after which the next one is an ordinary one; "": none.
      encoding: A codec of Python. A byte-order mark is left out.
      decimal: Between a number's whole part and its fraction: ".", "," or ",." for either.
      thousands: Between groups of a number's digits; "": none.
      null_values: Cells that are missing values.
      nan: "error" or "missing": what a cell `nan` is.
      comment: How lines begin that are left out, wherever they stand but in a quoted cell, or several such beginnings;
        "": none.
      skip_rows: Lines before the header that are left out.
      header: Whether the first row names the columns.
      names: The columns' names, in place of the file's; empty: those of the file, or `column_1`, `column_2` ...
      date_format: The form of a column's dates, in the directives of `strptime`, by the column's name.
      boolean: Columns whose cells are truth values in more words: yes and no, Y and N, t and f, 1 and 0.
      null_text: Columns of text in which `null_values` are missing too.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    encoding: str = "utf-8"
    decimal: str = "."
    thousands: str = ""
    null_values: tuple[str, ...] = ("",)
    nan: str = "error"
    comment: tuple[str, ...] | str = ""
    skip_rows: int = 0
    header: bool = True
    names: tuple[str, ...] = ()
    date_format: Mapping[str, str] = field(default_factory=dict, hash=False)
    boolean: tuple[str, ...] = ()
    null_text: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: object) -> CsvFormat:
        r"""Returns the format that settings state.

        Args:
          settings: A mapping, or an object with attributes, that has some of the fields and perhaps others; lists may
            stand for tuples, and the two characters `\t` for a tab.
        """
        values: dict[str, Any] = settings if isinstance(settings, dict) else vars(settings)
        known = {item.name for item in dataclasses.fields(cls)}
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items() if name in known
        }
        for name in ("delimiter", "quote", "escape", "comment"):
            if isinstance(given.get(name), str):
                given[name] = _SPELLED.get(given[name], given[name])
        return cls(**given)

    @property
    def codec(self) -> str:
        """Python's name of the encoding, such as "utf-8" or "cp1252"."""
        return codecs.lookup(self.encoding).name

    @property
    def is_utf8(self) -> bool:
        """Whether the bytes are UTF-8, so that they need not be decoded before they are parsed."""
        return self.codec in ("utf-8", "utf-8-sig", "ascii")

    @property
    def comments(self) -> tuple[str, ...]:
        """How lines begin that are left out; empty where none are."""
        return (self.comment,) if self.comment and isinstance(self.comment, str) else tuple(self.comment)

    def is_blank(self, line: str) -> bool:
        """Returns whether a line has blanks alone, and no delimiter: where rows have several cells it is not a row."""
        return line.isspace() and not line.strip(_BLANKS) and self.delimiter not in line and line[0] in " \t"

    @property
    def rewrites(self) -> bool:
        """Whether a file is not parsed as it is, but decoded, or without some of its lines."""
        return not self.is_utf8 or bool(self.comment or self.skip_rows)

    @property
    def has_plain_numbers(self) -> bool:
        """Whether numbers have a point and no marks between thousands."""
        return self.decimal == "." and not self.thousands

    @property
    def named_columns(self) -> frozenset[str]:
        """The columns that settings give another form."""
        return frozenset((*self.date_format, *self.boolean, *self.null_text))

    @property
    def has_plain_cells(self) -> bool:
        """Whether only the empty cell is missing, and numbers are plain."""
        return self.has_plain_numbers and self.nan == "error" and not {*self.null_values} - {""}

    @property
    def dialect(self) -> dict[str, Any]:
        """The arguments of Python's `csv.reader`."""
        quoting: dict[str, Any] = (
            {"quotechar": self.quote} if self.quote else {"quotechar": None, "quoting": 3}
        )  # csv.QUOTE_NONE
        return {"delimiter": self.delimiter, "escapechar": self.escape or None, **quoting}

    def problems(self) -> list[str]:
        """Returns what is wrong with the characters, the encoding and the names, a sentence each."""
        problems = []
        for name, value, optional in (
            ("delimiter", self.delimiter, ""),
            ("quote", self.quote, ", or empty for none"),
            ("escape", self.escape, ", or empty for none"),
        ):
            if not _is_mark(value) and not (optional and not value):
                problems.append(f"`{name}` must be one ASCII character{optional}. Received '{shown(value)}'.")
        for comment in self.comments:
            if not comment or any(end in comment for end in _LINE_ENDS):
                problems.append(f"`comment` is the start of a line and holds no line end. Received '{shown(comment)}'.")
        given = [(name, getattr(self, name)) for name in ("delimiter", "quote", "escape")]
        taken: dict[str, str] = {}
        for name, value in [*given, *(("comment", comment) for comment in dict.fromkeys(self.comments))]:
            if value and value in taken:
                problems.append(f"`{name}` and `{taken[value]}` are the same. Received '{shown(value)}' for both.")
            taken.setdefault(value, name)
        problems += self._number_problems() + _encoding_problems(self.encoding)
        if repeated := sorted({name for name in self.names if self.names.count(name) > 1}):
            problems.append(f"`names` must hold each name once. Received '{shown(repeated[0])}' more than once.")
        return problems

    def to_json(self) -> str:
        """Returns the fields that do not have their default, as `of` takes them back from JSON."""
        return json.dumps({name: getattr(self, name) for name in self.changed()}, ensure_ascii=False, indent=2) + "\n"

    def _number_problems(self) -> list[str]:
        problems = []
        if self.decimal not in DECIMALS:
            problems.append(f"`decimal` must be '.', ',' or ',.'. Received '{shown(self.decimal)}'.")
        if len(self.thousands) > 1 or self.thousands.isalnum() or self.thousands in tuple("+-"):
            problems.append(
                "`thousands` must be one mark, such as ',' or ' ', or empty for none. Received "
                f"'{shown(self.thousands)}'."
            )
        if self.thousands and self.thousands in self.decimal:
            problems.append(f"`thousands` and `decimal` are the same. Received '{self.decimal}' for both.")
        if self.nan not in ("error", "missing"):
            problems.append(f"`nan` must be 'error' or 'missing'. Received '{shown(self.nan)}'.")
        if self.null_text and not {*self.null_values} - {""}:
            problems.append(
                "`null_text` needs `null_values`, the words that are missing values. Received "
                f"`null_text` of `{shown(self.null_text[0])}` and no such word."
            )
        for column, form in self.date_format.items():
            if problem := _date_problem(form):
                problems.append(f"`date_format` of `{shown(column)}` is '{shown(form)}': {problem}.")
        return problems

    def changed(self) -> list[str]:
        """Returns the names of the fields that do not have their default."""
        default = CsvFormat()
        return [
            item.name for item in dataclasses.fields(self) if getattr(self, item.name) != getattr(default, item.name)
        ]


DEFAULT = CsvFormat()


def delimiter_name(delimiter: str) -> str:
    """Returns one delimiter as a sentence names it: "a comma"."""
    return f"a {DELIMITER_NAMES[delimiter][:-1]}" if delimiter in DELIMITER_NAMES else f"`{delimiter}`"


def spelled(delimiter: str) -> str:
    r"""Returns a delimiter as one writes it on a command line: a tab as `\t`."""
    return next((text for text, mark in _SPELLED.items() if mark == delimiter), delimiter)


def _is_mark(value: str) -> bool:
    return len(value) == 1 and value.isascii() and value not in "\r\n\0"


def _date_problem(form: str) -> str:
    """Returns what is wrong with a form of dates; "" for nothing."""
    try:
        datetime.datetime.strptime(datetime.datetime(2001, 2, 3, 4, 5, 6, tzinfo=datetime.UTC).strftime(form), form)
    except (ValueError, UnicodeError) as error:
        return f"{error}. Expected directives of Python's strptime, such as %d.%m.%Y"
    return "" if "%" in form else "it has no directive. Expected some of Python's strptime, such as %d.%m.%Y"


def _windows_encodings() -> set[str]:
    """Returns the names of encodings that Python knows on Windows alone."""
    codecs_there = ("mbcs", "oem")
    return {*codecs_there, *(name for name, codec in aliases.items() if codec in codecs_there)}


def _encoding_problems(encoding: str) -> list[str]:
    try:
        info = codecs.lookup(encoding)
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        known = {name.replace("_", "-") for name in {*aliases, *aliases.values()} - _windows_encodings()}
        near = did_you_mean(encoding.lower(), sorted(known), quote="'")
        return [f"`encoding` must be an encoding that Python knows. Received '{shown(encoding)}'.{near}"]
    if not getattr(info, "_is_text_encoding", True) or info.name in ("idna", "punycode", "undefined"):
        return [f"`encoding` must be an encoding of text, such as 'cp1252'. Received '{shown(encoding)}'."]
    return []
