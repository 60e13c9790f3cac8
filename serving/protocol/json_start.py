"""Tells JSON that is not one object per line."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from crossnet.serving.protocol.csv_bytes import encoding_of
from crossnet.serving.protocol.json_tables import converted
from crossnet.serving.protocol.printable import shown

START_BYTES = 4096  # of a file, which tell what it is


def json_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns a JSON object; Python alone would take the last value of a key that occurs twice.

    Raises:
      ValueError: One does.
    """
    values = dict(pairs)
    if len(values) < len(pairs):
        (key, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"it has the key {shown(json.dumps(key))} twice")
    return values


def advice_on_line(text: str) -> str:
    """Returns what to do about a line that is not a JSON object, a sentence after a blank; "" where it is unclear."""
    text = text.strip()
    if text.endswith(","):
        return " The line ends with a comma, as those of an array do: take it away."
    if re.match(r"\{\s*'", text):
        return " Its texts are in single quotes, as Python prints a dictionary: write it with `json.dumps`."
    if re.search(r"\}\s*\{", text):
        return " Does it hold several objects? Write each on a line of its own."
    return ""


def not_json_lines(start: bytes, file_name: str) -> str:
    """Returns, for a message, what a file of JSON is that is not one object per line in UTF-8, and what makes it so.

    Args:
      start: Its first bytes.
      file_name: Its name; one that is not a file's, such as "standard input", has a blank and no point.

    Returns:
      The end of a sentence that begins with the file's name, and a command; "" where it may be JSON lines.
    """

    if encoding := encoding_of(start):
        command = converted(f"iconv -f {encoding} -t utf-8", file_name)
        return f"is in {encoding.upper()}, and JSON is read as UTF-8. Convert it: {command}."
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"[") and text[1:].lstrip()[:1] in (b"{", b""):
        each = converted("jq -c '.[]'", file_name)
        return f"is one array. Expected one JSON object per line. Convert it: {each}."
    first, line_end, _ = text.partition(b"\n")
    if line_end and first.strip() == b"{":
        whole, inner = converted("jq -c .", file_name), converted("jq -c '.NAME[]'", file_name)
        return (
            f"has objects of several lines. Expected one JSON object per line. Convert it: {whole}; where the rows are "
            f"a list within one object: {inner}."
        )
    return ""
