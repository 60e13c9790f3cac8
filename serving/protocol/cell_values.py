"""Reads a cell as a number, a truth value or a time.

ExampleGen and `predict` share these rules, so that a cell means the same in training and in a request. Only the empty
cell is missing. Blanks around a number, a truth value or a time are left out; in text they count.
"""

from __future__ import annotations

import datetime
import re

MISSING = ""

TRUE, FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
_TRUTHS = dict.fromkeys(TRUE, True) | dict.fromkeys(FALSE, False)

_HOUR, _MINUTE = r"([01]\d|2[0-3])", r"[0-5]\d"
_ZONE = rf"(Z|[+-]{_HOUR}(:?{_MINUTE})?)"
# Not all of ISO 8601: these forms are read by each version of Python and, mostly, by Arrow.
_TIME = re.compile(rf"(\d{{4}}-\d\d-\d\d)([T ]{_HOUR}(:{_MINUTE}(:{_MINUTE}(\.\d+)?)?)?(?P<zone>{_ZONE})?)?", re.ASCII)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def read_number(cell: str) -> float | None:
    """Returns the number in a cell such as `1`, ` -2.5`, `+1e3`, `inf` or `nan`; None for `1_000`, `1,5` or `0x10`."""
    text = cell.strip()
    if "_" in text or not text.isascii():  # Python reads `1_000` and the digits of other scripts
        return None
    try:
        return float(text)
    except ValueError:
        return None


def read_truth(cell: str) -> bool | None:
    """Returns the truth value that a cell names, or None."""
    return _TRUTHS.get(cell.strip())


def read_time(cell: str) -> int | None:
    """Returns the whole Unix seconds of a date or time such as `2026-11-23` or `2026-11-23T08:45:00+01:00`, or None.

    A cell that names no zone is in UTC. Fractions of a second are dropped: the result is the second that has begun.
    """
    text = cell.strip()
    if not _TIME.fullmatch(text):
        return None
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:  # the 30th of February
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return (moment - _EPOCH) // datetime.timedelta(seconds=1)


def has_zone(cell: str) -> bool:
    """Returns whether a cell is a time that names its zone."""
    match = _TIME.fullmatch(cell.strip())
    return match is not None and match["zone"] is not None
