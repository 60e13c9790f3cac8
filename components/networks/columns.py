"""Describes what the network sees of each kind of column."""

from __future__ import annotations

from dataclasses import dataclass

from crossnet.components import clock

SECONDS = {"year": 31_556_952, "week": 604_800, "day": 86_400}  # a mean year of the Gregorian calendar
MAX_OPTIONAL_KEY = 2**24  # a column that may lack values is float32, which holds whole numbers up to here
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # in a second


@dataclass(frozen=True)
class NumberColumn:
    """A numeric feature: the network sees `(value - mean) / scale`, as it is where mean is 0 and scale is 1.

    Where the Schema allows absence, a missing value is replaced by `fill`, in the column's own unit, and a second input
    says that it was missing. `edges` bound the bins of its embedding, in the network's unit, ascending; a number
    without edges is read and not embedded. A time, a whole number of `unit` since 1970, is seen as the sine and cosine
    of its place in each of `cycles` too, both 0 where it is missing. A time of day, whose `unit` is its form hhmm
    or hhmmss, becomes minutes or seconds since midnight before all else: they are the unit of mean, scale and fill.
    """

    name: str
    type: str
    required: bool
    mean: float = 0.0
    scale: float = 1.0
    fill: float = 0.0
    edges: tuple[float, ...] = ()
    cycles: tuple[str, ...] = ()
    unit: str = ""

    @property
    def is_clock(self) -> bool:
        """Whether it is a time of day, written hhmm or hhmmss."""
        return self.unit in clock.DAY

    @property
    def periods(self) -> tuple[int, ...]:
        """The length of each cycle in the column's unit; of a time of day, in minutes or seconds."""
        if self.is_clock:
            return (clock.DAY[self.unit],) * len(self.cycles)
        return tuple(SECONDS[cycle] * UNITS[self.unit] for cycle in self.cycles)


@dataclass(frozen=True)
class TextColumn:
    """A text feature: the network sees row `id` of a trained table `(1 + len(vocabulary), dim)`.

    Id 0 is a value outside the vocabulary; a missing value is the token "", where the Schema allows absence.
    """

    name: str
    required: bool
    vocabulary: tuple[str, ...]
    dim: int

    @property
    def rows(self) -> int:
        """Rows of the table."""
        return 1 + len(self.vocabulary)


@dataclass(frozen=True)
class KeyColumn:
    """A column of whole numbers that is seen as categories, as a `TextColumn` is.

    Id 0 is a number outside the vocabulary; a missing one has id 1, where the Schema allows absence.
    """

    name: str
    required: bool
    vocabulary: tuple[int, ...]
    dim: int

    @property
    def rows(self) -> int:
        """Rows of the table."""
        return 1 + len(self.vocabulary) + (not self.required)


@dataclass(frozen=True)
class LeftOut:
    """A feature that the network does not see; the exported model takes it and gives the same answer for all values.

    Attributes:
      name, type, required: As in `Feature`.
      reason: Why, as the end of a sentence that begins with the column's name.
    """

    name: str
    type: str
    required: bool
    reason: str
