"""Decides how rows are split, and how many of them are eval."""

from __future__ import annotations

import math
from collections.abc import Mapping

from crossnet.components.formats import counted, number, percent
from crossnet.components.sources.base import Source
from crossnet.pipeline.init.findings import ColumnFinding, Proposal
from crossnet.pipeline.init.groups import (
    MIN_GROUPS,
    Group,
    are_crossed,
    find_alike,
    find_groups,
    find_partners,
    find_plain,
)
from crossnet.pipeline.init.profile import TableProfile
from crossnet.pipeline.init.tables import look, read_table
from crossnet.pipeline.init.toml_lines import toml_line
from crossnet.serving.protocol.printable import listed

_VERY_FEW_ROWS = 40
_MIN_TIMES = 10
_MIN_EQUAL = 0.02  # share of rows
_MAX_REPEATS = 1.1  # rows of each different one: where whole rows repeat, all columns are alike
_EVAL_ROWS, _EVAL_GROUPS = 100, 30  # that a judgement needs; of groups, an interval needs 20, and a hash draws them
_MIN_SHARE, _MAX_SHARE = 0.1, 0.3  # of rows in eval
_SAFE, _SAFE_SHARE = 30, 0.45  # rows or groups, of which chance leaves the 20 that the gate asks for
_SURE_GROUPS = 27  # groups in eval: with fewer, chance often leaves less than the 20 that an interval needs
_MIN_TRAIN, _MIN_EVAL = 30, 20  # rows that preset `table` and the gate ask for


def propose_split(
    source: Source,
    profile: TableProfile,
    kinds: Mapping[str, str],
    findings: Mapping[str, ColumnFinding],
    proposal: Proposal,
) -> None:
    """Proposes how rows are split, and the share of eval.

    Args:
      source: The table with the settings that are proposed; it is read again where columns must be compared.
      profile: What all rows show.
      kinds: How each column is read, by source name.
      findings: The columns by source name, to be filled.
      proposal: What is proposed so far, to be filled.
    """
    rows = min(profile.numbers.count, profile.whole_rows.distinct)
    _few_rows(profile.numbers.count, proposal)
    if rows < _VERY_FEW_ROWS:
        rows = profile.numbers.count
        different = "" if rows < _VERY_FEW_ROWS else f", {profile.whole_rows.distinct:,} different ones"
        proposal.put("split", "order", f"{counted(rows, 'row')}{different}: by hash, a split may be empty")
        _eval_share(proposal, rows, f"of {counted(rows, 'row')}")
        return
    _equal_rows(profile, kinds, findings, proposal)
    group = _group(source, profile, kinds, findings, proposal)
    if group:
        _split_by(group, findings[group.name], proposal)
        groups = profile.columns[group.name].sample.distinct
        if rows < groups * _EVAL_ROWS / _EVAL_GROUPS:  # eval has too few rows before it has too few groups
            _eval_share(proposal, rows, f"of {rows:,} different rows")
        else:
            _eval_share(proposal, groups, f"of {groups:,} values of {findings[group.name].name}", _EVAL_GROUPS)
        _few_groups(proposal, groups, findings[group.name].name)
        return
    _eval_share(proposal, rows, f"of {rows:,} different rows")
    _split_by_time(profile, kinds, findings, proposal)


def _eval_share(proposal: Proposal, size: int, of_what: str, wanted: int = _EVAL_ROWS) -> None:
    """Proposes the share of eval that has some `wanted` of `size` rows or groups, within limits; at least one row."""
    share = min(max(_MIN_SHARE, math.ceil(100 * wanted / max(size, 1)) / 100), _MAX_SHARE)
    share = max(share, min(math.ceil(1000 / max(size, 2)) / 1000, 0.5))
    if 2 * _SAFE <= size < _SAFE / _MAX_SHARE:
        share = min(math.ceil(100 * _SAFE / size) / 100, _SAFE_SHARE)
    if share > _MIN_SHARE:
        some = f"some {round(share * size):,} {of_what}"
        few = "would be better to judge models by, but train needs rows too"
        why = f"about {wanted} {few}" if share * size < wanted else f"models are judged by about {wanted}"
        proposal.put("eval_fraction", share, f"{some}: {why}")


def _few_groups(proposal: Proposal, groups: int, name: str) -> None:
    """Lets the gate judge by value where eval will have few groups, and says so: else it could never open."""
    some = round(proposal.settings.get("eval_fraction", _MIN_SHARE) * groups)
    if some < _SURE_GROUPS:
        proposal.few_groups = f"eval has some {some} of {groups} values of {name}, and an interval needs 20"
        proposal.note(f"{proposal.few_groups}: models are judged by value", toml_line("allow_few_groups", False))


def _few_rows(rows: int, proposal: Proposal) -> None:
    """Notes that a run may end without a model, where chance can leave a split with too few rows."""
    if rows < 2 * _SAFE:
        proposal.note(
            f"{counted(rows, 'row')} with a label {'is' if rows == 1 else 'are'} few: training asks for {_MIN_TRAIN} "
            f"in train, and the gate for {_MIN_EVAL} in eval; give {2 * _SAFE} or more"
        )


def _group(
    source: Source,
    profile: TableProfile,
    kinds: Mapping[str, str],
    findings: Mapping[str, ColumnFinding],
    proposal: Proposal,
) -> Group | None:
    """Returns what rows belong to; None, and a note, where that is several things that cross each other."""
    groups = find_groups(profile, kinds)
    if not groups:
        _doubt_plain(source, profile, kinds, findings)
        return None
    group = groups[0]
    for partner in find_partners(group, profile, kinds) if group.rank < 2 else ():
        if _are_crossed(source, group.name, partner.name):
            one, other = findings[group.name].name, findings[partner.name].name
            text = f"rows belong to both {one} and {other}, so eval has rows of each that train knows"
            proposal.note(f"{text}; to judge by new ones only, name one of them", toml_line("group", one))
            return None
    return group


def _doubt_plain(
    source: Source, profile: TableProfile, kinds: Mapping[str, str], findings: Mapping[str, ColumnFinding]
) -> None:
    """Doubts a column whose values may be what rows belong to, though its name does not say so."""
    group = find_plain(profile, kinds)
    if group is None or profile.whole_rows.rows_per_value > _MAX_REPEATS:
        return
    name, distinct = group.name, profile.columns[group.name].sample.distinct
    others = [other for other in profile.columns if other not in (name, profile.label, *profile.keys)]
    alike = look(source, lambda source: find_alike(read_table(source), name, others, distinct))[1]
    if alike:
        such = listed([findings[other].name for other in alike[:2]])
        text = (
            f"rows may belong to it: its {number(group.rows)} rows per value are alike in {len(alike)} other columns, "
        )
        text += f"such as {such}, and {percent(group.share)} of the label's variance lies between its values"
        findings[name].doubt(text, toml_line("group", findings[name].name))


def _are_crossed(source: Source, one: str, other: str) -> bool:
    return look(source, lambda source: are_crossed(read_table(source), one, other))[1]


def _split_by(group: Group, finding: ColumnFinding, proposal: Proposal) -> None:
    why = f"{number(group.rows)} rows per {finding.name}"
    why = f"{why}, and {percent(group.share)} of the label's variance lies between its values"
    proposal.put("split", "key", f"{why}: rows of one belong in one split")
    proposal.put("split_column", finding.name, "")
    proposal.put("group", finding.name, "not a feature; the gate draws whole groups")
    finding.decided = "the group that rows belong to"
    finding.doubt(why, f"{toml_line('split', 'hash')}, without `split_column` and `group`")


def _split_by_time(
    profile: TableProfile, kinds: Mapping[str, str], findings: Mapping[str, ColumnFinding], proposal: Proposal
) -> None:
    for name, column in profile.columns.items():
        is_time = name != profile.label and kinds[name] in ("TIME", "TIME_UTC", "DATE")
        if is_time and column.order and column.sample.distinct >= _MIN_TIMES:
            rises = "rise" if column.order == "up" else "fall"
            proposal.put("split", "time", f"the rows are sorted by {findings[name].name}: the newest are eval")
            proposal.put("split_column", findings[name].name, "")
            findings[name].doubt(f"its values only {rises}", f"{toml_line('split', 'hash')} and no `split_column`")
            return


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
    line = f'split = "key" and {toml_line("split_column", findings[name].name)}' if distinct >= MIN_GROUPS else ""
    proposal.note(text, line)
