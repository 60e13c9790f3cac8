"""Finds columns of truth values in several spellings."""

from __future__ import annotations

from crossnet.pipeline.init.findings import ColumnFinding, Proposal
from crossnet.pipeline.init.profile import ColumnProfile
from crossnet.serving.protocol.cell_values import read_boolean
from crossnet.serving.protocol.printable import shown


def propose_truth(finding: ColumnFinding, column: ColumnProfile, proposal: Proposal) -> bool:
    """Proposes `boolean` for cells such as true, no and 1 beside each other; returns whether it does.

    Columns of one of these spellings alone are numbers, truth or, as yes and no, found by their words.
    """
    cells, forms = column.cells, column.cells.forms
    kinds = [form for form in ("truth", "word of truth", "number") if forms[form]]
    if len(kinds) < 2 or sum(forms[form] for form in kinds) < cells.looked - forms["null"]:
        return False
    if forms["number"] and (forms["whole"] < forms["number"] or forms["zero"] or column.least < 0 or column.most > 1):
        return False
    words = [*cells.words["word of truth"], *(cells.examples[form].cell for form in kinds if form in cells.examples)]
    words += [f"{number:.0f}" for number in (column.least, column.most) if forms["number"]]
    if not forms["truth"] and {read_boolean(word) for word in words} != {True, False}:
        return False
    examples = list(dict.fromkeys(word.strip() for word in words))[:4]
    proposal.put("boolean", [finding.name], f"{finding.name} holds {', '.join(map(shown, examples))}")
    return True
