"""Counts the forms of the cells of a text column."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crossnet.components.sources.csv_hints import is_null_word
from crossnet.components.sources.date_forms import date_forms
from crossnet.pipeline.init.cell_forms import (
    COMMA_DECIMAL,
    GROUPED,
    LEADING_ZERO,
    NAN_WORDS,
    PLAIN_NUMBER,
    WHOLE_NUMBER,
)
from crossnet.pipeline.init.dates import parse_dates
from crossnet.serving.protocol.cell_values import read_time, read_truth

_SURE_CELLS = 20_000  # after which a column of words is not looked at any more
_SURE_OF_FRACTIONS = 2_000  # cells, after which a column of fractions is not searched for whole numbers any more
_MAX_WORDS = 30
_MAX_FORMATS = 6
_TRUTH_WORDS = frozenset(("yes", "no", "y", "n", "t", "f", "on", "off"))
_ISO = r"^\d{4}-\d\d-\d\d([T ]\d\d(:\d\d(:\d\d(\.\d+)?)?)?(Z|[+-]\d\d(:?\d\d)?)?)?$"
_COMMA, _THREE = r"^[+-]?\d*,\d+$", r"^[+-]?[1-9]\d{0,2},\d{3}$"
_GROUPED = r"^[+-]?[1-9]\d{0,2}(,\d{2,3})+,\d{3}(\.\d*)?$|^[+-]?[1-9]\d{0,2},\d{3}\.\d*$"
_PLAIN = f"^({PLAIN_NUMBER.pattern.replace('inf', '[Ii][Nn][Ff]').replace('inity', '[Ii][Nn][Ii][Tt][Yy]')})$"


class Example(NamedTuple):
    """A cell and its place: the unit of the source and the row in it."""

    cell: str
    unit: int
    row: int


class CellCounts:
    """How many cells of a text column have which form.

    Attributes:
      cells: Cells that are not empty.
      forms: Cells by form: "number" (as training reads it), "whole" (of these), "zero" (a whole number that begins
        with 0), "nan", "null" (a word for nothing), "truth" (true or false), "word of truth" (yes or no), "time" (ISO
        8601), "comma" (a decimal comma), "grouped" (thousands), "grouped comma" (both), "date" (another form),
        "other".
      examples: The first cell of each form but "number".
      formats: Dates by the format (of strptime) that reads them; a date may have two.
      spans: The first and the last moment, in Unix seconds, of the dates that a format reads.
      words: Null words, words of truth and other cells, without the blanks around them, by form.
      marks: Grouped numbers by their mark.
      three: Cells with a decimal comma before three digits, which may be thousands: `1,234`.
      points, pointed: Of the first numbers, those with a point, and of these those such as 1.250, whose point may be
        between thousands.
      looked: Cells that were looked at: all, but for a column that is words.
    """

    def __init__(self) -> None:
        self.cells = self.looked = self.three = self.points = self.pointed = 0
        self.forms: Counter[str] = Counter()
        self.examples: dict[str, Example] = {}
        self.formats: Counter[str] = Counter()
        self.spans: dict[str, tuple[int, int]] = {}
        self.words: dict[str, Counter[str]] = {"null": Counter(), "nan": Counter(), "word of truth": Counter()}
        self.words["other"] = Counter()
        self.marks: Counter[str] = Counter()

    @property
    def is_words(self) -> bool:
        """Whether so many cells are words that the column is text."""
        return self.looked >= _SURE_CELLS and self.forms["other"] > self.looked / 2

    def update(self, texts: pa.Array, rows: NDArray[Any], first: NDArray[Any], place: tuple[int, int]) -> Any:
        """Adds a batch and returns its values as numbers, float64 (values,), NaN where a cell is none.

        Args:
          texts: The distinct cells, string (values,).
          rows: In how many rows each occurs, (values,).
          first: The first row of the batch in which each occurs, (values,).
          place: The unit of the batch, and the number of its first row in it.
        """
        count = int(rows.sum())
        self.cells += count
        values = np.full(len(texts), np.nan)
        if self.is_words or not count:
            return values
        self.looked += count
        bare = texts
        try:
            values = bare.cast(pa.float64()).to_numpy(zero_copy_only=False)
            left = np.flatnonzero(np.isnan(values))
        except pa.ArrowInvalid:
            bare = pc.utf8_trim_whitespace(texts)
            plain = pc.match_substring_regex(bare, _PLAIN).to_numpy(zero_copy_only=False)
            numbers = pc.if_else(pa.array(plain), bare, None).cast(pa.float64())
            values = numbers.to_numpy(zero_copy_only=False).astype(np.float64)
            left = np.flatnonzero(~plain)
        is_number = np.ones(len(texts), bool)
        is_number[left] = False
        self._count_numbers(bare, rows, is_number, first, place)
        if len(left):
            left = self._count_dates(bare, rows, left, values)
            self._count_others(texts, rows, left, values, first, place)
        return values

    def _count_numbers(
        self,
        bare: pa.Array,
        rows: NDArray[Any],
        is_number: NDArray[np.bool_],
        first: NDArray[Any],
        place: tuple[int, int],
    ) -> None:
        before = self.looked - int(rows.sum())  # of this batch, nothing is counted yet
        self.forms["number"] += int(rows[is_number].sum())
        if not is_number.any() or (before > _SURE_OF_FRACTIONS and self.forms["whole"] < before / 2):
            return
        numbers = bare if is_number.all() else bare.filter(pa.array(is_number))
        if before <= _SURE_OF_FRACTIONS:
            for name, pattern in (("points", r"\."), ("pointed", r"^[+-]?[1-9]\d{0,2}\.\d{3}$")):
                like = pc.match_substring_regex(numbers, pattern).to_numpy(zero_copy_only=False)
                setattr(self, name, getattr(self, name) + int(rows[is_number][like].sum()))
        whole = np.ones(len(numbers), bool)
        try:
            numbers.cast(pa.int64())
        except pa.ArrowInvalid:
            whole = pc.match_substring_regex(numbers, f"^{WHOLE_NUMBER.pattern}$").to_numpy(zero_copy_only=False)
        self.forms["whole"] += int(rows[is_number][whole].sum())
        if not pc.any(pc.match_substring_regex(numbers, "^[+-]?0")).as_py():
            return
        zero = pc.match_substring_regex(numbers, f"^{LEADING_ZERO.pattern}$").to_numpy(zero_copy_only=False)
        if zero.any():
            at = int(np.flatnonzero(is_number)[zero][0])
            self.forms["zero"] += int(rows[is_number][zero].sum())
            self._remember("zero", bare[at].as_py(), at, first, place)

    def _remember(self, form: str, cell: str, at: int, first: NDArray[Any], place: tuple[int, int]) -> None:
        if form not in self.examples:
            self.examples[form] = Example(cell, place[0], place[1] + int(first[at]))

    def _count_marked(
        self, bare: pa.Array, rows: NDArray[Any], left: NDArray[Any], values: NDArray[np.float64]
    ) -> NDArray[Any]:
        """Counts numbers with commas where some occurred before, all at once; returns what is left."""
        for form, pattern, mark, other in (("comma", _COMMA, ",", "."), ("grouped", _GROUPED, ",", "")):
            if not self.forms[form] or not len(left):
                continue
            texts = bare.take(pa.array(left))
            read = pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
            texts = texts.filter(pa.array(read))
            count = int(rows[left[read]].sum())
            self.forms[form] += count
            if form == "grouped":
                self.marks[mark] += count
            else:
                three = pc.match_substring_regex(texts, _THREE).to_numpy(zero_copy_only=False)
                self.three += int(rows[left[read]][three].sum())
            values[left[read]] = pc.replace_substring(texts, mark, other).cast(pa.float64())
            left = left[~read]
        return left

    def _count_dates(
        self, bare: pa.Array, rows: NDArray[Any], left: NDArray[Any], values: NDArray[np.float64]
    ) -> NDArray[Any]:
        """Counts the dates of formats that occurred before, all at once; returns what is left."""
        if self.forms["time"]:
            texts = bare.take(pa.array(left))
            read = pc.match_substring_regex(texts, _ISO).to_numpy(zero_copy_only=False).copy()
            seconds = _iso_seconds(texts.filter(pa.array(read)))
            if np.isnan(seconds).any():  # 2026-02-30 among them, or several kinds of times
                each = [read_time(text) for text in texts.filter(pa.array(read)).to_pylist()]
                seconds = np.array([second for second in each if second is not None], np.float64)
                read[read] = [second is not None for second in each]
            self.forms["time"] += int(rows[left[read]].sum())
            values[left[read]] = seconds
            left = left[~read]
        if not self.formats or not len(left):
            return left
        texts = bare.take(pa.array(left))
        read = np.zeros(len(left), bool)
        for form, _ in self.formats.most_common():
            moments = parse_dates(form, texts)
            self._widen(form, moments)
            valid = moments.is_valid().to_numpy(zero_copy_only=False)
            self.formats[form] += int(rows[left[valid]].sum())
            new = valid & ~read
            values[left[new]] = moments.fill_null(0).to_numpy(zero_copy_only=False)[new]
            read |= valid
        self.forms["date"] += int(rows[left[read]].sum())
        return left[~read]

    def _count_others(
        self,
        texts: pa.Array,
        rows: NDArray[Any],
        left: NDArray[Any],
        values: NDArray[np.float64],
        first: NDArray[Any],
        place: tuple[int, int],
    ) -> None:
        at_of: dict[str, int] = {}
        dates: list[int] = []
        for at, text in zip(left.tolist(), texts.take(pa.array(left)).to_pylist(), strict=True):
            form = self._form(text, int(rows[at]))
            self.forms[form] += int(rows[at])
            at_of.setdefault(form, at)
            if form == "time":
                values[at] = read_time(text)
            elif form == "date":
                dates.append(at)
            elif form in ("comma", "grouped", "grouped comma"):
                values[at] = _marked_number(text, form)
        for form, at in at_of.items():
            self._remember(form, texts[at].as_py(), at, first, place)
        if dates and self.formats:
            likely, bare = self.formats.most_common(1)[0][0], pc.utf8_trim_whitespace(texts.take(pa.array(dates)))
            for form in self.formats:
                self._widen(form, parse_dates(form, bare))
            moments = parse_dates(likely, bare)
            values[dates] = moments.cast(pa.float64()).to_numpy(zero_copy_only=False)

    def _widen(self, form: str, moments: pa.Array) -> None:
        """Widens the span of a format by some moments in Unix seconds, int64."""
        if moments.null_count < len(moments):
            found = pc.min_max(moments).as_py()
            first, last = self.spans.get(form, (found["min"], found["max"]))
            self.spans[form] = (min(first, found["min"]), max(last, found["max"]))

    def _form(self, text: str, rows: int) -> str:
        bare = text.strip()
        low = bare.lower()
        if low in NAN_WORDS:
            return self._word("nan", bare, rows)
        if not bare or is_null_word(bare):
            return self._word("null", bare, rows)
        if read_truth(bare) is not None:
            return "truth"
        if low in _TRUTH_WORDS:
            return self._word("word of truth", bare, rows)
        if bare[0].isdigit() or bare[0] in "+-.,":
            marks = [mark for mark, form in GROUPED.items() if form.fullmatch(bare)]
            comma = COMMA_DECIMAL.fullmatch(bare) is not None
            if marks and not (comma and marks == [","] and bare.count(",") == 1 and "." not in bare):
                self.marks[marks[0]] += rows
                if comma and "," not in marks:
                    return "grouped comma"
                return "grouped"
            if comma:
                self.three += rows if marks else 0
                return "comma"
            if read_time(bare) is not None:
                return "time"
        if formats := date_forms(bare):
            for form in formats if len(self.formats) < _MAX_FORMATS else ():
                self.formats[form] += rows
            return "date"
        return self._word("other", bare, rows)

    def _word(self, form: str, text: str, rows: int) -> str:
        words = self.words[form]
        if text in words or len(words) < _MAX_WORDS:
            words[text] += rows
        return form


def _iso_seconds(texts: pa.Array) -> NDArray[np.float64]:
    """Returns the Unix seconds of times in ISO 8601, NaN for all of them where Arrow does not read one."""
    for type in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            moments: NDArray[np.float64] = texts.cast(type).cast(pa.int64()).to_numpy(zero_copy_only=False) / 1e6
        except pa.ArrowInvalid:
            continue
        return moments
    return np.full(len(texts), np.nan)


def _marked_number(text: str, form: str) -> float:
    """Returns a number with a decimal comma, or with marks between its groups of digits."""
    if form == "grouped":
        return float(re.sub(r"[^\d.+-]", "", text) if text.count(".") < 2 else re.sub(r"[^\d+-]", "", text))
    whole, _, decimals = text.rpartition(",")
    return float(f"{re.sub(r'[^0-9+-]', '', whole) or 0}.{decimals.strip()}")
