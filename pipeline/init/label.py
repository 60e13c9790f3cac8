"""Decides whether a column can be the label."""

from __future__ import annotations

import math
from collections.abc import Mapping

from crossnet.components.errors import DataError
from crossnet.components.formats import counted
from crossnet.components.sources.base import Source
from crossnet.components.sources.csv_hints import SIGNS_ADVICE, looks_marked
from crossnet.pipeline.init.columns import shares
from crossnet.pipeline.init.findings import ColumnFinding, Proposal
from crossnet.pipeline.init.profile import ColumnProfile, TableProfile
from crossnet.pipeline.init.tables import Table
from crossnet.pipeline.init.toml_lines import toml_line
from crossnet.serving.protocol.printable import listed, shown

_MIN_SORTED = 10  # rows, fewer of which are in order by chance


def check_label(profile: TableProfile, names: Mapping[str, str], table: Table, source: Source) -> None:
    """Refuses a label that cannot be predicted.

    Raises:
      DataError: It has no number, some text, or one value.
    """
    column, label = profile.columns[profile.label], names[profile.label]
    where = f"`{table.files[0].name}`"
    others = [names[name] for name, other in profile.columns.items() if name != profile.label and _is_numeric(other)]
    advice = f"Name a column of numbers with --label{f': {listed(others)}' if others else ''}."
    if column.is_list:
        raise DataError(f"{where}: the label `{label}` holds lists; this pipeline predicts one number. {advice}")
    present = column.rows - column.holes
    if not present:
        raise DataError(f"{where}: the label `{label}` is empty in all {counted(column.rows, 'row')}. {advice}")
    cells, count = column.cells, profile.numbers.count
    odd = cells.looked - cells.forms["number"] - cells.forms["nan"] - cells.forms["null"]
    if not count and not odd and not column.infinite:
        words = " or ".join(f"'{shown(cells.examples[form].cell)}'" for form in ("nan", "null") if cells.forms[form])
        raise DataError(
            f"{where}: the label `{label}` is {words or 'NaN'} in all rows, which is a missing value. {advice}"
        )
    if cells.cells and shares(cells).numbers < 0.9:
        form = next(form for form in ("other", "date", "time", "truth", "word of truth", "null") if cells.forms[form])
        found = cells.examples[form]
        amount = "all" if odd == cells.looked else f"{odd:,} of"
        place = source.place(found.unit, found.row)
        is_truth = form in ("truth", "word of truth")
        advice = f"{SIGNS_ADVICE} Or name" + advice.removeprefix("Name") if looks_marked(found.cell) else advice
        raise DataError(
            f"The label `{label}` is {'true or false' if is_truth else 'text'} in {amount} {cells.looked:,} cells "
            f"(first: '{shown(found.cell)}' in {place}): this pipeline predicts numbers"
            f"{', not classes' if is_truth else ''}. {advice}"
        )
    if not count and column.infinite:
        raise DataError(f"{where}: the label `{label}` is infinite in all rows that have one. {advice}")
    if count and not profile.numbers.squares:
        raise DataError(
            f"The label `{label}` has one value, {profile.numbers.mean:g}, in "
            f"{f'all {count:,} rows that have' if count > 1 else 'the only row that has'} one: there is nothing to "
            f"predict. {advice}"
        )


def note_label(profile: TableProfile, finding: ColumnFinding, proposal: Proposal) -> None:
    """Notes the rows without a label, and whether its values are sorted."""
    column = profile.columns[profile.label]
    finding.decided = "the label"
    if column.infinite:
        said = f"{counted(column.infinite, 'label')} infinite, or beyond 3.4e+38, which stops the run"
        said += ": write a number there, or nothing"
        finding.doubt(said)
    without = profile.rows - profile.numbers.count - column.infinite
    if without:
        text = f"rows without a label are left out: {without:,} of {profile.rows:,}"
        proposal.note(text, toml_line("unlabelled", "error"))
    if column.order and profile.numbers.count >= _MIN_SORTED:
        rises = "rise" if column.order == "up" else "fall"
        proposal.note(f"the rows are sorted by the label (its values only {rises}): never split by their order")


def doubt_given_away(profile: TableProfile, findings: Mapping[str, ColumnFinding], proposal: Proposal) -> None:
    """Doubts each feature that tells the label: its logarithm, the label in another unit, its rank."""
    features = [name for name in profile.columns if name != profile.label]
    if len(features) == 1:
        return  # the only feature is what the label shall be predicted from
    variance = profile.numbers.variance
    orders = {name: profile.columns[name].sample.order_of_labels(variance) for name in features}
    given_away = [name for name in features if orders[name] and findings[name].name not in proposal.excluded]
    line = toml_line("exclude", [*proposal.excluded, *(findings[name].name for name in given_away)])
    for name in given_away:
        said = f"the label only {orders[name]} with it, in all rows: is it made from the label, or known only after it?"
        findings[name].doubt(said, line)


def _is_numeric(column: ColumnProfile) -> bool:
    if column.is_list:
        return False
    return shares(column.cells).numbers > 0.9 if column.cells.cells else math.isfinite(column.least)
