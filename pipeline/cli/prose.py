"""Prints sentences for a terminal: wrapped at words, verdicts in colour."""

from __future__ import annotations

import re

from rich.console import Console
from rich.text import Text

from crossnet.pipeline.called import as_typed
from crossnet.pipeline.wrapping import wrapped
from crossnet.serving.protocol.printable import printable

_STYLES = {
    r"^  passed(?=  )|^[\w-]+: (?P<blessed>blessed)$|(?P<champion>champion)$": "green",
    r"^  FAILED(?=  )|NOT blessed$|^NOT_(BLESSED|PUSHED)(?=:)": "red",
    r"^  skipped(?=  )": "dim",
}


def print_text(console: Console, text: str) -> None:
    """Prints lines as they are; on a terminal, wrapped at words to its width, and with verdicts in colour."""
    for line in as_typed(text).split("\n"):
        for piece in wrapped(printable(line), console.width) if console.is_terminal else [printable(line)]:
            console.print(_coloured(piece))


def _coloured(line: str) -> Text:
    text = Text(line)
    for pattern, style in _STYLES.items():
        for match in re.finditer(pattern, line):
            name = match.lastgroup
            start, stop = match.span(name) if name else match.span()
            text.stylize(style, start, stop)
    return text
