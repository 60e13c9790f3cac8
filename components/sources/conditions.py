"""Checks a condition in SQL, and evaluates it batch by batch.

DuckDB evaluates it (the extra `sql`). Whether a row is kept depends on that row alone: what looks at other rows, at the
time or at chance is refused, so that neither the cuts between batches nor the day of a run change what is kept.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crossnet.components.errors import PipelineError, SettingsError
from crossnet.components.sources.base import Source, batch_names, meanings
from crossnet.components.sources.naming import spelled
from crossnet.serving.protocol.printable import shown

EXTRA = "pip install 'crossnet-pipeline[sql]'"
TIME, TRUTH = "time", "truth"  # what a column of numbers means in its source
_LOOKS = {"SUBQUERY": "a subquery", "WINDOW": "a window function", "STAR": "`*`", "LAMBDA": "a lambda"}
_USABLE = {
    *("COLUMN_REF", "CONSTANT", "FUNCTION", "COMPARISON", "CONJUNCTION", "CAST", "CASE", "OPERATOR", "BETWEEN"),
    *("COLLATE", "TYPE"),
}


class BadRowError(Exception):
    """A condition cannot be evaluated for a row.

    Attributes:
      row: Its index in the batch.
      reason: What DuckDB says.
    """

    def __init__(self, row: int, reason: str):
        super().__init__(row, reason)
        self.row = row
        self.reason = reason


@dataclass(frozen=True)
class Condition:
    """A condition on the columns of a batch.

    Attributes:
      text: SQL.
      columns: The column in a batch by the name in the condition.
      meanings: TIME or TRUTH by the name in the condition, for numbers that stand for these.
    """

    text: str
    columns: Mapping[str, str]
    meanings: Mapping[str, str] = field(default_factory=dict)

    def holds(self, rows: pa.RecordBatch) -> NDArray[np.bool_]:
        """Returns bool (rows,): for which rows the condition is true; unknown, as with a missing value, is not true.

        Raises:
          SettingsError: The condition does not fit the columns' types.
          BadRowError: It cannot be evaluated for a row.
        """
        import duckdb

        arrays = [_meant(rows.column(column), self.meanings.get(name, "")) for name, column in self.columns.items()]
        table = pa.table([*arrays, pa.nulls(rows.num_rows, pa.bool_())], names=[*self.columns, _filler(self.columns)])
        try:
            return self._evaluate(table)
        except (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException) as error:
            missing = [pa.nulls(1, field.type) for field in table.schema]
            if self._fails(
                pa.table(missing, schema=table.schema)
            ):  # a constant of the condition, whatever the rows are
                raise self._unfit(error) from None
            raise BadRowError(self._first_bad(table), _reason(error)) from None
        except duckdb.Error as error:
            raise self._unfit(error) from None

    def _evaluate(self, table: pa.Table) -> NDArray[np.bool_]:
        relation = _session().from_arrow(table).project(f"(\n{self.text}\n) AS kept")
        if (found := str(relation.types[0])) != "BOOLEAN":
            raise SettingsError(
                f"`example_gen.where` is '{shown(self.text, 200)}', which gives {found}. Expected a condition that is "
                "true or false, such as fare > 0."
            )
        kept = relation.to_arrow_table().column(0).combine_chunks()
        return np.asarray(kept.fill_null(False).to_numpy(zero_copy_only=False), bool)

    def _first_bad(self, table: pa.Table) -> int:
        """Returns the first row for which the evaluation fails, by halving."""
        low, high = 0, table.num_rows  # it fails in rows [low, high)
        while high - low > 1:
            middle = (low + high) // 2
            if self._fails(table.slice(low, middle - low)):
                high = middle
            else:
                low = middle
        return low

    def _fails(self, table: pa.Table) -> bool:
        import duckdb

        try:
            self._evaluate(table)
        except duckdb.Error:
            return True
        return False

    def _unfit(self, error: Exception) -> SettingsError:
        return SettingsError(
            f"`example_gen.where` is '{shown(self.text, 200)}': {_reason(error)}. Fix the condition; a name with other "
            'characters than letters, digits and _ stands in double quotes ("), a text in single ones.'
        )


def condition_of(source: Source, text: str) -> Condition | None:
    """Returns the condition on the batches of a source; None for "".

    Raises:
      SettingsError: It does not parse, or names columns that SQL does not tell apart.
    """
    if not text:
        return None
    names = batch_names(source)
    sources = {column.name: column.source_name for column in source.columns}
    columns: dict[str, str] = {}
    for name in condition_columns(text):
        column = names[spelled(name, names)]
        alike = next((other for other in columns if other.casefold() == name.casefold()), None)
        if alike is None:
            columns[name] = column
        elif columns[alike] != column:
            raise _refused(text, f"`{shown(alike)}` and `{shown(name)}`, which SQL does not tell apart")
    known = meanings(source)
    meant = {name: known[sources[column]] for name, column in columns.items() if sources[column] in known}
    return Condition(text, columns, meant)


def condition_columns(text: str) -> tuple[str, ...]:
    """Returns the columns that a condition names, as it names them.

    Raises:
      PipelineError: The extra `sql` is not installed.
      SettingsError: It does not parse, or looks at more than one row, the time or chance.
    """
    tree = _parsed(text)
    names: dict[str, None] = {}
    for node in _nodes(tree):
        kind = node["class"]
        if kind not in _USABLE:
            raise _refused(text, _LOOKS.get(kind, f"what DuckDB calls {kind.lower()}"))
        if kind == "COLUMN_REF":
            path = node["column_names"]
            if len(path) > 1:
                raise _refused(text, f"`{shown('.'.join(path))}`, a name with a dot; name the column alone")
            names[path[0]] = None
        elif kind == "FUNCTION" and (why := _why_not(node["function_name"])):
            raise _refused(text, f"`{shown(node['function_name'])}`, {why}")
    return tuple(names)


def _refused(text: str, what: str) -> SettingsError:
    return SettingsError(
        f"`example_gen.where` is '{shown(text, 200)}', which uses {what}. Expected a condition on the columns of one "
        'row, such as fare > 0 AND zone IS NOT NULL. For more, use `source = "sql"`.'
    )


def _parsed(text: str) -> dict[str, Any]:
    """Returns DuckDB's tree of a condition."""
    try:
        session = _session()
    except ImportError:
        raise PipelineError(f"`example_gen.where` needs duckdb, which is not installed. Install it: {EXTRA}.") from None
    statement = f"SELECT (\n{text}\n) FROM rows"
    answer = json.loads(session.execute("SELECT json_serialize_sql(?)", [statement]).fetchall()[0][0])
    message = answer.get("error_message", "it is more than one condition")
    if not answer["error"] and len(answer["statements"]) == 1:
        node = answer["statements"][0]["node"]
        plain = node["type"] == "SELECT_NODE" and node["from_table"].get("table_name") == "rows"
        clauses = ("where_clause", "group_expressions", "having", "qualify", "sample", "modifiers")
        if plain and len(node["select_list"]) == 1 and not any(node.get(clause) for clause in clauses):
            tree: dict[str, Any] = node["select_list"][0]
            return tree
    raise SettingsError(
        f"`example_gen.where` is '{shown(text, 200)}', which does not parse: {shown(message, 200)}. Expected a "
        "condition in SQL, such as fare > 0 AND zone IS NOT NULL; a column that is called like a word of SQL stands in "
        'double quotes (").'
    )


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        if "class" in tree:
            yield tree
        for value in tree.values():
            yield from _nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value)


@functools.cache
def _why_not(function: str) -> str:
    """Returns why a function cannot stand in a condition; "" where it can."""
    listing = "SELECT function_type, stability, macro_definition FROM duckdb_functions() WHERE lower(function_name) = ?"
    found = _session().execute(listing, [function.lower()]).fetchall()
    if not found:
        return "which DuckDB does not know"
    kinds, stabilities = {kind for kind, _, _ in found}, {stability for _, stability, _ in found}
    if "scalar" in kinds:
        if "VOLATILE" in stabilities:
            return "which gives another value each time"
        # Several functions of one name, as for dates, are such where a time zone is meant, which is UTC here.
        is_of_a_run = stabilities == {"CONSISTENT_WITHIN_QUERY"} or function.lower() == "age"
        return "which gives another value in each run" if is_of_a_run else ""
    if kinds == {"macro"}:
        return (
            "" if all(_is_of_one_row(definition) for _, _, definition in found) else "which looks at more than one row"
        )
    return f"a function of the kind {sorted(kinds)[0]}, not of one row"


def _is_of_one_row(macro: str) -> bool:
    """Whether DuckDB's definition of a macro looks at its arguments alone."""
    try:
        condition_columns(macro)
    except SettingsError:
        return False
    return "current_" not in macro


@functools.cache
def _session() -> Any:
    """Returns this process's DuckDB, which sees no variable, file or extension."""
    import duckdb

    session = duckdb.connect(":memory:")
    for setting in (
        "threads = 1",  # rows come back in their order; several processes share out the source's units
        "python_enable_replacements = false",
        "autoinstall_known_extensions = false",
        "enable_external_access = false",
        "TimeZone = 'UTC'",
    ):
        session.execute(f"SET {setting}")
    return session


def _filler(taken: Mapping[str, str]) -> str:
    """Returns a name that no column has: a batch has a column where a condition names none."""
    return "_" * (1 + max((len(name) for name in taken), default=0))


def _meant(array: pa.Array, meaning: str) -> pa.Array:
    """Returns a column for DuckDB: text instead of bytes; times and truth instead of numbers that stand for them.

    Raises:
      BadRowError: Bytes are not text.
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
        kind = pa.string() if pa.types.is_binary(array.type) else pa.large_string()
        try:
            return array.cast(kind)
        except pa.ArrowInvalid:
            raise BadRowError(_first_not_text(array), "a column that it names holds bytes, not text in UTF-8") from None
    if meaning == TRUTH:
        return array.cast(pa.bool_())
    if meaning.startswith(TIME) and pa.types.is_integer(array.type):
        return array.cast(pa.timestamp(meaning.partition(":")[2] or "s"))
    if meaning == TIME and pa.types.is_floating(array.type):
        microseconds = pc.round(pc.multiply(array.cast(pa.float64()), 1e6))
        return microseconds.cast(pa.int64()).cast(pa.timestamp("us"))
    return array


def _first_not_text(array: pa.Array) -> int:
    for row, value in enumerate(array):
        try:
            (value.as_py() or b"").decode()
        except UnicodeDecodeError:
            return row
    return 0


def _reason(error: Exception) -> str:
    lines = str(error).split("\nLINE ")[0].splitlines()
    return shown(" ".join(line.strip() for line in lines if line.strip()).rstrip(".!"), 200)
