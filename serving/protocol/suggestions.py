"""Finds the known name that a mistyped one is nearest to."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# Below this likeness (0 to 1) a suggestion confuses more than it helps.
_MIN_LIKENESS = 0.5


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Returns the known name nearest to `name`; None where none is like it."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=_MIN_LIKENESS)
    return found[0] if found else None


def did_you_mean(name: str, known: Iterable[str], *, prefix: str = "", quote: str = "`") -> str:
    """Returns " Did you mean `x`?", with a blank in front, or "" where no known name is like `name`.

    Args:
      name: As it was received.
      known: The names that would be right.
      prefix: Put before the suggested name, such as `--`.
      quote: Put around it: "`" for names, "'" for values.
    """
    near = nearest(name, known)
    return f" Did you mean {quote}{prefix}{near}{quote}?" if near else ""
