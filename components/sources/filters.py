"""Decides which rows of a source are left out, and counts them.

One mask per batch serves all reasons. A row that is left out for one reason is not counted for a later one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from crossnet.components.errors import DataError
from crossnet.components.hashing import mix
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.base import Source, SourceBatch, file_label
from crossnet.components.sources.conditions import BadRowError, Condition
from crossnet.components.sources.exact import as_in_source
from crossnet.components.sources.splits import SPLITS, hash_values, row_hashes

UNLABELLED, SAMPLE, WHERE = "unlabelled", "sample", "where"
_SALT = 0x53616D706C65  # so that the sample does not depend on the split; any number would do


@dataclass(frozen=True)
class RowFilter:
    """Finds the rows to leave out: those of which a condition is not true, those not sampled, those without a label.

    Attributes:
      params: The settings.
      label: The label's name in the batches.
      condition: What must be true of a row.
      unwritten: The columns of the batches that are there for the condition alone.
    """

    params: ExampleGenParams
    label: str
    condition: Condition | None = None
    unwritten: tuple[str, ...] = ()

    @property
    def is_active(self) -> bool:
        """Whether rows may be left out."""
        return self.params.unlabelled == "drop" or self.params.sample < 1 or self.condition is not None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a batch that are looked at."""
        return (self.label, *(self.condition.columns.values() if self.condition else ()))

    def written(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Returns rows with the columns that are written."""
        return rows.drop_columns(list(self.unwritten)) if self.unwritten else rows

    def left_out(self, source: Source, batch: SourceBatch) -> dict[str, NDArray[np.bool_]]:
        """Returns what `dropped` does.

        Raises:
          DataError: The condition cannot be evaluated for a row, which is named.
        """
        try:
            return self.dropped(batch)
        except BadRowError as error:
            raise DataError(
                f"{source.place(batch.unit, batch.first_row + error.row)}: `example_gen.where` cannot be evaluated: "
                f"{error.reason}. Fix the row or the condition, such as with TRY_CAST."
            ) from None

    def dropped(self, batch: SourceBatch) -> dict[str, NDArray[np.bool_]]:
        """Returns, by reason, bool (rows,): which rows are left out; a reason that has no rows is left out as well.

        An empty label and one that is NaN count as missing.
        """
        masks = {}
        if self.condition is not None:
            masks[WHERE] = ~self.condition.holds(as_in_source(batch, nan_is_missing=self.params.nan == "missing"))
        if self.params.sample < 1:
            masks[SAMPLE] = ~self._is_sampled(batch)
        if self.params.unlabelled == "drop":
            label = batch.rows.column(self.label)
            if label.null_count or pa.types.is_floating(label.type):
                masks[UNLABELLED] = np.asarray(label.is_null(nan_is_null=True).to_numpy(zero_copy_only=False))
        taken = np.zeros(batch.rows.num_rows, bool)
        for reason, mask in masks.items():
            masks[reason] = mask & ~taken
            taken |= mask
        return {reason: mask for reason, mask in masks.items() if mask.any()}

    def _is_sampled(self, batch: SourceBatch) -> NDArray[np.bool_]:
        by_key = self.params.rule == "key"
        hashes = hash_values(batch.key) if by_key and batch.key is not None else row_hashes(batch)
        salt = mix(np.full(1, self.params.seed + _SALT, np.uint64))
        return mix(hashes ^ salt) < np.uint64(int(self.params.sample * 2**64))


@dataclass
class DropLog:
    """Counts the rows that were left out.

    Attributes:
      rows: Rows by reason, unit and split code.
      first: Unit and row of the first one, by reason.
      holes: Columns that lack a value in a row that is left out for want of a label.
    """

    rows: Counter[tuple[str, int, int]] = field(default_factory=Counter)
    first: dict[str, tuple[int, int]] = field(default_factory=dict)
    holes: set[str] = field(default_factory=set)

    def add(self, reason: str, batch: SourceBatch, mask: NDArray[np.bool_], codes: NDArray[np.uint8]) -> None:
        """Records the rows of a batch that are left out; `codes` holds the split that each would be in."""
        self.first.setdefault(reason, (batch.unit, batch.first_row + int(mask.argmax())))
        for code, rows in enumerate(np.bincount(codes[mask]).tolist()):
            if rows:
                self.rows[reason, batch.unit, code] += rows
        if reason == UNLABELLED:
            names = [name for name in batch.rows.schema.names if batch.rows[name].null_count and name not in self.holes]
            for name, column in ((name, batch.rows[name]) for name in names):
                if column.filter(pa.array(mask)).null_count:
                    self.holes.add(name)

    def total(self, reason: str | None = None) -> int:
        """Returns how many rows were left out, for one reason or for any."""
        return sum(rows for (why, _, _), rows in self.rows.items() if reason in (None, why))


def joined(logs: Sequence[DropLog]) -> DropLog:
    """Returns the logs of all parts of a source, in order, as one."""
    total = DropLog()
    for log in logs:
        total.rows += log.rows
        total.first = {**log.first, **total.first}
        total.holes |= log.holes
    return total


def summarize_drops(log: DropLog, source: Source, *, by_order: bool) -> dict[str, Any]:
    """Returns by reason the rows left out: `rows`, `splits`, `files` and the place of the `first`.

    Of the rows without a label also `holes`: the columns that lack a value in one of them.

    Args:
      by_order: Whether splits were known only when all rows were counted, so that a dropped row has none.
    """
    summary: dict[str, Any] = {}
    for reason, place in log.first.items():
        splits: Counter[str] = Counter()
        files: Counter[str] = Counter()
        for (why, unit, code), rows in sorted(log.rows.items()):
            if why == reason:
                splits[SPLITS[code]] += rows
                if source.files:
                    files[file_label(source.files[unit], source.files)] += rows
        summary[reason] = {
            "rows": log.total(reason),
            "splits": {} if by_order else dict(splits),
            "files": dict(files),
            "first": source.place(*place).replace("`", ""),
        }
    if UNLABELLED in summary:
        summary[UNLABELLED]["holes"] = sorted(log.holes)
    return summary


def nothing_left(dropped: DropLog, where: str, label: str) -> DataError:
    """Returns the sentence for a source of which all rows were left out.

    Args:
      where: The source for messages.
    """
    if unlabelled := dropped.total(UNLABELLED):
        others = dropped.total() - unlabelled
        those = f"that are left of {others + unlabelled:,}" if others else ""
        return DataError(
            f"All {unlabelled:,} rows {those + ' ' if those else ''}of {where} have an empty label, `{label}`, so that "
            "nothing is left to learn from. Expected a number in at least two rows. Fill in the column, or name "
            "another in `example_gen.label`."
        )
    if rows := dropped.total(WHERE):
        return DataError(
            f"`example_gen.where` is true for none of the {rows:,} rows of {where}, so that nothing is left to learn "
            "from. Expected at least two. Check the condition."
        )
    return DataError(f"None of the rows of {where} is in the sample. Raise `example_gen.sample`.")


def tell_drops(summary: Mapping[str, Any], kept: int, label: str) -> list[str]:
    """Returns a sentence for the rows that a condition left out, and one for those without a label.

    Args:
      summary: As `summarize_drops` returns it.
      kept: Rows that were written.
    """
    total = kept + sum(found["rows"] for found in summary.values())
    why = {
        WHERE: (
            "is not as `example_gen.where` wants it and is left out",
            "are not as `example_gen.where` wants them and are left out",
            "",
        ),
        UNLABELLED: (
            f"has no label (`{label}`) and is left out",
            f"have no label (`{label}`) and are left out",
            ' To stop there instead, set `example_gen.unlabelled = "error"`.',
        ),
    }
    return [_told(summary[reason], total, *words) for reason, words in why.items() if reason in summary]


def _told(found: Mapping[str, Any], total: int, of_one: str, of_many: str, advice: str) -> str:
    what = of_one if found["rows"] == 1 else of_many
    splits = ", ".join(f"{rows:,} of `{split}`" for split, rows in found["splits"].items())
    names = [f"`{name}`" for name in found["files"]]
    files = f" of {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}" if names else ""
    return (
        f"{found['rows']:,} of {total:,} rows{files} {what}{f': {splits}' if splits else ''} (first: "
        f"{found['first']}).{advice}"
    )


def no_rows(source: Source, label: str, dropped: DropLog) -> DataError:
    """Returns the error for a source of which no row is kept."""
    where = ", ".join(f"`{path.name}`" for path in source.files[:3]) or "the synthetic table"
    if dropped.total():
        return nothing_left(dropped, where, label)
    return DataError(
        f"No row is in {where}, only a header or nothing. Expected at least two rows. Name files with "
        "rows in `example_gen.input`."
    )
