"""Joins the types that a column has in several files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from crossnet.components.errors import DataError
from crossnet.components.sources.arrow_values import family, feature_kind
from crossnet.components.sources.base import file_label
from crossnet.components.sources.doubts import Doubt, toml_text
from crossnet.components.sources.naming import NamedColumns
from crossnet.serving.protocol.printable import shown

_MAX_LISTED = 20


class NestedColumnsError(DataError):
    """Columns have types that a record cannot hold, such as objects of JSON.

    Attributes:
      columns: Their types by name.
    """

    def __init__(self, file: str, columns: Mapping[str, str]) -> None:
        each = [f"`{shown(name)}` ({shown(kind, 100)})" for name, kind in list(columns.items())[:_MAX_LISTED]]
        more = f" and {len(columns) - len(each):,} more" if len(columns) > len(each) else ""
        super().__init__(
            f"`{file}` has columns of types that a record cannot hold: {', '.join(each)}{more}. Expected numbers, "
            "text, booleans, times or lists of these; name the others in `example_gen.exclude`, or write their parts "
            "as columns."
        )
        self.columns = columns


def meanings_of(schemas: Sequence[pa.Schema], names: Sequence[str]) -> dict[str, str]:
    """Returns what columns of numbers stand for, where they do so in all files.

    That is "time" (with its date), "duration" (also a time of day) or "truth".
    """
    tests = {
        "time": lambda kind: pa.types.is_timestamp(kind) or pa.types.is_date(kind),
        "duration": lambda kind: pa.types.is_duration(kind) or pa.types.is_time(kind),
        "truth": pa.types.is_boolean,
    }
    return {
        name: meaning
        for name in names
        for meaning, test in tests.items()
        if all(test(_value_type(schema.field(name).type)) for schema in schemas)
    }


def _value_type(arrow_type: Any) -> Any:
    return arrow_type.value_type if pa.types.is_dictionary(arrow_type) else arrow_type


def joined_kind(source: str, kinds: set[str], named: NamedColumns) -> str:
    """Returns the type in which a column is written whose files have `kinds`; none of them: nothing but holes."""
    if source == named.label:
        return "FLOAT"
    if source in named.text:
        return "BYTES"
    if not kinds or "BYTES" in kinds:
        return "FLOAT" if source in named.numeric else "INT" if source in named.integer and kinds else "BYTES"
    return "FLOAT" if "FLOAT" in kinds and source not in named.integer else "INT"


def is_null(arrow_type: Any) -> bool:
    """Returns whether a column has no value, so that it goes with any type."""
    return family(arrow_type) == "nothing"


def differing_types(
    source: str, each: Sequence[Any], files: Sequence[Path], kind: str, named: NamedColumns
) -> list[Doubt]:
    """Returns the doubt about a column whose files have differing types, which are read as one.

    Raises:
      DataError: They cannot be read as one.
    """
    found: dict[str, str] = {}
    for arrow_type, path in zip(each, files, strict=True):
        if not is_null(arrow_type):
            found.setdefault(str(arrow_type), f"{arrow_type} in `{file_label(path, files)}`")
    families = {family(arrow_type) for arrow_type in each} - {"nothing"}
    apart = len(families) > 1 and (
        not families <= {"numbers", "text", "moments", "durations", "times of day"}
        or (kind != "BYTES" and families != {"numbers", "text"})
    )
    words = " and ".join(found.values())
    if apart:
        raise DataError(
            f"`{source}` is {words}: these have no type in common. Write it with one type, or name it in "
            "`example_gen.exclude`."
        )
    alike = len(families) == 1 and len({_kind(arrow_type) for arrow_type in each if not is_null(arrow_type)}) == 1
    if alike or source in named.text or source in named.numeric:
        return []
    reading = {"FLOAT": "numbers (float32)", "INT": "whole numbers", "BYTES": "text"}[kind]
    setting = "" if source == named.label else f"{'numeric' if kind == 'BYTES' else 'text'} = [{toml_text(source)}]"
    return [Doubt(source, f"is {words}, and is read as {reading}", setting)]


def _kind(arrow_type: Any) -> str | None:
    """Returns how a column is read: types of one kind hold the same values, so that nothing is doubtful."""
    return "truth" if pa.types.is_boolean(_value_type(arrow_type)) else feature_kind(arrow_type)
