"""Says how this program was called, so that commands can be typed."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path

# "Interrupted in `crossnet init`" names what was done, not what to do.
_COMMAND = re.compile(r"(?<!Interrupted in )`crossnet(?= [a-z-])")


def program() -> str:
    """Returns how this program was called, as it can be typed here: "crossnet", or ".venv/bin/crossnet".

    Where it was called by its module, "python -m crossnet" with the interpreter as it was typed.
    """
    called = Path(sys.argv[0])
    if called.parts[-2:] == ("crossnet", "__main__.py"):
        return f"{shlex.quote(_shortest(Path(sys.orig_argv[0])))} -m crossnet"
    if called.name != "crossnet":  # called by another program, such as a test
        return "crossnet"
    return shlex.quote(_shortest(called))


def as_typed(text: str) -> str:
    """Returns a sentence for the screen: its commands, such as `crossnet runs`, begin as this one was called."""
    return _COMMAND.sub(lambda _: f"`{program()}", text) if "`crossnet " in text else text


def _shortest(path: Path) -> str:
    """Returns a file's name where PATH leads to it, else its path: relative where it lies below this folder."""
    found = shutil.which(path.name)
    if len(path.parts) == 1 or (found and Path(found).absolute() == path.absolute()):
        return path.name
    path, folder = path.absolute(), Path.cwd()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
