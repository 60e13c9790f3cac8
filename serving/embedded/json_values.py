"""Reads what JSON values of a REST request stand for.

Of a key that occurs twice, the real server takes the first value, except in a row of `instances`: there it appends
both, so that every row below gets the value of another. Such a row is refused here, and likewise an example.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from crossnet.serving.protocol.bounded_text import cut, json_text
from crossnet.serving.protocol.codes import invalid

_BLANKS = re.compile(r"\s+", re.ASCII)
_TYPE_WORDS = {bool: "True", dict: "Object", list: "Array", str: "String", int: "Number", float: "Number"}


class Repeated(dict[str, Any]):
    """A JSON object with a key that occurs twice, and the first value of each.

    Attributes:
      key: The first one that occurs again.
    """

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(reversed(pairs))
        seen: set[str] = set()
        self.key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]


def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns a JSON object, of the kind `Repeated` where a key occurs twice."""
    values = dict(pairs)
    return values if len(values) == len(pairs) else Repeated(pairs)


def row_of(value: dict[str, Any], position: int) -> dict[str, Any]:
    """Returns a row of `instances`.

    Raises:
      ServingError: INVALID_ARGUMENT, a key of it occurs twice.
    """
    if isinstance(value, Repeated):
        raise invalid(
            f"Failed to process element: {position} key: {cut(value.key)} of 'instances' list. Error: "
            "INVALID_ARGUMENT: JSON object: has this key twice"
        )
    return value


def is_base64(value: Any) -> bool:
    """Returns whether a JSON value is `{"b64": text}`, which stands for bytes."""
    return type(value) is dict and list(value) == ["b64"] and isinstance(value["b64"], str)


def decode_base64(value: dict[str, Any]) -> bytes:
    """Returns the bytes of such a value.

    Raises:
      ServingError: INVALID_ARGUMENT, it is another value or not base64.
    """
    if not is_base64(value):
        raise invalid(f"JSON Value: {json_text(value)} not formatted correctly for base64 data")
    text = _BLANKS.sub("", value["b64"])  # lines may be broken
    if "=" not in text:  # the padding may be left out
        text += "=" * (-len(text) % 4)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Unable to base64 decode") from None


def json_type(value: Any) -> str:
    """Returns RapidJSON's word for the type of a value."""
    return "Null" if value is None else "False" if value is False else _TYPE_WORDS.get(type(value), "Object")
