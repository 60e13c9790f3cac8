"""Writes what a request holds into messages of bounded length.

A message must not grow with the request: a name, a list of names or a JSON value may be as large as the request itself,
and its text many times as large. So each of these functions looks only at as much as it shows.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Collection
from itertools import islice
from typing import Any

_MAX_SHOWN = 200  # characters of one name, list of names or value
_GAP = "..."
_MAX_MESSAGE = 1000  # characters


class _Written(str):
    """A piece of JSON, to be shown as it is."""

    __slots__ = ()


def cut(text: str, limit: int = _MAX_SHOWN) -> str:
    """Returns a text of at most `limit` characters: a longer one without its middle; control characters as `?`."""
    if len(text) > limit:
        kept = limit - len(_GAP)
        text = text[: kept - kept // 3] + _GAP + text[len(text) - kept // 3 :]
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


def cut_message(message: str) -> str:
    """Returns a whole message without its middle where it has more than 1,000 characters."""
    if len(message) <= _MAX_MESSAGE:
        return message
    kept = _MAX_MESSAGE - len(_GAP)
    return message[: kept - kept // 3] + _GAP + message[len(message) - kept // 3 :]


def joined(names: Collection[str], limit: int = _MAX_SHOWN) -> str:
    """Returns names, sorted and joined by commas; "..." in place of those beyond `limit` characters."""
    shown: list[str] = []
    used = 0
    first = sorted(names) if len(names) <= limit else heapq.nsmallest(limit, names)
    for name in first:
        name = cut(name, limit // 2)
        used += len(name) + 1
        if used > limit:
            return ",".join([*shown, _GAP])
        shown.append(name)
    return ",".join(shown)


def json_text(value: Any, limit: int = _MAX_SHOWN) -> str:
    """Returns a parsed JSON value as text, on one line; "..." in place of what comes after `limit` characters."""
    parts: list[str] = []
    left, waiting = limit, [value]
    while waiting:
        if left <= 0:
            return "".join(parts)[:limit] + _GAP
        part = _text_or_parts(waiting.pop(), left)
        if isinstance(part, str):
            parts.append(part)
            left -= len(part)
        else:
            waiting.extend(reversed(part))
    text = "".join(parts)
    return text if left >= 0 else text[:limit] + _GAP


def _text_or_parts(value: Any, limit: int) -> str | list[Any]:
    """Returns the text of one value, or the first parts of a list or an object, at most `limit` of them."""
    if isinstance(value, _Written):
        return value
    if isinstance(value, list):
        items: list[Any] = [part for item in islice(value, limit) for part in (_Written(", "), item)]
        return [_Written("["), *items[1:], _Written("]")]
    if isinstance(value, dict):
        pairs: list[Any] = [
            part for key, item in islice(value.items(), limit) for part in (_Written(", "), key, _Written(": "), item)
        ]
        return [_Written("{"), *pairs[1:], _Written("}")]
    return json.dumps(value[: limit + 1] if isinstance(value, str) else value)
