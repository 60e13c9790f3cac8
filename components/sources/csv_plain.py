"""Writes cells of any CSV format as the default format has them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from crossnet.serving.protocol.cell_values import number_regex
from crossnet.serving.protocol.csv_format import CsvFormat


def plain_cells(cells: pa.Array, csv_format: CsvFormat, *, numbers: bool) -> pa.Array:
    """Returns cells (binary) as the default format has them, null where they are holes.

    Args:
      cells: Binary, null where empty.
      csv_format: Its `null_values`, `nan`, `decimal` and `thousands` count.
      numbers: Whether the cells are numbers. Other text among them begins with "?" afterwards, so that no rule takes
        it for a number.
    """
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
        plain = pc.replace_substring(plain, csv_format.decimal, ".")
    word = pc.match_substring_regex(trimmed, r"(?i)^[+-]?(nan|inf|infinity)$")
    other = pc.binary_join_element_wise(pa.scalar(b"?"), cells, b"")
    return pc.if_else(regular, plain, pc.if_else(word, cells, other))
