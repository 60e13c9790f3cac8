"""Finds the known name that is nearest to a mistyped name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# Below this similarity (0 to 1), a suggestion confuses more than it helps.
_MIN_SIMILARITY = 0.5
_MAX_LETTERS = 200  # comparing takes time in the product of two lengths


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Returns the known name nearest to `name`; None if no known name is similar."""
    if len(name) > _MAX_LETTERS:
        return None
    known = [other for other in known if len(other) <= _MAX_LETTERS]
    found = difflib.get_close_matches(name, known, n=1, cutoff=_MIN_SIMILARITY)
    return found[0] if found else None


def did_you_mean(name: str, known: Iterable[str], *, prefix: str = "", quote: str = "`") -> str:
    """Returns " Did you mean `x`?", with a leading space, or "" if no known name is similar to `name`.

    Args:
      name: As it was received.
      known: The valid names.
      prefix: Put before the suggested name, such as `--`.
      quote: Put around it: "`" for names, "'" for values.
    """
    near = nearest(name, known)
    return f" Did you mean {quote}{prefix}{near}{quote}?" if near else ""
