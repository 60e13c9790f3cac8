"""Says which columns hold numbers or dates, written as something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from crossnet.components.formats import percent
from crossnet.components.sources.arrow_values import is_text_type
from crossnet.components.sources.csv_cells import is_code
from crossnet.components.sources.csv_hints import looks_marked, setting_for
from crossnet.components.sources.csv_words import never_text
from crossnet.components.sources.doubts import Doubt, toml_text
from crossnet.components.sources.number_times import number_doubt
from crossnet.serving.protocol.cell_values import TIME_REGEX, number_regex, read_number, read_time
from crossnet.serving.protocol.printable import shown

if TYPE_CHECKING:
    from crossnet.components.sources.tables import TableSource

_SHARE = 0.5  # of numbers among a column's texts, from which they are said
_FEW, _NEARLY = 200, 0.9  # texts that are looked at for signs, and the share of them that has some
_MOST = 10_000  # texts that are looked at, as in a CSV
_NUMBER = rf"^\s*{number_regex('.', '')}\s*$"
_TIME = rf"^\s*{TIME_REGEX}\s*$"


def first_doubts(source: TableSource, batch: pa.RecordBatch) -> tuple[Doubt, ...]:
    """Returns a doubt for each column of text or whole numbers whose first values, in a batch, are something else."""
    named = source.named
    stated = {doubt.column for doubt in source.doubts} | named.text | named.numeric | named.clock | named.integer
    stated |= {named.label, *source.kinds} | ({named.weight, named.group} - {""})
    doubts = [
        text_doubt(name, batch.column(name), source.form)
        if source.types[name] == "BYTES"
        else _whole_doubt(name, batch.column(name), source.form)
        for name in named.names
        if name not in stated and source.types[name] in ("BYTES", "INT")
    ]
    return tuple(filter(None, doubts))


def _whole_doubt(name: str, array: pa.Array, form: str) -> Doubt | None:
    array = array.slice(0, _MOST).drop_null()
    if not pa.types.is_integer(array.type) or array.type == pa.uint64():
        return None
    return number_doubt(name, array.cast(pa.int64()).to_numpy(), form)


def text_doubt(name: str, array: pa.Array, form: str) -> Doubt | None:
    """Returns the doubt about texts of which many are numbers, or all are dates; None for other values.

    Args:
      name: The column.
      array: Its first values.
      form: The source's name in the settings.
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if not is_text_type(array.type):
        return None
    array = _as_bytes(array.slice(0, _MOST)).drop_null()
    if len(array) and (share := pc.mean(found := pc.is_in(array, value_set=never_text())).as_py()):
        said = f"is text, in which {percent(share)} of the values are '{shown(_text(array.filter(found)[0]))}'"
        return Doubt(name, f"{said}, read as a word: is that a missing value? Write null in its place")
    first = _text(array[0]) if len(array) else ""
    if not first or len(array) < 2:
        return None
    marked = looks_marked(first)
    if not marked and read_number(first) is None and read_time(first) is None and not setting_for(first, name):
        return None  # said of most columns of text, without a look at the others
    texts = array.cast(pa.string(), safe=False)
    numbers = pc.match_substring_regex(texts, _NUMBER)
    share = pc.mean(numbers).as_py()
    if share >= _SHARE:
        return _of_numbers(name, array, numbers, share)
    example = shown(first)
    if marked and sum(looks_marked(_text(value)) for value in array[:_FEW]) >= _NEARLY * min(len(array), _FEW):
        said = f"is read as text: its values look like numbers with signs (first: '{example}')"
        return Doubt(name, f"{said}; write the numbers alone to use them as such")
    if pc.all(pc.match_substring_regex(texts, _TIME)).as_py() or setting_for(first, name).startswith("date_format"):
        advice = "write them in ISO 8601" if form == "jsonl" else "write the column with a type of times"
        return Doubt(
            name, f"is read as text: its values look like dates (first: '{example}'); {advice} to use them as such"
        )
    return None


def _of_numbers(name: str, texts: pa.Array, numbers: pa.Array, share: float) -> Doubt | None:
    first = _text(texts.filter(numbers)[0])
    if share == 1:
        if any(is_code(_text(value)) for value in pc.unique(texts)):
            return None  # a code, which is why it is text
        return Doubt(
            name,
            f"is read as text, and its values are numbers (first: '{shown(first)}')",
            f"numeric = [{toml_text(name)}]",
        )
    other = _text(texts.filter(pc.invert(numbers))[0])
    said = f"is read as text: {percent(share)} of its values are numbers, and others are not (first: '{shown(other)}')"
    return Doubt(name, f"{said}; write null in their place, and numbers, to use them as such")


def _as_bytes(array: pa.Array) -> pa.Array:
    """Returns text or bytes of any of Arrow's types as binary; of views, it has few functions."""
    if pa.types.is_string_view(array.type) or pa.types.is_large_string(array.type):
        array = array.cast(pa.string())
    return array.cast(pa.binary())


def _text(value: pa.Scalar) -> str:
    return str(value.as_py().decode(errors="replace"))
