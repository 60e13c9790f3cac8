"""Gives a source that was read in part its other columns back."""

from __future__ import annotations

from dataclasses import replace

from crossnet.components.sources.base import NamedColumns, Source


def widened(source: Source, whole: Source) -> Source:
    """Returns a source with all columns of `whole`.

    Args:
      source: What is to be read instead of `whole`, which was narrowed to some of its columns when that was found.
      whole: As it was before.
    """
    named, before = getattr(source, "named", None), getattr(whole, "named", None)
    if not isinstance(named, NamedColumns) or not isinstance(before, NamedColumns) or {*named.names} - {*before.names}:
        return source  # planned anew, with columns that `whole` does not have
    return replace(source, named=before)  # type: ignore[type-var]  # the sources are dataclasses
