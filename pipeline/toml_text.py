"""Reads TOML that may be anything, in bounded time and memory."""

from __future__ import annotations

import datetime
import os
import re
import reprlib
import stat
import tomllib
from pathlib import Path
from typing import Any

from crossnet.components.errors import SettingsError
from crossnet.serving.protocol.printable import printable, shown

MAX_BYTES = 4 << 20
MAX_LEVELS = 100
MAX_PATH = 1000  # characters of a path in a message
_MAX_DIGITS = 40
# `tomllib` takes time in the square of a key's levels.
_DEEP_KEY = re.compile(rf"(?<![\w-])(?:(?:[\w-]++|\"[^\"\n]*+\"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{MAX_LEVELS}}}", re.ASCII)
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")
_HELP = "See https://toml.io for the format."


class _Received(reprlib.Repr):
    """Shows any value of TOML in a few words."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 60
        self.maxlevel = 3

    def repr_int(self, x: int, level: int) -> str:
        digits = (x.bit_length() - 1) * 30_103 // 100_000 + 1
        # Python refuses to write more than 4,300 digits.
        return repr(x) if digits <= _MAX_DIGITS else f"a whole number of about {digits:,} digits"

    def repr_date(self, x: datetime.date, level: int) -> str:
        return str(x)

    repr_datetime = repr_time = repr_date


_RECEIVED = _Received()


def received(value: Any) -> str:
    """Returns a setting's value for a message: short, however long or deep it is."""
    return _RECEIVED.repr(value)


def parse_toml(text: str) -> dict[str, Any]:
    """Returns the values in a text.

    Raises:
      ValueError: It is not TOML, or is deeper than can be read; the message says why in a few words.
    """
    if _DEEP_KEY.search(text):
        raise ValueError(f"a key has more than {MAX_LEVELS} levels")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None
    except ValueError as error:
        digits = "int_max_str_digits" in str(error)
        raise ValueError("a number has too many digits" if digits else _bounded(str(error))) from None


def _bounded(reason: str) -> str:
    """Returns why a text is not TOML. A long key that it quotes is cut out; the place at its end stays."""
    return printable(reason if len(reason) <= 160 else f"{reason[:80]} ... {reason[-60:]}")


def read_toml(file: Path) -> dict[str, Any]:
    """Returns the values in a file.

    Raises:
      SettingsError: It cannot be read, is too large, or is not TOML.
    """
    name = shown(str(file), MAX_PATH)
    try:
        mode = os.stat(file).st_mode
        if not stat.S_ISREG(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
            raise SettingsError(f"`{name}` is {what}. Expected a TOML file. Name one with `--config`.")
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"`{name}` cannot be read: {error.strerror}. Name a TOML file that can be read.") from None
    if len(content) > MAX_BYTES:
        raise SettingsError(
            f"`{name}` has more than {MAX_BYTES >> 20} MiB, which no config needs. Name a TOML file; a table of rows "
            "is named in it, as `example_gen.input`."
        )
    try:
        return parse_toml(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        kind = "is in UTF-16" if content.startswith(_BYTE_ORDER_MARKS) else f"is not UTF-8 in line {line:,}"
        raise SettingsError(f"`{name}` {kind}: {error.reason}. Save the file as UTF-8.") from None
    except ValueError as error:
        raise SettingsError(f"`{name}` is not valid TOML: {error}. {_HELP}") from None
