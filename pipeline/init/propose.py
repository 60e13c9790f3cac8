"""Proposes settings for a table from what all of its rows show."""

from __future__ import annotations

import math
from collections.abc import Mapping

from crossnet.components.errors import DataError
from crossnet.components.formats import counted, number, percent
from crossnet.components.sources.base import Source
from crossnet.pipeline.init.columns import KIND_WORDS, read_cells, shares, use_column
from crossnet.pipeline.init.findings import ColumnFinding, Doubt, Proposal
from crossnet.pipeline.init.number_marks import propose_marks
from crossnet.pipeline.init.profile import ColumnProfile, TableProfile, profile_table
from crossnet.pipeline.init.tables import Table, column_names, look, plan_table, read_table
from crossnet.pipeline.init.toml_lines import toml_line
from crossnet.serving.protocol.printable import listed, shown

_FEW_ROWS, _VERY_FEW_ROWS = 200, 40
_MIN_GROUPS, _MIN_EXPLAINED, _MAX_ROWS_PER_GROUP = 30, 0.2, 30
_ROUGH = 0.6
_MIN_TIMES = 10
_MAX_TRIED = 20  # columns
_MIN_EQUAL = 0.02  # share of rows


def propose(table: Table, label: str) -> Proposal:
    """Returns what the config of a table should say, after reading all of its rows once.

    Args:
      table: The files.
      label: The column to predict, as the source names it.

    Raises:
      DataError: The table cannot be read, or the label cannot be predicted.
    """
    source, profile = look(
        _plan_to_read(table, label),
        lambda source: profile_table(read_table(source), [c.source_name for c in source.columns], label),
    )
    names = {column.source_name: column.name for column in source.columns}
    if not profile.rows:
        raise DataError(f"`{table.name}` has a header and no rows. Expected at least two. Name a file with rows.")
    proposal = Proposal(label=names[label], rows=profile.rows)
    for setting, value in table.dialect.settings.items():
        proposal.put(setting, value, table.dialect.reasons[setting])
    findings = {}
    for name, column in profile.columns.items():
        present = column.rows - column.holes
        distinct = min(column.sample.distinct, present) if column.sample.repeated else present
        findings[name] = ColumnFinding(names[name], "", column.rows, column.holes, distinct)
        if column.cells.cells:
            _read_cells(table, findings[name], column, proposal, source, name == label)
        if column.nan:
            proposal.put("nan", "missing", f"{names[name]} has {counted(column.nan, 'NaN', 'NaN')}")
            findings[name].holes += column.nan
    if table.source == "csv":
        propose_marks(profile, names, proposal)
    _check_label(profile, names, table, source)
    final = plan_table(table, label, proposal.settings)
    kinds = kinds_of(final)
    variance = profile.numbers.variance
    for name, column in profile.columns.items():
        findings[name].type = "list" if column.is_list else _words(kinds[name])
        if name != label:
            use_column(findings[name], column, kinds[name], variance, proposal)
    for doubt in getattr(final, "doubts", ()):
        finding = findings.get(doubt.column)
        if finding and not (finding.doubts or finding.decided):
            finding.doubts.append(Doubt(doubt.text, doubt.setting))
    proposal.columns = list(findings.values())
    proposal.label_std = math.sqrt(variance)
    _label_notes(profile, findings[label], proposal)
    _keep_a_feature(profile, kinds, findings, proposal)
    if table.split:
        proposal.put("split", table.split, "the folder holds train/ and eval/")
    else:
        _split(profile, kinds, findings, proposal)
    return proposal


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
        for other in [name for name in column_names(table) if name != label][:_MAX_TRIED]:
            try:
                return plan_table(table, other, {})
            except DataError:
                continue
        raise


def kinds_of(source: Source) -> dict[str, str]:
    """Returns how each column is read, by source name."""
    kinds: Mapping[str, str] = getattr(source, "kinds", {})
    return {column.source_name: kinds.get(column.source_name, column.type) for column in source.columns}


def _read_cells(
    table: Table, finding: ColumnFinding, column: ColumnProfile, proposal: Proposal, source: Source, is_label: bool
) -> None:
    """Proposes what reads a column's cells, where its format has such settings; else says what is odd about them."""
    own = Proposal()
    read = ColumnFinding(finding.name, "", finding.rows, finding.holes, finding.distinct)
    read_cells(read, column, own, source.place, is_label)
    if all(map(table.takes, own.settings)):
        finding.holes, finding.decided = read.holes, read.decided
        finding.doubts += read.doubts
    for name, value in own.settings.items():
        if table.takes(name):
            proposal.put(name, value, own.reasons[name])
        else:
            finding.doubts.append(Doubt(f"it is read as it is: {own.reasons[name]}"))


def _check_label(profile: TableProfile, names: Mapping[str, str], table: Table, source: Source) -> None:
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
    cells = column.cells
    if cells.cells and shares(cells).numbers < 0.9:
        odd = cells.looked - cells.forms["number"] - cells.forms["nan"] - cells.forms["null"]
        form = next(form for form in ("other", "date", "time", "truth", "word of truth", "null") if cells.forms[form])
        found = cells.examples[form]
        amount = "all" if odd == cells.looked else f"{odd:,} of"
        raise DataError(
            f"The label `{label}` is text in {amount} {cells.looked:,} cells (first: '{shown(found.cell)}' in "
            f"{source.place(found.unit, found.row)}): this pipeline predicts numbers. {advice}"
        )
    if profile.numbers.count and not profile.numbers.squares:
        raise DataError(
            f"The label `{label}` has one value, {profile.numbers.mean:g}, in all "
            f"{counted(profile.numbers.count, 'row')} that have one: there is nothing to predict. {advice}"
        )


def _is_numeric(column: ColumnProfile) -> bool:
    if column.is_list:
        return False
    return shares(column.cells).numbers > 0.9 if column.cells.cells else math.isfinite(column.least)


def _label_notes(profile: TableProfile, finding: ColumnFinding, proposal: Proposal) -> None:
    column = profile.columns[profile.label]
    finding.decided = "the label"
    without = profile.rows - profile.numbers.count
    if without:
        text = f"rows without a label are left out: {without:,} of {profile.rows:,}"
        proposal.notes.append(Doubt(text, toml_line("unlabelled", "error")))
    if column.order:
        rises = "rise" if column.order == "up" else "fall"
        proposal.notes.append(
            Doubt(f"the rows are sorted by the label (its values only {rises}): never split by their order")
        )


def _keep_a_feature(
    profile: TableProfile, kinds: Mapping[str, str], findings: Mapping[str, ColumnFinding], proposal: Proposal
) -> None:
    """Proposes `exclude`, without its numbers, else its first text, where no feature would be left.

    Raises:
      DataError: The label is the only column.
    """
    features = {name: finding for name, finding in findings.items() if name != profile.label}
    if not features:
        raise DataError(f"The table has one column, `{proposal.label}`, the label. Expected one more, to learn from.")
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


def _split(
    profile: TableProfile, kinds: Mapping[str, str], findings: Mapping[str, ColumnFinding], proposal: Proposal
) -> None:
    """Proposes how rows are split."""
    rows = min(profile.numbers.count, profile.whole_rows.distinct)
    if rows < _VERY_FEW_ROWS:
        rows = profile.numbers.count
        different = "" if rows < _VERY_FEW_ROWS else f", {profile.whole_rows.distinct:,} different ones"
        proposal.put("split", "order", f"{counted(rows, 'row')}{different}: by hash, a split may be empty")
        share = max(0.1, math.ceil(1000 / max(rows, 2)) / 1000)
        if share > 0.1:
            proposal.put("eval_fraction", min(share, 0.5), "at least one row")
        return
    if rows < _FEW_ROWS:
        proposal.put("eval_fraction", 0.2, f"there are {rows:,} different rows")
    _equal_rows(profile, kinds, findings, proposal)
    groups = _groups(profile, kinds)
    times = [
        name
        for name, column in profile.columns.items()
        if name != profile.label
        and kinds[name] in ("TIME", "TIME_UTC", "DATE")
        and column.order
        and column.sample.distinct >= _MIN_TIMES
    ]
    if groups:
        name, share = groups[0]
        finding, sample = findings[name], profile.columns[name].sample
        why = f"{number(sample.rows_per_value)} rows per {finding.name}"
        why = f"{why}, and {percent(share)} of the label's variance lies between its values"
        proposal.put("split", "key", f"{why}: rows of one belong in one split")
        proposal.put("split_column", finding.name, "")
        proposal.put("group", finding.name, "not a feature; the gate draws whole groups")
        finding.decided = "the group that rows belong to"
        line = f"{toml_line('split', 'hash')}, without `split_column` and `group`"
        finding.doubts.append(Doubt(why, line))
        return
    if times:
        name = times[0]
        rises = "rise" if profile.columns[name].order == "up" else "fall"
        proposal.put("split", "time", f"the rows are sorted by {findings[name].name}: the newest are eval")
        proposal.put("split_column", findings[name].name, "")
        findings[name].doubts.append(
            Doubt(f"its values only {rises}", f"{toml_line('split', 'hash')} and no `split_column`")
        )


def _equal_rows(
    profile: TableProfile, kinds: Mapping[str, str], findings: Mapping[str, ColumnFinding], proposal: Proposal
) -> None:
    """Notes rows that are equal but for a key: by hash, one may be in train and the other in eval."""
    share = 1 - 1 / profile.rows_but_keys.rows_per_value
    if not profile.keys or share < _MIN_EQUAL or profile.whole_rows.repeated:
        return
    keys = listed([findings[name].name for name in profile.keys])
    text = f"{percent(share)} of the rows equal another one but for {keys}: by hash, they may be in both splits"
    others = [
        (column.sample.distinct, name)
        for name, column in profile.columns.items()
        if name != profile.label and name not in profile.keys and kinds[name] in ("INT", "BYTES") and not column.is_list
    ]
    distinct, name = max(others, default=(0, ""))
    line = f'split = "key" and {toml_line("split_column", findings[name].name)}' if distinct >= _MIN_GROUPS else ""
    proposal.notes.append(Doubt(text, line))


def _groups(profile: TableProfile, kinds: Mapping[str, str]) -> list[tuple[str, float]]:
    """Returns columns in whose groups the label is more alike, the clearest first, and by how much."""
    found = []
    for name, column in profile.columns.items():
        sample = column.sample
        if name == profile.label or column.is_list or kinds[name] not in ("INT", "BYTES") or column.cells.forms["date"]:
            continue
        if sample.distinct < _MIN_GROUPS or not 1.5 <= sample.rows_per_value <= _MAX_ROWS_PER_GROUP:
            continue
        share = sample.explained(profile.numbers.variance)
        if share >= _MIN_EXPLAINED and sample.roughness >= _ROUGH:
            found.append((name, share))
    return sorted(found, key=lambda item: -item[1])
