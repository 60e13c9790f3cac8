"""Names the columns of a source and finds those that settings name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from crossnet.components.errors import DataError, SettingsError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.renames import problems_of_renames
from crossnet.serving.protocol.header_names import (
    feature_names,
    listed_columns,
    repeated_headers,
    shared_names,
    spellings,
)
from crossnet.serving.protocol.printable import listed, shown
from crossnet.serving.protocol.suggestions import did_you_mean

FORCING = ("numeric", "text", "integer", "boolean", "date_format")  # settings that name columns by their type
MAX_NAME = 1000  # characters


class NoLabelError(DataError):
    """The label that the settings name is not a column.

    Attributes:
      columns: The columns that there are, as the source names them.
    """

    def __init__(self, message: str, columns: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.columns = tuple(columns)


class NamedColumns(NamedTuple):
    """The columns of a source, named and used as the settings say.

    Attributes:
      names: The feature's name by source name, for every column that is written or that a condition needs.
      label: Source name of the label.
      numeric, text: Source names of columns that are forced to a type.
      key: Source name of the split column, or "".
      row: Source names of the columns whose cells tell a row from others, whether or not they are written: all of
        them, or none where no rule asks for them.
      unwritten: Names of features that are read for a condition alone.
      integer, boolean: Source names of columns that are forced to another type.
      null_text: Source names of columns in whose text words for nothing are missing.
      dates: Source name and form of the columns whose form of dates is given.
      units: Source name and unit of the columns of times whose unit is given.
      exact: Source names of the columns that a condition names, and of weights: seen as the source has them.
      clock: Source names of the columns of times of day.
      weight, group: Source names of the columns of weights and of what rows belong to, or "".
    """

    names: dict[str, str]
    label: str
    numeric: frozenset[str]
    text: frozenset[str]
    key: str
    row: tuple[str, ...] = ()
    unwritten: tuple[str, ...] = ()
    integer: frozenset[str] = frozenset()
    boolean: frozenset[str] = frozenset()
    dates: tuple[tuple[str, str], ...] = ()
    units: tuple[tuple[str, str], ...] = ()
    exact: frozenset[str] = frozenset()
    weight: str = ""
    group: str = ""
    null_text: frozenset[str] = frozenset()
    clock: frozenset[str] = frozenset()

    def remedy(self, source: str, fix: str) -> str:
        """Returns what a user can do about a value of a column that does not have its type.

        Args:
          source: The column.
          fix: What to do about the value itself, such as "Fix the cell".
        """
        if source == self.weight:
            return f"{fix}, or name another column, of numbers of at least 0, in `example_gen.weight`."
        if source == self.label:
            return f"{fix}."
        return f"{fix}, or name the column in `example_gen.text` or `example_gen.exclude`."


def name_columns(header: Sequence[str], params: ExampleGenParams, where: str) -> NamedColumns:
    """Returns how the columns of `header` are named and used; settings may use either spelling.

    Args:
      where: The header's place for messages, such as "rides.csv:1".

    Raises:
      DataError: Two columns have the same name, or a name is too long.
      NoLabelError: The label is not a column.
      SettingsError: Settings name columns that do not exist; all of them are listed.
    """
    if long := next((name for name in header if len(name) > MAX_NAME), None):
        raise DataError(
            f"`{where}` has a column whose name has {len(long):,} characters and begins `{shown(long)}`. A name has at "
            f"most {MAX_NAME:,}. Is the first line the header? Rename the column."
        )
    names, problems = _names_of(header, params, where)
    spelling = spellings(header, params.rename)

    def resolve(setting: str, names: Iterable[str]) -> frozenset[str]:
        for name in names:
            if name not in spelling:
                near = did_you_mean(name, spelling)
                problems.append(f"`example_gen.{setting}` names `{shown(name)}`, which is not a column.{near}")
        return frozenset(spelling[name] for name in names if name in spelling)

    given = ("exclude", "clock", "clock_seconds", *FORCING)
    exclude, clock, seconds, *forced = (resolve(name, getattr(params, name)) for name in given)
    _, null_text = (resolve(name, getattr(params, name)) for name in ("time_unit", "null_text"))
    extras = ((name, getattr(params, name)) for name in ("weight", "group", "split_column"))
    weight, group, key = (next(iter(resolve(name, [given] if given else [])), "") for name, given in extras)
    key = key or (group if params.rule == "key" else "")
    group = group or (key if params.split == "key" and key in exclude else "")
    exclude -= {weight, group} - {""}  # kept, though not as features
    needed = resolve("where", _columns_of_condition(params.where, spelling)) if params.where else frozenset()
    there = f"The columns of `{where}` are: {listed_columns(header)}."
    if params.label not in spelling:
        missing = f"`{where}` has no column `{params.label}`, the label.{did_you_mean(params.label, spelling)}"
        message = " ".join([missing, *problems, there, "Name the label in `example_gen.label`."])
        raise NoLabelError(message, header)
    label = spelling[params.label]
    if label in exclude:
        problems.append(f"`example_gen.exclude` names `{params.label}`, which is the label.")
    if label in forced[FORCING.index("text")]:
        problems.append(f"`example_gen.text` names `{params.label}`, the label, which must be a number.")
    problems += _problems_of_extras(weight, group, label, forced[FORCING.index("text")])
    for (one, first), (other, second) in combinations(zip(FORCING, forced, strict=True), 2):
        if both := first & second:
            problems.append(f"`example_gen.{one}` and `example_gen.{other}` both name {listed(sorted(both))}.")
    if problems:
        raise SettingsError(" ".join([*problems, there]))
    read = {source: name for source, name in zip(header, names, strict=True) if source not in exclude - needed}
    unwritten = tuple(read[source] for source in read if source in exclude)
    numeric, text, integer, boolean, _ = forced
    numeric |= {weight} - text - integer - boolean - {""}
    dates = tuple((spelling[name], form) for name, form in params.date_format.items())
    units = tuple((spelling[name], unit) for name, unit in params.time_unit.items() if spelling[name] in read)
    row, exact = tuple(header) if params.hashes_rows else (), needed | ({weight} - {""})
    extra = (exact, weight, group, null_text, clock | seconds)
    return NamedColumns(read, label, numeric, text, key, row, unwritten, integer, boolean, dates, units, *extra)


def _names_of(header: Sequence[str], params: ExampleGenParams, where: str) -> tuple[list[str], list[str]]:
    """Returns the feature's name for each column, and what is wrong with `rename`.

    Raises:
      DataError: Two columns have the same name.
    """
    if problem := repeated_headers(header, f"`{where}`"):
        raise DataError(problem)
    names, problems = feature_names(header, params.rename), problems_of_renames(header, params.rename)
    if not problems and (problem := shared_names(header, names, f"`{where}`")):
        raise DataError(f"{problem} Or give one of them another name in `example_gen.rename`.")
    return names, problems


def _problems_of_extras(weight: str, group: str, label: str, text: Collection[str]) -> Iterator[str]:
    """Yields why the columns of weights and groups cannot be those."""
    for name, column in (("weight", weight), ("group", group)):
        if column and column == label:
            yield f"`example_gen.{name}` names `{column}`, which is the label."
    if weight and weight == group:
        yield f"`example_gen.weight` and `example_gen.group` both name `{weight}`."
    if weight in text:
        yield f"`example_gen.weight` names `{weight}`, which `example_gen.text` names too."


def _columns_of_condition(text: str, spelling: Mapping[str, str]) -> list[str]:
    """Returns the columns that a condition names, as they are spelled: SQL does not tell capitals from others."""
    from crossnet.components.sources.conditions import condition_columns  # DuckDB, only where there is a condition

    return [spelled(name, spelling) for name in condition_columns(text)]


def spelled(name: str, spelling: Iterable[str]) -> str:
    """Returns the one name that differs from `name` in capitals alone, if any; else `name`."""
    alike = [other for other in spelling if other.casefold() == name.casefold()]
    return name if name in alike or len(alike) != 1 else alike[0]
