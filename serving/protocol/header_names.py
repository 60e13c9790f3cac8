"""Names features after the headers of their columns.

ExampleGen, `init` and `predict` share this rule, so that a file which a model was trained on fits the model.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from itertools import islice

from crossnet.serving.protocol.printable import MAX_NAME_SHOWN, listed, shown

_MAX_LISTED = 10  # mistakes of one kind
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REPLACED = re.compile(r"[^A-Za-z0-9_]")
_BYTE_ORDER_MARK = "\ufeff"


def feature_name(header: str, position: int) -> str:
    """Returns a name that a signature can have: `trip miles` becomes `trip_miles`.

    Blanks, a byte-order mark and a pair of quotes around the header are left out. Each character other than an ASCII
    letter, a digit or `_` becomes `_`, and `_` is put before a leading digit. A header without any letter or digit
    is named after its position, `column_3`.

    Args:
      header: As it is in the file.
      position: The column's number in the header, from 1.
    """
    name = _REPLACED.sub("_", _bare(header))
    if not name.strip("_"):
        return f"column_{position}"
    return name if _NAME.fullmatch(name) else f"_{name}"


def _bare(header: str) -> str:
    """Returns a header without blanks, a byte-order mark and a pair of quotes around it."""
    text = header.strip().removeprefix(_BYTE_ORDER_MARK).strip()
    if len(text) > 1 and text[0] == text[-1] == '"':  # in `x0, "x1"` the blank makes the quotes part of the cell
        text = text[1:-1].strip()
    return text


def feature_names(headers: Sequence[str], rename: Mapping[str, str] | None = None) -> list[str]:
    """Returns the feature's name for each header, in their order.

    Args:
      headers: As they are in the file.
      rename: New names by a spelling of the header; those of other headers are not looked at.
    """
    names = [feature_name(header, position) for position, header in enumerate(headers, 1)]
    if rename:
        places = {header: place for place, header in enumerate(headers)}
        for header, name in new_names(headers, rename).items():
            names[places[header]] = name
    return names


def new_names(headers: Sequence[str], rename: Mapping[str, str]) -> dict[str, str]:
    """Returns by header the new names of those that `rename` names; both may be spelled as the feature is."""
    known = spellings(headers)
    found = {}
    for old, new in rename.items():
        header = next((known[name] for name in (old, _bare(old), feature_name(old, 0)) if name in known), None)
        if header is not None:
            found[header] = new
    return found


def spellings(headers: Sequence[str], rename: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the header for each spelling that a setting may use.

    A setting names a column by the feature's name, by the header as it is in the file, by the header without the
    blanks around it, or by its new name in `rename`.
    """
    by_name = dict(zip(feature_names(headers), headers, strict=True))
    known = by_name | {_bare(header): header for header in headers} | {header: header for header in headers}
    return known | ({new: header for header, new in new_names(headers, rename).items()} if rename else {})


def listed_columns(headers: Sequence[str]) -> str:
    """Returns the headers as a sentence lists them; one that holds no name is named after its position."""
    return listed([header if _bare(header) else feature_name(header, place) for place, header in enumerate(headers, 1)])


def is_feature_name(name: str) -> bool:
    """Returns whether a signature can have an input of this name."""
    return _NAME.fullmatch(name) is not None and bool(name.strip("_"))


def repeated_headers(headers: Sequence[str], place: str) -> str:
    """Returns the error for headers that are equal, or "" where all differ.

    Args:
      headers: As they are in the file.
      place: Where the headers are, as it is shown, such as "rides.csv:1".
    """
    repeated = [header for header, count in Counter(headers).items() if count > 1]
    if not repeated:
        return ""
    named = [
        f"column `{shown(header, MAX_NAME_SHOWN)}` more than once"
        if header.strip()
        else "several columns without a name"
        for header in repeated[:_MAX_LISTED]
    ]
    more = f", and {len(repeated) - _MAX_LISTED:,} more" if len(repeated) > _MAX_LISTED else ""
    return f"{place} has {', '.join(named)}{more}. Give each column a name of its own."


def shared_names(
    headers: Sequence[str], names: Sequence[str], place: str, features: Container[str] | None = None
) -> str:
    """Returns the error for headers that become one name, or "" where each has its own.

    Args:
      headers: As they are in the file.
      names: The name of each.
      place: Where the headers are, as it is shown, such as "rides.csv:1".
      features: The names that matter; None: all.
    """
    by_name: dict[str, list[str]] = {}
    for header, name in zip(headers, names, strict=True):
        if features is None or name in features:
            by_name.setdefault(name, []).append(header)
    several = {name: found for name, found in by_name.items() if len(found) > 1}
    if not several:
        return ""
    shared = [
        f"columns {listed(found)} become one name, `{shown(name, MAX_NAME_SHOWN)}`"
        for name, found in islice(several.items(), _MAX_LISTED)
    ]
    more = f"; and {len(several) - _MAX_LISTED:,} more names" if len(several) > _MAX_LISTED else ""
    advice = "A name keeps letters (a to z), digits and `_`; rename all but one of them."
    return f"{place}: {'; '.join(shared)}{more}. {advice}"
