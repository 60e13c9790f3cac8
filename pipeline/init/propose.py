"""Proposes settings for a table from what all of its rows show."""

from __future__ import annotations

import math
from collections.abc import Mapping

from crossnet.components.errors import DataError
from crossnet.components.formats import counted
from crossnet.components.sources.base import Source
from crossnet.components.sources.csv_lost_rows import NO_QUOTES
from crossnet.components.sources.doubts import Doubt, merged
from crossnet.components.sources.sentinels import day_doubt, sentinel_doubt
from crossnet.pipeline.init.clock import propose_clock
from crossnet.pipeline.init.columns import KIND_WORDS, may_weigh, read_cells, use_column
from crossnet.pipeline.init.findings import ColumnFinding, Proposal
from crossnet.pipeline.init.label import check_label, doubt_given_away, note_label
from crossnet.pipeline.init.number_marks import propose_marks
from crossnet.pipeline.init.number_times import propose_compact
from crossnet.pipeline.init.profile import ColumnProfile, TableProfile, profile_table
from crossnet.pipeline.init.row_split import propose_split
from crossnet.pipeline.init.tables import Table, column_names, look, plan_table, read_table
from crossnet.serving.protocol.printable import listed, shown

_AS_IT_IS = "it is read as it is"
_MAX_TRIED = 20  # columns
_NO_MARKS: Mapping[str, str] = {}
_MARKS: tuple[Mapping[str, str], ...] = (  # tried in this order where all columns seem to be text
    {"decimal": ","},
    *({"decimal": ",", "thousands": mark} for mark in (".", " ", "\u00a0", "\u202f", "'")),
    *({"thousands": mark} for mark in (",", " ", "\u00a0", "\u202f", "'", "_")),
)
_TIMES = ("TIME", "TIME_UTC", "DATE")
_MEANINGS = {"time": "TIME", "truth": "BOOL", "HOLED": "BYTES"}  # of numbers in files with types; of text


def propose(table: Table, label: str) -> Proposal:
    """Returns what the config of a table should say, after reading all of its rows once.

    Args:
      table: The files.
      label: The column to predict, as the source names it.

    Raises:
      DataError: The table cannot be read, or the label cannot be predicted.
    """
    lost: list[Doubt] = []
    source, profile = look(
        _plan_to_read(table, label),
        lambda source: profile_table(read_table(source, lost), [c.source_name for c in source.columns], label),
    )
    names = {column.source_name: column.name for column in source.columns}
    if not profile.rows:
        raise DataError(f"`{table.name}` has a header and no rows. Expected at least two. Name a file with rows.")
    proposal = Proposal(label=names[label], rows=profile.rows)
    for setting, value in table.dialect.settings.items():
        proposal.put(setting, value, table.dialect.reasons[setting])
    proposal.notes += table.dialect.doubts
    findings, is_csv = {}, table.source == "csv"
    for name, column in profile.columns.items():
        present = column.rows - column.holes
        distinct = min(column.sample.distinct, present) if column.sample.repeated else present
        findings[name] = ColumnFinding(names[name], "", column.rows, column.holes, distinct)
        if column.cells.cells:
            is_first = is_csv and name == next(iter(profile.columns))
            _read_cells(table, findings[name], column, proposal, source, name == label, is_first)
            propose_compact(findings[name], column, proposal, may=is_csv and name != label)
        if column.nan:
            proposal.put("nan", "missing", f"{names[name]} has {counted(column.nan, 'NaN', 'NaN')}")
            findings[name].holes += column.nan
    _note_left_out(table, names, proposal)
    if table.source == "csv":
        propose_marks(profile, names, proposal)
    check_label(profile, names, table, source)
    final = plan_table(table, label, proposal.settings)
    kinds = kinds_of(final)
    variance = profile.numbers.variance
    for name, column in profile.columns.items():
        findings[name].type = "list" if column.is_list else _words(kinds[name])
        if name != label and not propose_clock(findings[name], column, kinds[name], table.source, proposal):
            use_column(findings[name], column, kinds[name], variance, proposal)
            if may_weigh(findings[name], column, kinds[name]):
                proposal.weights.append(findings[name].name)
    _doubt_sentinels(profile, kinds, findings, table.source, proposal)
    for doubt in merged((*getattr(final, "doubts", ()), *lost)):
        _add_doubt(findings.get(doubt.column), doubt, proposal)
    proposal.columns = list(findings.values())
    proposal.label_std = math.sqrt(variance)
    note_label(profile, findings[label], proposal)
    doubt_given_away(profile, findings, proposal)
    _keep_a_feature(profile, kinds, findings, proposal)
    if table.split:
        proposal.put("split", table.split, "the folder holds train/ and eval/")
    else:
        propose_split(final, profile, kinds, findings, proposal)
    return proposal


def _note_left_out(table: Table, names: Mapping[str, str], proposal: Proposal) -> None:
    """Notes the columns that a record cannot hold, all but `names`, and the files that are not of the table."""
    for name in () if table.source == "csv" else (name for name in column_names(table) if name not in names):
        proposal.excluded[name] = "objects, which a record cannot hold"
        said = f"{shown(name)} is left out: it holds objects, or lists of lists; write their parts as columns"
        proposal.note(said)
    if table.others:
        proposal.note(f"files of the folder that are left out: {listed([file.name for file in table.others])}")


def _doubt_sentinels(
    profile: TableProfile,
    kinds: Mapping[str, str],
    findings: Mapping[str, ColumnFinding],
    form: str,
    proposal: Proposal,
) -> None:
    """Doubts the columns in which a number such as -999 seems to be a missing value."""
    words = proposal.settings.get("null_values", ())
    for name, column in profile.columns.items():
        is_number = kinds[name] in ("FLOAT", "INT", "MIXED", "WHOLE")
        if kinds[name] in _TIMES and (doubt := day_doubt(name, column.extremes, form)):
            findings[name].doubts.append(doubt)
        if is_number and (doubt := sentinel_doubt(name, column.extremes, form, words)):
            findings[name].doubts.append(doubt)


def _add_doubt(finding: ColumnFinding | None, doubt: Doubt, proposal: Proposal) -> None:
    """Adds what a source doubts of a column, unless what is said of it already says so."""
    if not finding or (finding.name in proposal.settings.get("numeric", ()) and "as text" in doubt.text):
        return
    if doubt.text.startswith("is read as text"):
        finding.doubts = [known for known in finding.doubts if not known.text.startswith(_AS_IT_IS)]
    is_unsaid = not (finding.doubts or finding.decided)
    is_left_out = finding.name in proposal.excluded and doubt.text.startswith("is read as text")
    if is_unsaid or is_left_out or "float32" in doubt.text or doubt.setting == NO_QUOTES:
        finding.doubts.append(doubt)


def list_columns(table: Table) -> dict[str, str]:
    """Returns each column's type in words, by its name in the source, after looking at the first rows.

    Raises:
      DataError: The table cannot be read.
    """
    names = column_names(table)
    kinds: dict[str, str] = {}
    tried = 0
    for label in names[:_MAX_TRIED]:  # a label is read as a number, and text is refused: its type is seen with another
        try:
            found = kinds_of(plan_table(table, label, {}))
        except DataError:
            continue
        kinds |= {name: kind for name, kind in found.items() if name != label or name not in kinds}
        tried += 1
        if tried == 2:
            break
    return {name: _words(kinds.get(name, "BYTES")) for name in names}


def _words(kind: str) -> str:
    return KIND_WORDS.get(kind, "number").partition(",")[0]


def _plan_to_read(table: Table, label: str) -> Source:
    """Returns a source that reads all cells, also those of a label that is a number only with settings to be found."""
    try:
        return plan_table(table, label, {})
    except DataError:
        if table.source != "csv":
            raise
        tries = [(name, _NO_MARKS) for name in column_names(table) if name != label][:_MAX_TRIED]
        for name, settings in [*tries, *((label, marks) for marks in _MARKS)]:
            try:
                return plan_table(table, name, settings)
            except DataError:
                continue
        raise


def kinds_of(source: Source) -> dict[str, str]:
    """Returns how each column is read, by source name."""
    kinds: Mapping[str, str] = getattr(source, "kinds", {})
    found = {column.source_name: kinds.get(column.source_name, column.type) for column in source.columns}
    return {name: _MEANINGS.get(kind, kind) for name, kind in found.items()}


def _read_cells(
    table: Table,
    finding: ColumnFinding,
    column: ColumnProfile,
    proposal: Proposal,
    source: Source,
    is_label: bool,
    is_first: bool,
) -> None:
    """Proposes what reads a column's cells, where its format has such settings; else says what is odd about them."""
    own = Proposal()
    forms = column.cells.forms
    if (
        table.source != "csv"
        and not is_label
        and forms["whole"] + forms["zero"] < forms["number"] == column.cells.cells
    ):
        proposal.put("numeric", [finding.name], f"all texts of {finding.name} are numbers")
    read = ColumnFinding(finding.name, "", finding.rows, finding.holes, finding.distinct)
    read_cells(read, column, own, source.place, is_label, is_first)
    if all(map(table.takes, own.settings)):
        finding.holes, finding.decided = read.holes, read.decided
        finding.doubts += read.doubts
    for name, value in own.settings.items():
        if table.takes(name):
            proposal.put(name, value, own.reasons[name])
        else:
            finding.doubt(f"{_AS_IT_IS}: {own.reasons[name]}")


def _keep_a_feature(
    profile: TableProfile, kinds: Mapping[str, str], findings: Mapping[str, ColumnFinding], proposal: Proposal
) -> None:
    """Proposes `exclude`, without its numbers, else its first text, where no feature would be left.

    Raises:
      DataError: The label is the only column.
    """
    features = {name: finding for name, finding in findings.items() if name != profile.label}
    if not features:
        others = f"; objects, as in {listed(list(proposal.excluded))}, are not read" if proposal.excluded else ""
        what = f"The table has one column{' that is read' if others else ''}, `{proposal.label}`, the label{others}"
        raise DataError(f"{what}. Expected one more, to learn from.")
    if all(finding.name in proposal.excluded for finding in features.values()):
        full = [name for name in features if profile.columns[name].rows > profile.columns[name].holes]
        for name in [name for name in full if kinds[name] != "BYTES"] or full[:1]:
            reason = proposal.excluded.pop(features[name].name)
            features[name].decided = f"kept, since no other feature is left: {reason}"
            features[name].doubts.clear()
    if proposal.excluded:
        by_reason: dict[str, list[str]] = {}
        for name, reason in proposal.excluded.items():
            by_reason.setdefault(reason, []).append(name)
        reasons = [f"{reason} ({', '.join(names)})" for reason, names in by_reason.items()]
        proposal.put("exclude", list(proposal.excluded), f"not features: {'; '.join(reasons)}")
