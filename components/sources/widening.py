"""Reads some columns of a source without losing the others."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from crossnet.components.sources.base import RetypedError, Source, SourceBatch, narrowed
from crossnet.components.sources.naming import NamedColumns


def read_narrowed(source: Source, names: Collection[str], unit: int) -> Iterator[SourceBatch]:
    """Yields the rows of a unit with at least the columns `names`, and few others.

    Raises:
      RetypedError: Columns need other types; its source has all columns again.
    """
    try:
        yield from narrowed(source, names).read(unit, unit + 1)
    except RetypedError as error:
        raise RetypedError(widened(error.source, source)) from None


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
