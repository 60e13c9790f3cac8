"""Reads what JSON values of a REST request stand for."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from crossnet.serving.protocol.bounded_text import json_text
from crossnet.serving.protocol.codes import invalid

_BLANKS = re.compile(r"\s+", re.ASCII)
_TYPE_WORDS = {bool: "True", dict: "Object", list: "Array", str: "String", int: "Number", float: "Number"}


def is_base64(value: Any) -> bool:
    """Returns whether a JSON value is `{"b64": text}`, which stands for bytes."""
    return isinstance(value, dict) and list(value) == ["b64"] and isinstance(value["b64"], str)


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
    return "Null" if value is None else "False" if value is False else _TYPE_WORDS[type(value)]
