"""Converts times for the `time` split and finds where eval begins.

The memory needed does not grow with the number of rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crossnet.components.errors import SettingsError
from crossnet.components.sources.csv_cells import parse_time
from crossnet.serving.protocol.cell_values import read_date

_DIGIT_BITS = 16
_CHUNK_ROWS = 1 << 17


class BadTimeError(Exception):
    """A value is not a time.

    Attributes:
      row: Its index in the array.
      value: Its text.
    """

    def __init__(self, row: int, value: str):
        super().__init__(row, value)
        self.row = row
        self.value = value


def time_values(key: pa.Array, form: str = "") -> NDArray[np.float64]:
    """Returns seconds since 1970 (UTC where no zone is given), or the numbers where the column holds numbers.

    Args:
      key: Numbers, or text in bytes: numbers or ISO 8601.
      form: The form of the text in the directives of `strptime`, where `date_format` gives the column one.

    Raises:
      BadTimeError: A value is missing, or neither a number nor a time.
    """
    if key.null_count:
        raise BadTimeError(int(pc.index(key.is_null(), True).as_py()), "")
    if pa.types.is_integer(key.type) or pa.types.is_floating(key.type):
        values: NDArray[np.float64] = key.to_numpy(zero_copy_only=False).astype(np.float64)
    else:
        values = _parsed(key, form)
    if bad := np.flatnonzero(np.isnan(values)).tolist():
        raise BadTimeError(bad[0], "nan")
    return values


def moment(text: str, form: str = "") -> float:
    """Returns the setting `split_time` as `time_values` returns a value of the split column.

    Raises:
      SettingsError: It is not a time.
    """
    if form and (found := read_date(text, form, "us")) is not None:
        return found / 1e6
    try:
        return parse_time(text)
    except ValueError:
        raise SettingsError(
            f"`example_gen.split_time` is '{text}'. Expected a number, or a date or time in ISO 8601, such as "
            "2026-11-23 or 2026-11-23T08:45:00Z."
        ) from None


def newest_cuts(batches: Iterable[pa.Array], fractions: Sequence[float], spool: Path, form: str = "") -> list[float]:
    """Returns, for each fraction, the newest moment such that at least that share of the rows is at or after it.

    The times are spooled to a file and searched digit by digit, so memory does not grow with rows.

    Args:
      batches: The split column, batch by batch; all values are valid times.
      spool: Path of a temporary file to write.
      form: As in `time_values`.
    """
    with spool.open("wb") as stream:
        for batch in batches:
            stream.write(_ordered(time_values(batch, form)).tobytes())
    times = np.memmap(spool, np.uint64, "r") if spool.stat().st_size else np.zeros(0, np.uint64)
    return [_newest(times, math.ceil(len(times) * fraction)) for fraction in fractions]


def _newest(times: NDArray[np.uint64], rank: int) -> float:
    """Returns the `rank`-th time from the end, rank 1 being the newest; infinity for rank 0."""
    if not rank:
        return math.inf
    prefix, shift = np.uint64(0), 64
    while shift and len(times):
        shift -= _DIGIT_BITS
        counts = np.zeros(1 << _DIGIT_BITS, np.int64)
        for chunk in _chunks(times):
            same = chunk if shift + _DIGIT_BITS == 64 else chunk[chunk >> np.uint64(shift + _DIGIT_BITS) == prefix]
            digits = (same >> np.uint64(shift)) & np.uint64((1 << _DIGIT_BITS) - 1)
            counts += np.bincount(digits.astype(np.int64), minlength=len(counts))
        newer = np.cumsum(counts[::-1])
        place = int(np.searchsorted(newer, rank))
        rank -= int(newer[place] - counts[::-1][place])
        prefix = (prefix << np.uint64(_DIGIT_BITS)) | np.uint64(len(counts) - 1 - place)
    return float(_restored(prefix))


def _parsed(key: pa.Array, form: str) -> NDArray[np.float64]:
    try:
        text = pc.utf8_trim_whitespace(key.cast(pa.string()))
    except pa.ArrowInvalid:  # not UTF-8
        for row, value in enumerate(key.to_pylist()):
            try:
                value.decode()
            except UnicodeDecodeError:
                raise BadTimeError(row, value.decode(errors="backslashreplace")) from None
        raise
    if form:
        return _parsed_in(text, form)
    try:
        return np.asarray(text.cast(pa.float64()).to_numpy(zero_copy_only=False))
    except pa.ArrowInvalid:
        pass
    for unit in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return np.asarray(text.cast(unit).cast(pa.int64()).to_numpy() / 1e6)
        except pa.ArrowInvalid:
            continue
    values = np.zeros(len(key))
    for row, value in enumerate(text.to_pylist()):
        try:
            values[row] = parse_time(value)
        except ValueError:
            raise BadTimeError(row, value) from None
    return values


def _parsed_in(text: pa.Array, form: str) -> NDArray[np.float64]:
    """Returns times in one form; each distinct text is read once."""
    encoded = text.dictionary_encode()
    places = encoded.indices.to_numpy()
    found = [read_date(value, form, "us") for value in encoded.dictionary.to_pylist()]
    for place, value in enumerate(found):
        if value is None:
            raise BadTimeError(int(np.flatnonzero(places == place)[0]), encoded.dictionary[place].as_py())
    return np.array(found, np.float64)[places] / 1e6


def _chunks(times: NDArray[np.uint64]) -> Iterator[NDArray[np.uint64]]:
    for start in range(0, len(times), _CHUNK_ROWS):
        yield np.asarray(times[start : start + _CHUNK_ROWS])


def _ordered(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Returns integers in the order of the floats: the sign bit flipped, or all bits of a negative."""
    bits = (values + 0.0).view(np.uint64)
    sign = np.uint64(1 << 63)
    return np.where(bits & sign, ~bits, bits | sign)


def _restored(number: np.uint64) -> np.float64:
    """Returns the float of an integer made by `_ordered`."""
    sign = np.uint64(1 << 63)
    bits = number & ~sign if number & sign else ~number
    return np.array([bits], np.uint64).view(np.float64)[0]
