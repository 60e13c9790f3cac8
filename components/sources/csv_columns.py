"""Decides how each column of a CSV is read."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from crossnet.components.errors import DataError
from crossnet.components.sources.csv_cells import STORED
from crossnet.components.sources.csv_doubts import (
    Place,
    finer_doubts,
    first_such,
    float_doubts,
    is_digits,
    text_doubts,
)
from crossnet.components.sources.csv_hints import SIGNS_ADVICE, looks_marked, setting_for
from crossnet.components.sources.csv_kinds import classify_cells
from crossnet.components.sources.csv_plain import decimals, plain_cells
from crossnet.components.sources.csv_sample import ReadCells, Sample, first_cells
from crossnet.components.sources.csv_words import word_doubts
from crossnet.components.sources.doubts import Doubt
from crossnet.components.sources.naming import NamedColumns
from crossnet.components.sources.number_times import number_doubt
from crossnet.serving.protocol.cell_values import read_number
from crossnet.serving.protocol.csv_format import CsvFormat
from crossnet.serving.protocol.printable import shown


@dataclass
class Reading:
    """How the columns are read.

    Attributes:
      kinds: Of each column that is written, by source name.
      odd: Of the columns of kind MIXED, a cell that is not whole and its place, for a sentence.
      doubts: What may be wrong with that.
    """

    kinds: dict[str, str] = field(default_factory=dict)
    odd: dict[str, str] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)


def read_kinds(named: NamedColumns, csv_format: CsvFormat, units: int, read: ReadCells, place: Place) -> Reading:
    """Returns how each column that is written is read.

    Args:
      named: The columns by use.
      csv_format: What is missing, and how numbers are written.
      units: How many files there are.
      read: Returns the cells of a unit's columns, batch by batch.
      place: Returns the place of a unit's row.

    Raises:
      DataError: No cell of the label is a number.
    """
    reading = Reading(dict.fromkeys(named.names, "BYTES"))
    reading.kinds |= dict.fromkeys(named.integer & set(named.names), "WHOLE")
    reading.kinds |= dict.fromkeys(named.boolean & set(named.names), "WORDS")
    reading.kinds |= {name: "DATE" for name, _ in named.dates if name in named.names}
    asked = [name for name, kind in reading.kinds.items() if kind == "BYTES" and name not in named.text]
    samples, is_whole = first_cells(asked, units, read)
    first = next(iter(named.names), "")
    for name, sample in samples.items():
        is_number = name == named.label or name in named.numeric
        plain = sample.array()
        numbers = decimals(plain) if csv_format.has_plain_cells else None
        if numbers is None:  # most cells are as the default format has them
            plain = plain_cells(plain, csv_format, numbers=True).drop_null()
            numbers = decimals(plain)
        kind = classify_cells(plain, numeric=is_number, numbers=numbers)
        if kind == "BYTES" and not csv_format.has_plain_cells:  # its marks of numbers are none of a time's
            other = classify_cells(plain_cells(sample.array(), csv_format, numbers=False).drop_null())
            kind = other if other in ("BOOL", "TIME", "TIME_UTC") else kind
        reading.kinds[name] = kind
        if kind == "BYTES":
            found = text_doubts(name, sample, csv_format, place, is_whole=is_whole, is_first=name == first)
            reading.doubts += found or ([] if name in named.null_text else word_doubts(name, sample, csv_format, place))
        elif name == named.label:
            _check_label(name, sample, csv_format, is_whole=is_whole)
            reading.kinds[name] = "FLOAT" if kind in ("INT", "MIXED") else kind
        elif kind == "MIXED":
            reading.odd[name] = first_such(
                sample, place, lambda cell: "." in cell or "," in cell or not is_digits(cell)
            )
        if kind in ("INT", "MIXED") and name in dict(named.units) and name != named.label:
            reading.kinds[name] = "WHOLE"  # numbers that count since 1970
        elif kind == "INT" and name != named.label:
            reading.doubts += _whole_doubts(name, plain, named)
        if kind in ("TIME", "TIME_UTC"):
            reading.doubts += finer_doubts(name, sample)
        if STORED[reading.kinds[name]] == "FLOAT" and kind != "MIXED":
            reading.doubts += float_doubts(name, plain, numbers, is_label=name == named.label)
    reading.kinds |= {
        name: "HOLED" for name, kind in reading.kinds.items() if kind == "BYTES" and name in named.null_text
    }
    return reading


def _whole_doubts(name: str, plain: pa.Array, named: NamedColumns) -> list[Doubt]:
    """Returns the doubt that whole numbers may be times, where no setting says what they are."""
    if name in named.numeric | named.clock | ({named.weight, named.group} - {""}):
        return []
    try:
        numbers = plain.view(pa.string()).cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid:  # written otherwise than times are
        return []
    found = number_doubt(name, numbers, "csv")
    return [found] if found else []


def _check_label(name: str, sample: Sample, csv_format: CsvFormat, *, is_whole: bool) -> None:
    """Raises DataError where the label has cells and none of them is a number, a truth value or a time."""
    array = plain_cells(sample.array(), csv_format, numbers=True).drop_null()
    cells = [cell.decode(errors="replace") for cell in array.to_pylist()]
    if not cells or classify_cells(array) != "BYTES" or any(read_number(cell) is not None for cell in cells):
        return
    original = sample.array()[0].as_py().decode(errors="replace")
    hint = setting_for(original, name)
    those = f"all {len(cells):,} cells" if is_whole else f"the first {len(cells):,} cells"
    advice = f"If they are numbers, set `example_gen.{hint}`. " if hint else ""
    advice = f"{SIGNS_ADVICE} " if not hint and looks_marked(original) else advice
    raise DataError(
        f"{those[0].upper()}{those[1:]} of `{shown(name)}`, the label, are text (first: '{shown(original)}'): this "
        f"pipeline predicts numbers. {advice}Name a column of numbers in `example_gen.label`."
    )
