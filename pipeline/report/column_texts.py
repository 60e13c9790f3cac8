"""Writes columns and their values as the user's table has them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.clock import is_time, written
from crossnet.components.formats import TIME_UNITS, moment, number
from crossnet.pipeline.report.run import Run

_YEARS = (1000, 3000)  # whole numbers of four digits that stand between these are years or codes


@dataclass(frozen=True)
class ColumnTexts:
    """What the columns of a run are called in their source, and how their values read.

    Attributes:
      names: By column of the records, its name in the source.
      units: By column of times since 1970, "s", "ms", "us" or "ns".
      plain: Columns of whole numbers such as years, which are written without a thousands separator.
      clock: The form, hhmm or hhmmss, of columns of times of day.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    plain: frozenset[str] = frozenset()
    clock: Mapping[str, str] = field(default_factory=dict)

    def name(self, column: str) -> str:
        """Returns a column's name in the source."""
        return self.names.get(column, column)

    def value(self, column: str, value: Any, digits: int = 4) -> str:
        """Returns one value: a time as a date, "2026-01-31" or "2026-01-31 14:05:00", in UTC; one of day as "14:05".

        Args:
          column: Its column.
          value: A number, a text, or None.
          digits: Significant digits of a number.
        """
        if value is None or value == "":
            return "–"
        if isinstance(value, str):
            return value
        if not math.isfinite(value):
            return number(value)
        if column in self.units:
            return moment(value, self.units[column])
        if column in self.clock and is_time(np.array([value]), self.clock[column])[0]:
            return written(value, self.clock[column])
        if column in self.plain and float(value).is_integer():
            return f"{value:.0f}"
        return number(value, digits)

    def day(self, column: str) -> float:
        """Returns a day in the unit of a column of times."""
        return 86_400.0 * TIME_UNITS[self.units[column]]

    def values(self, text: str) -> str:
        """Returns names such as "Listed_on=below 1715904000, zone=east" with each column as the source has it."""
        return ", ".join(self._part(part) for part in text.split(", "))

    def _part(self, part: str) -> str:
        column, equals, value = part.partition("=")
        return f"{self.name(column)}={value}" if equals and column in self.names else part


def column_texts(run: Run) -> ColumnTexts:
    """Returns how a run's columns and values read; names stay as they are where its rows are gone."""
    examples, statistics = run.get(Examples, "example_gen"), run.get(Statistics, "statistics_gen")
    if examples is None:
        return ColumnTexts()
    plain = set()
    if statistics is not None:
        for dataset in statistics.proto("train").datasets:
            for column in dataset.features:
                numbers, name = column.num_stats, column.path.step[0]
                whole = examples.column_types.get(name) == "INT" and name not in examples.time_units
                if whole and numbers.min >= _YEARS[0] and numbers.max < _YEARS[1]:
                    plain.add(name)
    names = {column.name: column.source_name for column in examples.columns}
    return ColumnTexts(names, examples.time_units, frozenset(plain), examples.clock)
