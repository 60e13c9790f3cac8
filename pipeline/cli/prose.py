"""Prints sentences for a terminal: wrapped at words, verdicts in colour."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import textwrap
from pathlib import Path

from rich.console import Console
from rich.text import Text

from crossnet.serving.protocol.printable import printable

_LEAST_COLUMNS = 40  # below, a wrapped line is not easier to read
_STYLES = {
    r"^  passed(?=  )|^[\w-]+: (?P<blessed>blessed)$|(?P<champion>champion)$": "green",
    r"^  FAILED(?=  )|NOT blessed$|^NOT_(BLESSED|PUSHED)(?=:)": "red",
    r"^  skipped(?=  )": "dim",
}
# Where a sentence begins behind "  passed   " or "NOT_BLESSED: ": there its next lines begin too.
_LEAD = re.compile(r"  (?:passed|FAILED|skipped) +|NOT_\w+: ")


def print_text(console: Console, text: str) -> None:
    """Prints lines as they are; on a terminal, wrapped at words to its width, and with verdicts in colour."""
    for line in text.split("\n"):
        for piece in wrapped(printable(line), console.width) if console.is_terminal else [printable(line)]:
            console.print(_coloured(piece))


def wrapped(line: str, width: int) -> list[str]:
    """Returns a line cut at words to a width in characters; what follows stands below where the sentence begins.

    A row of a table, in which words stand apart by more than one space, is left as it is.
    """
    lead = _LEAD.match(line)
    rest = line[lead.end() :] if lead else line.lstrip()
    if len(line) <= width or width < _LEAST_COLUMNS or "  " in rest:
        return [line]
    indent = " " * (lead.end() if lead and lead[0].startswith(" ") else len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )


def _coloured(line: str) -> Text:
    text = Text(line)
    for pattern, style in _STYLES.items():
        for match in re.finditer(pattern, line):
            name = match.lastgroup
            start, stop = match.span(name) if name else match.span()
            text.stylize(style, start, stop)
    return text


def program() -> str:
    """Returns how this program was called, as it can be typed here: "crossnet", or ".venv/bin/crossnet"."""
    called = Path(sys.argv[0])
    if called.parts[-2:] == ("crossnet", "__main__.py"):
        return f"{shlex.quote(_here(Path(sys.executable)))} -m crossnet"
    if called.name != "crossnet":  # called by another program, such as a test
        return "crossnet"
    found = shutil.which("crossnet")
    return "crossnet" if found and Path(found).absolute() == called.absolute() else shlex.quote(_here(called))


def _here(path: Path) -> str:
    """Returns a path as it is shortest: relative where it lies below the working directory."""
    path, folder = path.absolute(), Path.cwd()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
