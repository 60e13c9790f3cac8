"""Says what may be wrong with how a column is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crossnet.components.formats import percent
from crossnet.components.sources.arrow_values import MAX_ZERO, VANISHES
from crossnet.components.sources.csv_cells import EXACT, LeadingZeroError, NotWholeError, is_code, read_whole
from crossnet.components.sources.csv_hints import (
    NULL_WORDS,
    comment_for,
    holds_number,
    looks_marked,
    setting_for,
    unread_times,
)
from crossnet.components.sources.csv_plain import NUMBER_BYTES, cells_where, plain_cells
from crossnet.components.sources.csv_sample import Sample
from crossnet.components.sources.doubts import Doubt, toml_text
from crossnet.serving.protocol.cell_values import read_boolean, read_number, read_time
from crossnet.serving.protocol.csv_format import CsvFormat
from crossnet.serving.protocol.printable import shown

_DOUBTFUL_SHARE = 0.5  # of numbers in a column of text
_HINTED_CELLS = 200
_HINTED_SHARE = 0.9
_MAX_WORDS, _FEW_WORDS = 10, 5
_DIGITS = 19  # of the largest int64
_LARGE = r"^\s*[+-]?0*[1-9]\d{7}|[eE]"  # what may be beyond EXACT
_LEAST_LARGE = 1e7
_SMALL = r"[eE]-0*([3-9]\d|\d{3})"  # what may be so near to 0
_POINT_ZERO = r"^\s*[+-]?\d+(\.0*)?\s*$"

Place = Callable[[int, int], str]


def is_digits(cell: str) -> bool:
    """Returns whether a cell is a whole number."""
    return cell.strip().lstrip("+-").isdigit()


def text_doubts(
    name: str, sample: Sample, csv_format: CsvFormat, place: Place, *, is_whole: bool, is_first: bool = False
) -> list[Doubt]:
    """Returns why a column of text may be one of numbers or dates.

    Args:
      name: The column.
      sample: Its first cells.
      csv_format: What is missing, and how numbers are written.
      place: Returns the place of a unit's row.
      is_whole: Whether these are all its cells.
      is_first: Whether lines begin with it.
    """
    array = sample.array()
    plain = plain_cells(array, csv_format, numbers=True)
    held = plain.is_valid().to_numpy(zero_copy_only=False)
    num_cells = int(held.sum())
    if not num_cells:
        return []
    odd = held & ~cells_where(plain, lambda cell: read_number(cell) is not None, NUMBER_BYTES)
    numeric = f"numeric = [{toml_text(name)}]"
    if not odd.any():
        return [code_doubt(name, first_such(sample, place, is_code))]
    for what, others in (("numbers", odd), ("dates or times in ISO 8601", _no_times(array))):
        share = 1 - int(others.sum()) / num_cells
        if share >= _DOUBTFUL_SHARE:
            found = [cell.decode(errors="replace") for cell in array.filter(pa.array(others)).to_pylist()]
            which = "its" if is_whole else f"its first {num_cells:,}"
            example = first_such(sample, place, found[0].__eq__)
            hint = (
                _null_words(found, csv_format)
                or _words_of_truth(name, array)
                or setting_for(found[0], name, csv_format)
            )
            hint = hint or (comment_for(found[0], 1) if is_first and len(found) <= _MAX_WORDS else "")
            text = f"is read as text: {percent(1 - share)} of {which} cells are not {what} (first: {example})"
            if what != "numbers" and "24:00" in (said := unread_times(found[0])):
                return [Doubt(name, f"{text}; {said.partition('; ')[2]} for 24:00 and for a leap second")]
            if what != "numbers" and hint.startswith("date_format"):
                return [Doubt(name, f"{text}; write them in one form to use them as such")]
            if not hint and all(map(holds_number, found[:_HINTED_CELLS])):
                return [Doubt(name, f"{text}, which no setting reads; write the numbers alone to use them as such")]
            return [Doubt(name, text, hint or _few_words(found, csv_format) or (numeric if what == "numbers" else ""))]
    return _hinted_doubts(name, sample, csv_format, place)


def _no_times(cells: pa.Array) -> NDArray[np.bool_]:
    """Returns which cells are neither blank nor a date or time."""
    times = cells_where(cells, lambda cell: read_time(cell) is not None, b"0123456789")
    return ~(times | cells_where(cells, lambda cell: not cell.strip(), b""))


def _hinted_doubts(name: str, sample: Sample, csv_format: CsvFormat, place: Place) -> list[Doubt]:
    """Returns the doubt about text of which nearly each of the first cells is a number or a date in another form."""
    some = [cell.decode(errors="replace") for cell in sample.array().slice(0, _HINTED_CELLS).to_pylist()]
    hint_of = {
        cell: setting_for(cell, name, csv_format) or ("number" if read_number(cell) is not None else "")
        for cell in dict.fromkeys(some)
    }
    hints = [hint_of[cell] for cell in some]
    timed = [unread_times(cell) for cell in some]
    if sum(map(bool, timed)) >= _HINTED_SHARE * len(some):
        said = next(filter(None, timed))
        example = first_such(sample, place, lambda cell: unread_times(cell) == said)
        return [Doubt(name, f"is read as text: its cells look like {said.format(example)}, to use them as such")]
    found = [hint for hint in hints if hint and hint != "number" and not hint.startswith("null_values")]
    marked = [looks_marked(cell) for cell in some]
    plain = sum(read_number(cell) is not None for cell in some)
    least = _HINTED_SHARE * len(some)
    is_marked = sum(marked) >= _DOUBTFUL_SHARE * len(some) and sum(marked) + plain >= least
    if found and sum(map(bool, hints)) >= least:
        is_marked = False
    elif found and any(marked):  # (1,234) beside 1,234: the setting that reads the second one leaves the first
        is_marked = sum(one or bool(hint) for one, hint in zip(marked, hints, strict=True)) >= least
    if is_marked:
        example = first_such(sample, place, lambda cell: looks_marked(cell) and not setting_for(cell, name, csv_format))
        text = f"is read as text: its cells look like numbers with signs that no setting reads (first: {example})"
        return [Doubt(name, f"{text}; write the numbers alone to use them as such")]
    if not found or sum(map(bool, hints)) < least:
        return []
    hint = max(sorted(set(found)), key=found.count)
    example = first_such(sample, place, lambda cell: setting_for(cell, name, csv_format) == hint)
    what = "dates" if hint.startswith("date_format") else "numbers in another form"
    return [Doubt(name, f"is read as text: its cells look like {what} (first: {example})", hint)]


def _words_of_truth(name: str, cells: pa.Array) -> str:
    """Returns the setting for a column of truth values, some of them words and some 1 and 0; "" for another one."""
    found = pc.unique(cells.slice(0, _HINTED_CELLS))
    texts = [cell.decode(errors="replace") for cell in found.to_pylist() if cell is not None and cell.strip()]
    return f"boolean = [{toml_text(name)}]" if texts and all(read_boolean(t) is not None for t in texts) else ""


def _null_words(cells: Sequence[str], csv_format: CsvFormat) -> str:
    """Returns the setting that makes holes of all of some cells; "" where they are not words for nothing."""
    words = list(dict.fromkeys(cell.strip() for cell in cells))
    if len(words) > _MAX_WORDS or not all(word.lower() in NULL_WORDS for word in words):
        return ""
    if all(word.lower() == "nan" for word in words):
        return 'nan = "missing"'
    return f"null_values = [{', '.join(map(toml_text, dict.fromkeys((*csv_format.null_values, *words))))}]"


def _few_words(cells: Sequence[str], csv_format: CsvFormat) -> str:
    """Returns the setting that makes holes of cells that are a few words; "" where they are more."""
    words = list(dict.fromkeys(cell.strip() for cell in cells))
    if len(words) > _FEW_WORDS:
        return ""
    return f"null_values = [{', '.join(map(toml_text, dict.fromkeys((*csv_format.null_values, *words))))}]"


def float_doubts(
    name: str, plain: pa.Array, numbers: NDArray[np.float64] | None = None, *, is_label: bool = False
) -> list[Doubt]:
    """Returns the doubts about numbers of which float32 does not hold all; the arguments are those of `_rounded`."""
    if numbers is not None:
        sizes = np.abs(numbers)
        if sizes.min() > MAX_ZERO and sizes.max() < _LEAST_LARGE:  # said of most at once
            return []
    return [
        *(_beyond_int64(name, plain) or _rounded(name, plain, numbers, is_label=is_label)),
        *_vanishing(name, plain, numbers),
    ]


def _beyond_int64(name: str, plain: pa.Array) -> list[Doubt]:
    """Returns the doubt about whole numbers that int64 does not hold, so that they lose digits."""
    if not len(plain) or pc.max(pc.binary_length(plain)).as_py() < _DIGITS:  # said of most without reading them
        return []
    digits = plain.filter(pc.match_substring_regex(plain, rf"^\s*[+-]?\d{{{_DIGITS},}}\s*$"))
    long = next((cell for cell in digits.to_pylist() if read_whole(cell.decode()) is None), None)
    if long is None:
        return []
    said = f"holds whole numbers beyond 64 bits, such as {shown(long.decode())}, of which float32 keeps some 7 digits"
    return [Doubt(name, said, f"text = [{toml_text(name)}]")]


def _rounded(
    name: str, plain: pa.Array, numbers: NDArray[np.float64] | None = None, *, is_label: bool = False
) -> list[Doubt]:
    """Returns the doubt about numbers that float32 rounds to fewer digits than they are written with.

    Args:
      name: The column.
      plain: Its first cells.
      numbers: `decimals(plain)`, where it is known that this is not None.
      is_label: Whether it is the label, which is a float32 in any case.
    """
    if numbers is not None and np.abs(numbers).max() < _LEAST_LARGE:  # said of most without reading them as text
        return []
    large = pc.match_substring_regex(plain, _LARGE) if len(plain) else pa.array([], pa.bool_())
    for cell in plain.filter(large).to_pylist():
        text = cell.decode(errors="replace")
        digits = sum(map(str.isdigit, text.lower().partition("e")[0].lstrip("0.")))
        value = read_number(text) if digits > 8 else None
        if value is not None and EXACT < abs(value) < 2**63:
            said = f"holds numbers such as {shown(text)}, of which float32 keeps some 7 digits"
            are_whole = not is_label and pc.all(pc.match_substring_regex(plain, _POINT_ZERO)).as_py()
            setting = f"integer = [{toml_text(name)}]" if are_whole else ""
            return [Doubt(name, f"{said} (tf.train.Example has no float64)", setting)]
    return []


def _vanishing(name: str, plain: pa.Array, numbers: NDArray[np.float64] | None = None) -> list[Doubt]:
    """Returns the doubt about numbers that float32 makes 0; the arguments are those of `_rounded`."""
    if numbers is None:
        small = pc.match_substring_regex(plain, _SMALL) if len(plain) else pa.array([], pa.bool_())
        plain = plain.filter(small)
        numbers = np.array([read_number(cell.decode(errors="replace")) or 0.0 for cell in plain.to_pylist()])
    zero = np.flatnonzero((numbers != 0) & (np.abs(numbers) <= MAX_ZERO))
    if not len(zero):
        return []
    return [Doubt(name, VANISHES.format(shown(plain[int(zero[0])].as_py().decode())))]


def finer_doubts(name: str, sample: Sample) -> list[Doubt]:
    """Returns the doubt about times with more digits than a microsecond has."""
    cells = sample.array()
    finer = cells.filter(pc.match_substring_regex(cells, r"\.\d{6}\d*[1-9]")) if len(cells) else cells
    if not len(finer):
        return []
    example = shown(finer[0].as_py().decode(errors="replace"))
    return [Doubt(name, f"holds parts of a microsecond, which are left out, such as {example}")]


def first_such(sample: Sample, place: Place, wanted: Callable[[str], bool]) -> str:
    """Returns the first cell that is `wanted` and its place, such as "'NA', rides.csv:7"."""
    for piece in sample.pieces:
        for row, cell in enumerate(piece.cells.to_pylist(), piece.first_row):
            if cell is not None and wanted(text := cell.decode(errors="replace")):
                return told(text, place(piece.unit, row))
    return "none of the first"


def told(cell: str, place: str) -> str:
    """Returns a cell and its place for a sentence."""
    return f"'{shown(cell)}', {place.replace('`', '')}"


def kind_instead(source: str, error: NotWholeError, place: str) -> tuple[str, str, list[Doubt]]:
    """Returns the kind of a column whose first cells alone are whole numbers, the other cell, and what to say.

    Args:
      source: The column.
      error: What reading it as whole numbers met.
      place: Of that cell.
    """
    cell = error.cell.decode("utf-8", "backslashreplace")
    example, name = told(cell, place), toml_text(source)
    if isinstance(error, LeadingZeroError):
        return "BYTES", example, [code_doubt(source, example)]
    if is_digits(cell):
        text = f"holds whole numbers beyond 64 bits ({example}), so that all are stored as float32"
        return "FLOAT", example, [Doubt(source, text, f"text = [{name}]")]
    return "MIXED", example, []


def code_doubt(source: str, example: str) -> Doubt:
    """Returns the doubt about a column of digits that is kept as text."""
    text = f"stays text, as codes do: a cell of digits begins with a zero ({example})"
    return Doubt(source, text, f"numeric = [{toml_text(source)}]")


def losses(kinds: Mapping[str, str], odd: Mapping[str, str], arrays: Mapping[str, pa.Array]) -> tuple[Doubt, ...]:
    """Returns what records cannot hold of a batch's values.

    Args:
      kinds: Of each column that is written.
      odd: Of columns of kind MIXED, a cell that is not whole, and its place.
      arrays: The values, of the Arrow types of `kinds`.
    """
    doubts = []
    for source, kind in kinds.items():
        array = arrays[source]
        if kind == "MIXED" and len(large := pc.filter(array, _is_large(array))):
            text = (
                f"holds whole numbers such as {large[0].as_py():.0f} beside others ({odd.get(source, '')}), so that "
                "all are stored as float32, which keeps some 7 digits (tf.train.Example has no float64)"
            )
            doubts.append(Doubt(source, text, f"integer = [{toml_text(source)}]"))
    return tuple(doubts)


def _is_large(array: pa.Array) -> pa.Array:
    """Returns which numbers are finite and beyond those of which float32 holds each whole one."""
    size = pc.abs(array)
    return pc.and_(pc.greater(size, EXACT), pc.is_finite(size))
