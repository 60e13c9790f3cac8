"""Parses the JSON of a REST request as the real server does.

Beyond Python's reader: of a key that occurs twice the first value counts, `Inf` and `-NaN` are numbers, text behind the
document is passed by, nesting may be as deep as it likes, a number beyond float64 is an error. Source:
tensorflow/serving util/json_tensor.cc, which reads with RapidJSON.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from crossnet.serving.embedded.json_values import object_of
from crossnet.serving.protocol.codes import invalid

# Deeper than any tensor: TensorFlow has at most 254 dimensions, NumPy 64.
_KEPT_LEVELS = 260
_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_BRACKET = re.compile(_STRING + r"|[\[\]{}]", re.DOTALL)
_SPELLINGS = re.compile(f"({_STRING})|\\bInf\\b|-NaN\\b", re.DOTALL)
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")  # half of a surrogate pair, or of two of them
# Two patterns, because one that begins with a plain character is found several times as fast.
_LARGE_EXPONENTS = re.compile(r"e\+?0*[1-9]\d\d"), re.compile(r"E\+?0*[1-9]\d\d")
_DIGITS = 150  # half of what a number beyond float64 has, so that it holds a whole piece of the text of this length
_BLANKS = " \t\n\r"


def parse_json(body: bytes | bytearray) -> Any:
    """Returns the value of the first JSON document in `body`, which is UTF-8; what comes behind it is passed by.

    Where the nesting is too deep for Python's reader (some 1,000 levels, 10,000 from Python 3.13 on), lists and objects
    that lie deeper than 260 levels are read as null: nothing takes so many dimensions.

    Raises:
      ServingError: INVALID_ARGUMENT, it does not parse.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        text = body.decode("utf-8-sig")
        document = _parse(text)
        if _HALF_PAIR.search(text):
            json.dumps(document, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise invalid(f"JSON Parse error: {error.msg} at offset: {error.pos}") from None
    except UnicodeEncodeError:  # half of a surrogate pair: Python reads it, but it cannot be encoded
        raise invalid("JSON Parse error: The surrogate pair in string is invalid.") from None
    except UnicodeDecodeError as error:
        raise invalid(f"JSON Parse error: The body is not UTF-8 at offset: {error.start}") from None
    except ValueError as error:
        raise invalid(f"JSON Parse error: {type(error).__name__}") from None
    return document


def memory_needed(body: bytes | bytearray) -> int:
    """Returns about how many bytes the value of a document takes in Python, before it is read.

    Counted are the characters that stand for an object: an empty list takes 56 bytes and its place in another 8, a
    number 24, a pair of an object about 100. Those inside strings count too, so that text with many of them is
    estimated as too large.
    """
    colons = body.count(b":")
    strings = max(0, body.count(b'"') // 2 - colons)  # the keys of objects are shared
    sizes = {b"{": 72, b"[": 88, b",": 33}
    return sum(size * body.count(sign) for sign, size in sizes.items()) + 100 * colons + 60 * strings


def _parse(text: str) -> Any:
    read = _READ_CHECKED if _may_be_large(text) else _READ
    start = len(text) - len(text.lstrip(_BLANKS))
    try:
        return read(text, start)[0]
    except RecursionError:
        return _parse(_without_depths(text))
    except json.JSONDecodeError:
        spelled_out = text
        if "Inf" in text or "-NaN" in text:
            spelled_out = _SPELLINGS.sub(lambda found: found[1] or ("NaN" if "N" in found[0] else "Infinity"), text)
        if spelled_out == text:
            raise
        return _parse(spelled_out)


def _may_be_large(text: str) -> bool:
    """Returns whether a number may be beyond float64, by quicker means than a pattern such as 300 digits."""
    if any(pattern.search(text) for pattern in _LARGE_EXPONENTS):
        return True
    return any(text[start : start + _DIGITS].isdecimal() for start in range(0, len(text), _DIGITS))


def _without_depths(text: str) -> str:
    """Returns the text with `null` in place of each list and object below the levels that are kept."""
    kept, level, begin = [], 0, 0
    for found in _BRACKET.finditer(text):
        if found[0] in "[{":
            level += 1
            if level == _KEPT_LEVELS + 1:
                kept += [text[begin : found.start()], "null"]
                begin = len(text)  # until this list or object ends
        elif found[0] in "]}":
            level -= 1
            if level == _KEPT_LEVELS:
                begin = found.end()
            if not level:  # the document's end
                break
    return "".join([*kept, text[begin:]])


def _finite(text: str) -> float:
    """Returns a number; Python alone would take one that is too large as infinity."""
    number = float(text)
    if math.isinf(number):
        raise invalid("JSON Parse error: Number too big to be stored in double.")
    return number


def _whole(text: str) -> int:
    _finite(text)
    return int(text)


_READ = json.JSONDecoder(object_pairs_hook=object_of).raw_decode
_READ_CHECKED = json.JSONDecoder(object_pairs_hook=object_of, parse_float=_finite, parse_int=_whole).raw_decode
