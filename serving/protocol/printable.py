"""Shows text from outside on a screen: escaped and cut.

A cell, a header or a name may hold anything. Written raw to a terminal, control characters move the cursor, set colours
or a title, and overwrite what was there; marks of writing direction make text read in another order than it has.
"""

from __future__ import annotations

import logging
import sys
import unicodedata
from collections.abc import Collection
from itertools import islice

MAX_NAME_SHOWN = 100  # characters of a column's name
_MAX_SHOWN = 60  # characters of a value
_MAX_LISTED = 20  # names

# Cc: controls, C1 too. Cf: writing direction, zero width. Zl, Zp: line separators. Cs: half of a surrogate pair, such
# as a byte of a file's name that is not UTF-8.
_HARMFUL = ("Cc", "Cf", "Cs", "Zl", "Zp")
_KEPT = ("\n", "\t")


def printable(text: str) -> str:
    """Returns a text for people with control characters escaped as in `\\x1b`, but for line breaks and tabs."""
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character in _KEPT or unicodedata.category(character) not in _HARMFUL
        else character.encode("unicode_escape").decode()
        for character in text
    )


def shown(text: str, most: int = _MAX_SHOWN) -> str:
    """Returns a value's text for a message: one line, cut after its first `most` characters, harmless on a terminal."""
    cut = text if len(text) <= most else f"{text[:most]}..."
    return printable(cut).replace("\n", "\\n").replace("\t", "\\t")


def listed(names: Collection[str]) -> str:
    """Returns names for a message, in backticks, at most the first 20 of them: "`a`, `b`, ... (30 in all)"."""
    text = ", ".join(f"`{shown(name, MAX_NAME_SHOWN)}`" for name in islice(names, _MAX_LISTED))
    return text if len(names) <= _MAX_LISTED else f"{text}, ... ({len(names):,} in all)"


def tell(text: str) -> None:
    """Writes a line for people on standard error."""
    sys.stderr.write(f"{printable(text)}\n")
    sys.stderr.flush()


class PrintableFormatter(logging.Formatter):
    """Formats log records for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the record's text with control characters escaped."""
        return printable(super().format(record))
