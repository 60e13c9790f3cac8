"""Proposes the marks within numbers: decimals and thousands."""

from __future__ import annotations

from collections.abc import Mapping

from crossnet.components.formats import counted
from crossnet.pipeline.init.cell_counts import CellCounts
from crossnet.pipeline.init.columns import shares
from crossnet.pipeline.init.findings import Proposal
from crossnet.pipeline.init.profile import TableProfile
from crossnet.pipeline.init.toml_lines import toml_line
from crossnet.serving.protocol.printable import shown


def propose_marks(profile: TableProfile, names: Mapping[str, str], proposal: Proposal) -> None:
    """Proposes the marks within numbers: the decimal comma, and that between groups of digits.

    Args:
      profile: What the rows show.
      names: The features' names by source name.
      proposal: What is proposed so far, to be filled.
    """
    commas, grouped = {}, {}
    sure, label = False, profile.columns[profile.label].cells
    for name, column in profile.columns.items():
        cells = column.cells
        if not cells.cells or shares(cells).numbers < 0.9:
            continue
        if cells.marks["."] and label.points > label.pointed:  # with its marks, the label would not be read
            found = cells.examples.get("grouped") or cells.examples["grouped comma"]
            said = f"{names[name]} has cells such as {shown(found.cell)}, and the label has a point before fractions"
            proposal.note(f"{said}: {names[name]} stays text; write all numbers with the same marks")
            continue
        if count := cells.forms["comma"] + cells.forms["grouped comma"]:
            commas[name] = count
            sure = sure or count > cells.three
        if cells.forms["grouped"] or cells.forms["grouped comma"]:
            grouped[name] = cells
    delimiter = proposal.settings.get("delimiter", ",")
    groups_with_comma = any(cells.marks[","] for cells in grouped.values())
    if commas and not sure and (groups_with_comma or delimiter == ","):
        name = next(iter(commas))
        cell = shown(profile.columns[name].cells.examples["comma"].cell)
        proposal.put("thousands", ",", f"{names[name]} has {counted(commas[name], 'cell')} such as {cell}")
        if not groups_with_comma:
            line = f"{toml_line('decimal', ',')} and no `thousands`"
            proposal.note(f"{cell} may be a thousand or a decimal comma", line)
        return
    if commas:
        name = next(iter(commas))
        examples = profile.columns[name].cells.examples
        found = examples.get("comma") or examples["grouped comma"]
        cell = shown(found.cell)
        proposal.put("decimal", ",", f"{names[name]} has {counted(commas[name], 'cell')} such as {cell}")
        if not sure:
            line = f"{toml_line('thousands', ',')} and no `decimal`"
            proposal.note(f"{cell} may be a thousand or a decimal comma", line)
    points = {name: column.cells for name, column in profile.columns.items() if column.cells.points}
    if points:
        groups = any(cells.marks["."] for cells in grouped.values())
        _propose_points(points, names, proposal, groups=groups, has_commas=bool(commas), delimiter=str(delimiter))
    if grouped:
        name, cells = next(iter(grouped.items()))
        mark = cells.marks.most_common(1)[0][0]
        found = cells.examples.get("grouped") or cells.examples["grouped comma"]
        said = f"{names[name]} has cells such as {shown(found.cell)}"
        if mark == "." and not commas and any(cells.points > cells.pointed for cells in points.values()):
            return  # which the note of `_propose_points` says: a file has one mark before fractions
        if mark == "," and commas:
            proposal.note(f"{said}, and others have a comma before fractions: write them with one mark")
            return
        if mark == "." and not commas:
            proposal.put("decimal", ",", f"{said}, so that a point is not before fractions")
        proposal.put("thousands", mark, said)


def _propose_points(
    columns: Mapping[str, CellCounts],
    names: Mapping[str, str],
    proposal: Proposal,
    *,
    groups: bool,
    has_commas: bool,
    delimiter: str,
) -> None:
    """Proposes what the point in numbers such as 1.250 is, where others have commas or cells semicolons between them.

    It stands before fractions where another number has a point in another place, such as 0.5.

    Args:
      columns: Those that hold numbers with a point, and without commas.
      names: Their names in the config.
      proposal: What is proposed so far, to be filled.
      groups: Whether the point stands between thousands in other numbers, such as 1.234,5.
      has_commas: Whether numbers have decimal commas.
      delimiter: What stands between cells.
    """
    decimal = next((names[name] for name, cells in columns.items() if cells.points > cells.pointed), "")
    doubtful = next((names[name] for name, cells in columns.items() if cells.pointed), "")
    said = f"{doubtful} has numbers with a point before three digits"
    if groups and decimal:
        proposal.note(
            f"{decimal} has numbers with a point before fractions, and others have it between thousands: one is misread"
        )
    elif groups or not doubtful:
        return
    elif has_commas and decimal:
        proposal.put("decimal", ",.", f"{said}, and other numbers have it before fractions")
    elif has_commas:
        proposal.put("thousands", ".", said)
    elif delimiter == ";" and not decimal:
        proposal.note(f"{said}, as all do that have one: is it between thousands?", 'thousands = "." and decimal = ","')
