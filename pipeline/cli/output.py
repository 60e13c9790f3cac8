"""Tells an error of standard output from one of a file.

`crossnet runs > FILE` on a full disk fails where the table is printed; the system's error names no file.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any

NAME = "standard output"  # the `filename` of its errors


class _Output(io.FileIO):
    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except OSError as error:
            raise OSError(error.errno, error.strerror, NAME) from None


def name_output() -> None:
    """Replaces `sys.stdout` by a stream whose errors name it."""
    stream = sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.flush()
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(_Output(stream.fileno(), "w", closefd=False)),
            encoding=stream.encoding,
            errors=stream.errors,
            line_buffering=stream.line_buffering,
        )


def output_problem(error: BaseException) -> str | None:
    """Returns, in a sentence, why standard output took nothing; None where the error is another.

    What Python still holds for it goes nowhere, so that it does not fail again when the process ends.
    """
    if not isinstance(error, OSError) or error.filename != NAME:
        return None
    discard_output()
    return f"Cannot write {NAME}: {error.strerror}. What it should have shown is lost: call again with room for it."


def discard_output() -> None:
    """Lets what is printed from now on, and what Python still holds, go nowhere."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
