"""Reads and writes JSON of REST with orjson, where it is exact.

Its reader takes a tenth of the CPU of Python's (2026-11-29, 3,000 numbers), and takes only documents that the exact
reader takes too: what goes beyond JSON (NaN, text behind the document, lone surrogates, deep nesting) it refuses. Where
it reads a number differently, an integer beyond 64 bits as a float, an input of integers refuses the value. So what it
cannot read, what may have a key twice, or what then does not fit the signature, is read again by the exact reader,
which also finds the words of the error.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection
from typing import Any

import numpy as np

from crossnet.serving.embedded.json_input import read_body, read_inputs
from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.protocol.session import GraphSignature
from crossnet.serving.status import ServingError

orjson: Any
try:
    import orjson
except ImportError:  # where it is not built: answers are the same, for more CPU
    orjson = None

_LEAST, _LIMIT = 1e-4, 1e6  # outside, six digits are written with an exponent
_STEPS = np.array([float(f"1e{power}") for power in range(-4, 6)])
# By the number of `_STEPS` that a value has reached: what makes it a number of six digits before the point.
_SCALES = np.array([1.0, *(float(f"1e{power}") for power in range(9, -1, -1))])


class PredictBody:
    """The JSON object of a predict request.

    Args:
      body: What came.

    Attributes:
      signature_name: As it stands there; "" where it does not.

    Raises:
      ServingError: INVALID_ARGUMENT, the body is not a JSON object.
    """

    def __init__(self, body: bytes | bytearray) -> None:
        self._body = body
        self._quick = _read(body)
        self._exact = read_body(body) if self._quick is None else {}
        self.signature_name: str = (self._quick or self._exact).get("signature_name", "")

    def inputs(self, signature: GraphSignature) -> tuple[list[Array], bool]:
        """Returns the arrays in the order of `signature.inputs`, and whether they came row by row; once.

        Raises:
          ServingError: INVALID_ARGUMENT, they do not fit the signature.
        """
        if self._quick is not None:
            if (found := _fitting(self._quick, signature)) is not None:
                return found
            self._quick = None  # its memory is free before the other's is taken
            self._exact = read_body(self._body)
        return read_inputs(self._exact, signature)


def _read(body: bytes | bytearray) -> dict[str, Any] | None:
    """Returns the object of a request; None where orjson is missing or refuses the body, or where it is not one."""
    if orjson is None:
        return None
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    is_request = isinstance(document, dict) and isinstance(document.get("signature_name", ""), str)
    return document if is_request and not _may_repeat(body, document) else None


def _may_repeat(body: bytes | bytearray, document: dict[str, Any]) -> bool:
    """Returns whether an object of `body` may have a key twice, of which orjson keeps the last value alone.

    Each key has a colon behind it, and texts may hold more: a key that is lost leaves a colon that neither explains.
    """
    rest = dict(document)
    rows, columns = rest.pop("instances", None), rest.pop("inputs", None)
    objects = [columns] if type(columns) is dict else []
    if isinstance(rows, list) and rows and {*map(type, rows)} == {dict}:
        objects += rows
    colons = body.count(b":") - len(document) - sum(map(len, objects))
    if not colons:
        return False
    names = {*rest, *itertools.chain.from_iterable(objects)}
    if b"\\u003" in body or any(":" in name for name in names):  # a colon may be written so
        return True
    return colons != _colons([*rest.values(), *itertools.chain.from_iterable(map(dict.values, objects))])


def _colons(values: Collection[Any], depth: int = 3) -> int:
    """Returns how many colons stand for values in JSON: in texts, and behind keys; what lies deeper counts for none."""
    kinds = {*map(type, values)} if depth else set()
    found = 0
    if str in kinds:
        found += "".join(values if len(kinds) == 1 else [value for value in values if type(value) is str]).count(":")
    if list in kinds:
        found += sum(_colons(value, depth - 1) for value in values if type(value) is list)
    if dict in kinds:
        found += sum(len(value) + _colons(value.values(), depth - 1) for value in values if type(value) is dict)
    return found


def _fitting(document: dict[str, Any], signature: GraphSignature) -> tuple[list[Array], bool] | None:
    try:
        return read_inputs(document, signature)
    except ServingError:
        return None


def write_quickly(values: Array) -> tuple[list[str], Array] | None:
    """Returns each value as text, in six digits if they round-trip, else in nine; None where orjson is missing.

    A value is rounded to so many digits first, because orjson writes the fewest that tell two float64 apart: those are
    the digits of the rounded value. Both roundings are exact: a float32 has 24 bits and 5^12 has 28, so their product
    fits into the 53 bits of a float64, and the quotient of a whole number and a power of ten that both fit is the
    float64 next to the decimal number.

    Args:
      values: float32, shape `[n]`.

    Returns:
      The texts, and which of them hold: those of zero and of values from 1e-4 up to 1e6, where none has an exponent.
    """
    if orjson is None or not values.size:
        return None
    sizes, holds = _sizes(values)
    return _digits(values, sizes).decode().split(","), holds


def write_joined(values: Array) -> str | None:
    """Returns the texts of `write_quickly` with `, ` between them; None where one of them does not hold.

    It takes two thirds of the time, because no text becomes an object of its own (2026-11-30, 1,000 values).
    """
    if orjson is None or not values.size:
        return None
    sizes, holds = _sizes(values)
    return _digits(values, sizes).replace(b",", b", ").decode() if holds.all() else None


def _sizes(values: Array) -> tuple[Array, Array]:
    """Returns the absolute values as float64, 0 where no text holds, and where one does."""
    with np.errstate(invalid="ignore"):  # a NaN may be of the kind that signals
        sizes = np.abs(values).astype(np.float64)
        holds = ((sizes >= _LEAST) & (sizes < _LIMIT)) | (sizes == 0)
    sizes[~holds] = 0
    return sizes, holds


def _digits(values: Array, sizes: Array) -> bytes:
    """Returns the texts of `write_quickly` with commas between them."""
    places = np.searchsorted(_STEPS, sizes, side="right")
    six = _SCALES[places]
    nine = six * 1000
    short = np.rint(sizes * six) / six
    rounded = np.where(short.astype(np.float32) == sizes, short, np.rint(sizes * nine) / nine)
    with np.errstate(invalid="ignore"):
        np.copysign(rounded, values, out=rounded)
    return bytes(orjson.dumps(rounded, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1])
