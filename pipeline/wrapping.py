"""Wraps sentences at words to the width of a terminal."""

from __future__ import annotations

import os
import re
import textwrap
from typing import TextIO

_LEAST_COLUMNS = 40  # below, a wrapped line is not easier to read
# A sentence begins behind "  passed   " or "NOT_BLESSED: ".
_LEAD = re.compile(r"  (?:passed|FAILED|skipped) +|NOT_\w+: ")


def wrapped(line: str, width: int) -> list[str]:
    """Returns a line cut at words to a width in characters; what follows is indented by two more.

    A number and its % stay together. A row of a table, in which words stand apart by more than one space, is left as it
    is.
    """
    lead = _LEAD.match(line)
    rest = line[lead.end() :] if lead else line.lstrip()
    if len(line) <= width or width < _LEAST_COLUMNS or "  " in rest:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    pieces = textwrap.wrap(
        line.replace(" %", "\N{NO-BREAK SPACE}%"),
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
    return [piece.replace("\N{NO-BREAK SPACE}%", " %") for piece in pieces]


def fitted(text: str, stream: TextIO) -> str:
    """Returns lines as they are; where `stream` is a terminal, wrapped at words to its width."""
    width = columns(stream)
    return "\n".join(piece for line in text.split("\n") for piece in wrapped(line, width)) if width else text


def columns(stream: TextIO) -> int:
    """Returns the width of a terminal in characters, by COLUMNS where it is set; 0 where `stream` is not one."""
    try:
        if not stream.isatty():
            return 0
        return int(os.environ.get("COLUMNS") or 0) or os.get_terminal_size(stream.fileno()).columns
    except (AttributeError, ValueError, OSError):  # closed, without a descriptor, or COLUMNS is not a number
        return 0
