"""Checks the new names that settings give to columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crossnet.serving.protocol.header_names import new_names, spellings
from crossnet.serving.protocol.printable import shown
from crossnet.serving.protocol.suggestions import did_you_mean


def problems_of_renames(header: Sequence[str], rename: Mapping[str, str]) -> list[str]:
    """Returns why columns cannot have the names that `rename` gives, a sentence each.

    A new name is not one that another column of the source has, also where that one is excluded or renamed itself: so
    no setting and no request is unclear about which column it names.

    Args:
      header: The columns as the source names them.
      rename: New names by a spelling of the column.
    """
    known = spellings(header)
    problems = []
    renamed: dict[str, str] = {}
    for old, new in rename.items():
        found = new_names(header, {old: new})
        if not found:
            near = did_you_mean(old, known)
            problems.append(f"`example_gen.rename` names `{shown(old)}`, which is not a column.{near}")
            continue
        source = next(iter(found))
        if source in renamed:
            problems.append(
                f"`example_gen.rename` names the column `{shown(source)}` twice, as `{shown(renamed[source])}` and "
                f"`{shown(old)}`. Keep one of them."
            )
        renamed[source] = old
        if known.get(new, source) != source:
            problems.append(
                f"`example_gen.rename` gives `{shown(old)}` the name `{shown(new)}`, which another column has, "
                f"`{shown(known[new])}`. Choose a name that no column has."
            )
    return problems
