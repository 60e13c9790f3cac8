"""Prints sentences for a terminal: wrapped at words, verdicts in colour."""

from __future__ import annotations

import re
import textwrap

from rich.console import Console
from rich.text import Text

from crossnet.pipeline.called import as_typed
from crossnet.serving.protocol.printable import printable

_LEAST_COLUMNS = 40  # below, a wrapped line is not easier to read
_STYLES = {
    r"^  passed(?=  )|^[\w-]+: (?P<blessed>blessed)$|(?P<champion>champion)$": "green",
    r"^  FAILED(?=  )|NOT blessed$|^NOT_(BLESSED|PUSHED)(?=:)": "red",
    r"^  skipped(?=  )": "dim",
}
# A sentence begins behind "  passed   " or "NOT_BLESSED: ".
_LEAD = re.compile(r"  (?:passed|FAILED|skipped) +|NOT_\w+: ")


def print_text(console: Console, text: str) -> None:
    """Prints lines as they are; on a terminal, wrapped at words to its width, and with verdicts in colour."""
    for line in as_typed(text).split("\n"):
        for piece in wrapped(printable(line), console.width) if console.is_terminal else [printable(line)]:
            console.print(_coloured(piece))


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


def _coloured(line: str) -> Text:
    text = Text(line)
    for pattern, style in _STYLES.items():
        for match in re.finditer(pattern, line):
            name = match.lastgroup
            start, stop = match.span(name) if name else match.span()
            text.stylize(style, start, stop)
    return text
