"""Defines what the gate's rules read, scores, and return, results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from crossnet.components.evaluation.metrics import ErrorSums
from crossnet.components.evaluation.units import MIN_UNITS, Resampled
from crossnet.components.formats import counted, number


@dataclass(frozen=True)
class Scores:
    """What was measured of all models, over the same rows.

    Attributes:
      names: The models, in the order of the sums.
      whole: Sums over the eval split.
      slices: Sums by slice.
      resampled: Resamples of the eval split's units, or None where these are too few.
      unit: What a unit is, for a sentence: "row", or "group of `user`", or "block of 40 rows".
      units: How many there are; None: as many as rows.
    """

    names: tuple[str, ...]
    whole: ErrorSums
    slices: Mapping[str, ErrorSums]
    resampled: Resampled | None
    unit: str = "row"
    units: int | None = None

    @property
    def extent(self) -> str:
        """How much was judged, for a sentence: "1,000 rows in 100 groups of `user`, which weigh as 812.5"."""
        text = f"{self.whole.rows:,} rows"
        if self.units is not None:
            one, _, rest = self.unit.partition(" ")
            text += f" in {counted(self.units, one)} {rest}"
        if self.whole.is_weighted:
            text += f", which weigh as {number(self.whole.effective_rows)}"
        return text

    @property
    def few(self) -> str:
        """Why there are not enough units for an interval, as "fewer than 20 rows"; empty where there are."""
        one = self.unit.partition(" ")[0]
        count = self.whole.rows if self.units is None else self.units
        return f"fewer than {MIN_UNITS} {one}s" if count < MIN_UNITS else ""


@dataclass(frozen=True)
class Served:
    """The version in service.

    Attributes:
      version: Its folder's name.
      problem: Why it cannot be compared, a clause that follows "version 17 in service, which"; empty when it can.
      name: Its name in `Scores.names`.
    """

    version: str
    problem: str = ""
    name: str = "(served)"

    @property
    def words(self) -> str:
        """What it is, for a sentence."""
        return f"version {self.version} in service"

    @property
    def short(self) -> str:
        """The same where `words` were said before."""
        return self.words


@dataclass(frozen=True)
class Best(Served):
    """The best model ever blessed, or the version that `evaluator.anchor` names.

    Attributes:
      version: Its version, or the fingerprint of a Model that is not in service.
      is_named: Whether `evaluator.anchor` names it.
    """

    name: str = "(best)"
    is_named: bool = False

    @property
    def words(self) -> str:
        """What it is, for a sentence."""
        what = f"version {self.version}" if self.version.isdecimal() else f"Model {self.version}"
        return f"{what}, which evaluator.anchor names" if self.is_named else f"the best, {what}"

    @property
    def short(self) -> str:
        """The same where `words` were said before."""
        return f"version {self.version}" if self.is_named else "the best"


@dataclass(frozen=True, kw_only=True)
class RuleResult:
    """One rule, applied to one candidate on one group of rows.

    Attributes:
      rule: The setting's name, or `finite_predictions`, `rules_set`.
      metric: What was compared.
      slice: The slice, or None for the whole split.
      rows: Rows judged.
      candidate: The candidate's value.
      reference: The baseline's or the served model's value.
      difference: Candidate minus reference, or minus threshold where there is no reference.
      interval: Confidence bounds of what decided; an open end is None.
      threshold: The limit that decided.
      margin: Share of the reference's value.
      passed: None when the rule was skipped.
      message: One sentence.
    """

    rule: str
    metric: str
    message: str
    passed: bool | None
    rows: int
    slice: str | None = None
    candidate: float | None = None
    reference: float | None = None
    difference: float | None = None
    interval: tuple[float | None, float | None] | None = None
    threshold: float | None = None
    margin: float | None = None

    @property
    def skipped(self) -> bool:
        """Whether the rule was not asked."""
        return self.passed is None

    def to_json(self) -> dict[str, Any]:
        """Returns the result as verdict.json has it."""
        return asdict(self) | {"skipped": self.skipped}


def limit_text(value: float) -> str:
    """Returns a limit as it was set, without the last digits of its binary fraction."""
    return f"{value:.12g}"
