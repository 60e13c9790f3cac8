"""Tells the user of something that was skipped, once.

A file that cannot be read must not stop a command, and must not be passed over in silence either.
"""

from __future__ import annotations

import contextlib
import sys

from crossnet.pipeline.wrapping import fitted
from crossnet.serving.protocol.printable import printable

_said: set[str] = set()


def say(sentence: str) -> None:
    """Prints a sentence on standard error, unless this command has printed it already."""
    if sentence in _said:
        return
    _said.add(sentence)
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):  # closed
            sys.stderr.write(f"{fitted(printable(sentence), sys.stderr)}\n")
            sys.stderr.flush()


def forget() -> None:
    """Begins anew: a command calls it at its start."""
    _said.clear()
