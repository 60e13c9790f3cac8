"""Groups rows into slices that are judged on their own.

`[["species"], ["x0:quartile"], ["species", "island"]]` names three kinds of slices. A slice is a combination of values:
of a column as it is, or of a numeric column cut at the quantiles of the eval split (`x0:quartile`, `x0:decile`). A
missing value is a value, `(missing)`. A combination without rows does not count.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from crossnet.components.errors import SettingsError
from crossnet.components.features import Feature
from crossnet.components.formats import moment
from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.protocol.suggestions import did_you_mean

BINS = {"quartile": 4, "decile": 10}
MISSING = "(missing)"
MAX_SLICES = 1000


class Cut(NamedTuple):
    """One column of a slicing key; `bins` is "" for the values themselves."""

    column: str
    bins: str

    def __str__(self) -> str:
        return f"{self.column}:{self.bins}" if self.bins else self.column


def parse_slices(slices: Sequence[Sequence[str]], columns: Mapping[str, Feature]) -> list[tuple[Cut, ...]]:
    """Returns the slicing keys.

    Args:
      slices: `evaluator.slices`.
      columns: What may be named: every recorded column.

    Raises:
      SettingsError: Columns or suffixes are unknown, or a text column is cut; all of them are listed.
    """
    problems, keys = [], []
    for names in slices:
        cuts = []
        for name in names:
            column, _, bins = (name, "", "") if name in columns else name.rpartition(":")
            if not column and name not in columns:
                column, bins = bins, ""
            if column not in columns:
                hint = did_you_mean(column, columns) or f" There are: {', '.join(sorted(columns))}."
                problems.append(f"`evaluator.slices` names the unknown column `{column}`.{hint}")
            elif bins and bins not in BINS:
                problems.append(
                    f"`evaluator.slices` cuts `{name}`. Expected `{column}:{f'` or `{column}:'.join(BINS)}`."
                )
            elif bins and columns[column].is_text:
                problems.append(f"`evaluator.slices` cuts the text column `{column}`. Name it without `:{bins}`.")
            cuts.append(Cut(column, bins))
        keys.append(tuple(cuts))
    if problems:
        raise SettingsError("\n".join(problems))
    return list(dict.fromkeys(keys))  # named twice, its rows would count twice


class Slicer:
    """Assigns the rows of a batch to slices.

    Args:
      keys: From `parse_slices`.
      samples: For each cut column, a sample of its values, float (rows,), of which the quantiles are taken.
      units: The unit ("s", "ms", "us" or "ns") of each column of times, whose cuts are named by dates.
    """

    def __init__(
        self, keys: Sequence[tuple[Cut, ...]], samples: Mapping[str, Array], units: Mapping[str, str] | None = None
    ) -> None:
        self._keys, self._units = keys, units or {}
        self._seen: dict[tuple[Cut, ...], set[str]] = {key: set() for key in keys}
        self._edges = {}
        for cut in {cut for key in keys for cut in key if cut.bins}:
            values = samples[cut.column]
            values = values[~np.isnan(values)].astype(np.float64)
            inner = np.arange(1, BINS[cut.bins]) / BINS[cut.bins]
            self._edges[cut] = np.unique(np.quantile(values, inner)) if len(values) else np.zeros(0)

    def groups(self, columns: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
        """Yields the name of each slice in the batch and the places of its rows, int64 (rows in slice,).

        Raises:
          SettingsError: One key makes more than `MAX_SLICES` slices.
        """
        for key in self._keys:
            code, names = np.zeros(len(next(iter(columns.values()))), np.int64), [""]
            for cut in key:
                more, labels = self._codes(cut, columns[cut.column])
                used, code = np.unique(code * len(labels) + more, return_inverse=True)
                prefixes = [names[i // len(labels)] for i in used]
                names = [
                    f"{p}{', ' if p else ''}{cut}={labels[i % len(labels)]}"
                    for p, i in zip(prefixes, used, strict=True)
                ]
            self._see(key, names)
            order = np.argsort(code, kind="stable")
            ends = np.cumsum(np.bincount(code, minlength=len(names)))
            yield from zip(names, np.split(order, ends[:-1]), strict=True)

    def part(self) -> Slicer:
        """Returns one for other rows, with the same cuts."""
        part = copy.copy(self)
        part._seen = {key: set() for key in self._keys}
        return part

    def merge(self, other: Slicer) -> None:
        """Takes note of the slices of other rows.

        Raises:
          SettingsError: One key makes more than `MAX_SLICES` slices of all rows.
        """
        for key, names in other._seen.items():
            self._see(key, names)

    def _see(self, key: tuple[Cut, ...], names: Iterable[str]) -> None:
        self._seen[key].update(names)
        if len(self._seen[key]) > MAX_SLICES:
            by = ", ".join(map(str, key))
            raise SettingsError(
                f"`evaluator.slices` makes more than {MAX_SLICES:,} slices by `{by}`. "
                "Cut a number at its quantiles, such as `x:quartile`, or name another column."
            )

    def _codes(self, cut: Cut, values: Array) -> tuple[Array, list[str]]:
        """Returns each row's code, int64 (rows,), and the codes' names."""
        if not cut.bins:
            found, codes = np.unique(values, return_inverse=True)
            unit = self._units.get(cut.column, "")
            return codes, [
                moment(float(value), unit) if unit and value == value else value_name(value) for value in found
            ]
        return binned(values.astype(np.float64), self._edges[cut], self._units.get(cut.column, ""))


def binned(values: Array, edges: Array, unit: str = "") -> tuple[Array, list[str]]:
    """Returns the place of each number between ascending edges, int64 (rows,), and the places' names; NaN is last.

    Args:
      values, edges: The numbers, and what they are cut at.
      unit: That of times since 1970, "s", "ms", "us" or "ns"; "": they are not times.
    """
    codes = np.searchsorted(edges, values, side="right")
    codes = np.where(np.isnan(values), len(edges) + 1, codes)
    texts = _edge_names(edges.tolist(), unit)
    if not texts:
        return codes, ["all", MISSING]
    between = [f"{low} to {high}" for low, high in itertools.pairwise(texts)]
    return codes, [f"below {texts[0]}", *between, f"from {texts[-1]}", MISSING]


def _edge_names(edges: Sequence[float], unit: str) -> list[str]:
    """Returns the edges as dates, or in as few digits, 4 or more, as tell them apart: one name is one slice."""
    ways = [[moment(edge, unit) for edge in edges]] if unit else []
    ways += [[f"{edge:.{digits}g}" for edge in edges] for digits in range(4, 18)]
    return next((texts for texts in ways if len(set(texts)) == len(texts)), ways[-1])


def value_name(value: Any, unit: str = "") -> str:
    """Returns a value of a column in words; `unit` is that of times since 1970."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace") or MISSING
    if value != value:
        return MISSING
    return moment(float(value), unit) if unit else str(value)
