"""Writes cells of any CSV format as the default format has them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crossnet.serving.protocol.cell_values import number_regex
from crossnet.serving.protocol.csv_format import CsvFormat

NUMBER_BYTES = b"0123456789+-.iInN"  # with which a number may begin, and infinity and NaN
_NOT_ASCII = 0x80
_BLANK = (
    r"^[\s\x0b\x1c-\x1f\x85\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]+$"  # as str.strip
)


def plain_cells(cells: pa.Array, csv_format: CsvFormat, *, numbers: bool) -> pa.Array:
    """Returns cells (binary) as the default format has them, null where they are holes, as blank cells are.

    Args:
      cells: Binary, null where empty.
      csv_format: Its `null_values`, `nan`, `decimal` and `thousands` count.
      numbers: Whether the cells are numbers. Other text among them begins with "?" afterwards, so that no rule takes
        it for a number.
    """
    if _may_be_blank(cells):
        blank = pc.match_substring_regex(cells.cast(pa.string(), safe=False), _BLANK)
        cells = pc.if_else(blank, pa.scalar(None, pa.binary()), cells) if pc.any(blank).as_py() else cells
    if csv_format.has_plain_cells:
        return cells
    dictionary = cells.dictionary_encode() if len(cells) else None
    if dictionary is not None and len(dictionary.dictionary) * 2 < len(cells):
        return pc.take(plain_cells(dictionary.dictionary, csv_format, numbers=numbers), dictionary.indices)
    words = [word.encode() for word in csv_format.null_values]
    trimmed = pc.ascii_trim_whitespace(cells.cast(pa.string(), safe=False)).cast(pa.binary())
    hole = pc.is_in(trimmed, value_set=pa.array(words, pa.binary()))
    if csv_format.nan == "missing":
        hole = pc.or_(hole, pc.match_substring_regex(trimmed, r"(?i)^[+-]?nan$"))
    cells = pc.if_else(hole, pa.scalar(None, pa.binary()), cells)
    if not numbers or csv_format.has_plain_numbers:
        return cells
    regular = pc.match_substring_regex(trimmed, f"^{number_regex(csv_format.decimal, csv_format.thousands)}$")
    plain = pc.replace_substring(trimmed, csv_format.thousands, "") if csv_format.thousands else trimmed
    if csv_format.decimal != ".":
        plain = pc.replace_substring(plain, csv_format.decimal[0], ".")
    word = pc.match_substring_regex(trimmed, r"(?i)^[+-]?(nan|inf|infinity)$")
    other = pc.binary_join_element_wise(pa.scalar(b"?"), cells, b"")
    return pc.if_else(regular, plain, pc.if_else(word, cells, other))


def cells_where(cells: pa.Array, rule: Callable[[str], bool], begins: bytes) -> NDArray[np.bool_]:
    """Returns where a rule is true of cells (binary), bool (cells,); of a hole it is not.

    The rule is asked once of each distinct cell that may fulfil it.

    Args:
      cells: Binary, null where empty.
      rule: Takes a cell's text, in which bytes that are not UTF-8 are replaced.
      begins: The bytes, other than blanks and those beyond ASCII, with which cells begin that may fulfil it.
    """
    encoded = cells.dictionary_encode()
    may_begin = np.zeros(256, bool)
    may_begin[[*begins, *range(1, ord(" ") + 1), *range(_NOT_ASCII, 256)]] = True
    places = np.flatnonzero(may_begin[first_bytes(encoded.dictionary)])
    found = np.zeros(len(encoded.dictionary) + 1, bool)  # the last one is for holes
    for place, cell in zip(places.tolist(), encoded.dictionary.take(pa.array(places)).to_pylist(), strict=True):
        found[place] = rule(cell.decode(errors="replace"))
    return found[encoded.indices.fill_null(len(encoded.dictionary)).to_numpy()]


def first_bytes(cells: pa.Array) -> NDArray[np.uint8]:
    """Returns the first byte of each cell (binary), uint8 (cells,); 0 where it has none."""
    data = np.frombuffer((cells.buffers()[2] if len(cells) else None) or b"", np.uint8)
    if not len(data):
        return np.zeros(len(cells), np.uint8)
    offsets = np.frombuffer(cells.buffers()[1], np.int32)[cells.offset : cells.offset + len(cells) + 1]
    first = data[np.minimum(offsets[:-1], len(data) - 1)]
    return np.where(offsets[1:] > offsets[:-1], first, np.uint8(0))


def decimals(cells: pa.Array) -> NDArray[np.float64] | None:
    """Returns the numbers in cells (binary), float64 (cells,); None where they hold more than digits, points and minus.

    So it says for most columns of numbers, without a regular expression, that all cells are numbers.
    """
    data = all_bytes(cells)
    if cells.null_count or not len(data) or data.min() < ord("-") or data.max() > ord("9") or (data == ord("/")).any():
        return None
    try:
        numbers: NDArray[np.float64] = cells.view(pa.string()).cast(pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    return numbers


def num_points(cells: pa.Array) -> int:
    """Returns how many points there are in all cells (binary)."""
    return int(np.count_nonzero(all_bytes(cells) == ord(".")))


def all_bytes(cells: pa.Array) -> NDArray[np.uint8]:
    """Returns the bytes of all cells (binary or string), one after the other, uint8."""
    data = np.frombuffer((cells.buffers()[2] if len(cells) else None) or b"", np.uint8)
    if not len(data):
        return data
    offsets = np.frombuffer(cells.buffers()[1], np.int32)
    return data[offsets[cells.offset] : offsets[cells.offset + len(cells)]]


def _may_be_blank(cells: pa.Array) -> bool:
    """Returns whether any cell begins with a blank."""
    data = all_bytes(cells)
    if not len(data) or (data.min() > ord(" ") and data.max() < _NOT_ASCII):
        return False
    first = first_bytes(cells)
    return bool((((first <= ord(" ")) & (first > 0)) | (first >= _NOT_ASCII)).any())
