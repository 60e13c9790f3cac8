"""Refuses files of JSON that are not one object per line."""

from __future__ import annotations

import json
from pathlib import Path

from crossnet.components.errors import DataError
from crossnet.components.sources.csv_lines import open_bytes
from crossnet.serving.protocol.json_start import START_BYTES, not_json_lines
from crossnet.serving.protocol.json_tables import converted, not_rows
from crossnet.serving.protocol.limits import MAX_ROW_BYTES, mebibytes


def check_lines(file: Path) -> None:
    """Looks at the first line of a file.

    Raises:
      DataError: The file is one array, one object that holds a table, objects of several lines, or not UTF-8.
      OSError, EOFError: It cannot be read, or unpacked.
    """
    with open_bytes(file) as stream:
        start = stream.read(START_BYTES)
        what = not_json_lines(start, file.name)
        first, line_end, rest = start.partition(b"\n")
        if what or not line_end or not rest.strip() or not _is_value(first):
            start += stream.read(MAX_ROW_BYTES + 1 - len(start)) if _may_be_one(start) else b""
            what = _one_value(start, file) or what
    if what:
        raise DataError(f"`{file.name}` {what}")


def _may_be_one(start: bytes) -> bool:
    return start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def _is_value(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _one_value(text: bytes, file: Path) -> str:
    """Returns what a file is that is one value and holds a table, for a message; "" for another one."""
    text = text.removeprefix(b"\xef\xbb\xbf")
    if len(text) > MAX_ROW_BYTES:
        line = text.split(b"\n", 1)[0]
        if len(line) < MAX_ROW_BYTES and _is_value(line):
            return ""
        command = converted("jq -c '.NAME[]'", file.name)
        return (
            f"has objects of several lines, or of more than {mebibytes(MAX_ROW_BYTES)}. Expected one JSON object per "
            f"line. Where the rows are a list within one object, convert it: {command}."
        )
    try:
        return not_rows(json.loads(text), file.name)
    except (ValueError, RecursionError):  # several lines, of which another check says what is wrong
        return ""
