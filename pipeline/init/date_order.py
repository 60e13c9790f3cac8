"""Chooses the form of a column's dates, where several read them."""

from __future__ import annotations

from crossnet.pipeline.init.cell_counts import CellCounts
from crossnet.pipeline.init.findings import ColumnFinding, Proposal
from crossnet.pipeline.init.toml_lines import toml_line
from crossnet.serving.protocol.printable import shown

_LESS = 0.5  # of the span of days, by which 24-01-31 begins with its year


def propose_dates(finding: ColumnFinding, cells: CellCounts, proposal: Proposal) -> None:
    """Proposes the form of a column of dates, and adds the doubt where others read all of them too.

    Args:
      finding: The column, to be filled.
      cells: The forms of its cells.
      proposal: What is proposed so far, to be filled.
    """
    dates = cells.forms["date"]
    formats = [form for form, count in cells.formats.items() if count == dates]
    if not formats:
        finding.doubt(f"no format reads all of its {dates:,} dates: {', '.join(cells.formats)}")
        return
    usual = min(formats, key=lambda form: form.startswith("%y"))  # the first of the others, if any
    formats.sort(key=lambda form: (not _is_likelier(cells, form, usual), form != usual))
    form = formats[0]
    why = f"{finding.name}: all {dates:,} dates have it, such as {shown(cells.examples['date'].cell)}"
    proposal.put("date_format", {finding.name: form}, why)
    finding.decided = f"date, {form}"
    if len(formats) > 1:
        other = toml_line("date_format", {finding.name: formats[1]})
        if any(each.startswith("%y") for each in formats):
            said = f"the day may come first or the year: {', '.join(formats)} read all of its dates"
        else:
            said = f"the day may come first or the month: both {' and '.join(formats)} read all of its dates"
        finding.doubt(said, other)


def _is_likelier(cells: CellCounts, form: str, usual: str) -> bool:
    """Whether a form that begins with a year makes dates that lie much closer than those of the usual one.

    The days of 24-01-30 and 24-02-02 are three days of 2024, or else 30 years apart.
    """
    (first, last), (other_first, other_last) = cells.spans[form], cells.spans[usual]
    return form.startswith("%y") and last - first < _LESS * (other_last - other_first)
