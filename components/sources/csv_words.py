"""Finds words in a column of text that are not text."""

from __future__ import annotations

import functools

import pyarrow as pa
import pyarrow.compute as pc

from crossnet.components.formats import percent
from crossnet.components.sources.csv_doubts import Place, first_such
from crossnet.components.sources.csv_sample import Sample
from crossnet.components.sources.doubts import Doubt, toml_text
from crossnet.serving.protocol.cell_values import read_boolean
from crossnet.serving.protocol.csv_format import CsvFormat
from crossnet.serving.protocol.printable import shown

# What databases, spreadsheets and pandas write for nothing. NA, None, - and the like may be words of a text.
_NEVER = (
    *("\\N", "NULL", "null", "<null>", "<NULL>", "(null)", "(NULL)", "[null]", "[NULL]", "NaN", "nan", "NaT", "<NA>"),
    *("#N/A", "#N/A N/A", "#NA", "#VALUE!", "#REF!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#NAN", "#MISSING"),
)
_FEW, _MAX_SPELLINGS = 200, 16  # cells, and different ones among them, of a column of truth values


@functools.cache
def never_text() -> pa.Array:
    """Returns words that are never a text, as cells; not at import, as Arrow imports pandas, where it is, for them."""
    return pa.array([word.encode() for word in _NEVER], pa.binary())


def word_doubts(name: str, sample: Sample, csv_format: CsvFormat, place: Place) -> list[Doubt]:
    """Returns the doubt about a column of text that holds words for nothing, or truth values in several spellings.

    Args:
      name: The column.
      sample: Its first cells.
      csv_format: What is missing.
      place: Returns the place of a unit's row.
    """
    array = sample.array()
    found = pc.is_in(array, value_set=never_text())
    if count := pc.sum(found).as_py():
        words = [word.decode() for word in pc.unique(array.filter(found)).to_pylist()]
        return [_of_nothing(name, words, count / len(array), first_such(sample, place, words[0].__eq__), csv_format)]
    if example := _spellings_of_truth(array):
        said = "is read as text: its cells are true and false in several spellings"
        said = f"{said} (first: {first_such(sample, place, example.__eq__)})"
        return [Doubt(name, said, f"boolean = [{toml_text(name)}]")]
    return []


def _of_nothing(name: str, words: list[str], share: float, example: str, csv_format: CsvFormat) -> Doubt:
    each = ", ".join(shown(word) for word in words)
    said = f"is text, in which {percent(share)} of the cells are {each} (first: {example}), read as a word"
    null_values = dict.fromkeys((*csv_format.null_values, *words))
    line = f"null_values = [{', '.join(map(toml_text, null_values))}]" if {*words} - {*csv_format.null_values} else ""
    lines = filter(None, (line, f"null_text = [{toml_text(name)}]"))
    return Doubt(name, f"{said}: is that a missing value?", " and ".join(lines))


def _spellings_of_truth(cells: pa.Array) -> str:
    """Returns the first cell of a column of truth values of which one has several spellings; "" of another column."""
    if len(pc.unique(cells.slice(0, _FEW))) > _MAX_SPELLINGS:
        return ""
    texts = [cell.decode(errors="replace") for cell in pc.unique(cells).to_pylist()]
    words = {text.strip(): read_boolean(text) for text in texts if text.strip()}
    return texts[0] if len(words) > 2 and {*words.values()} == {True, False} else ""
