"""Runs a query and streams its rows as Arrow batches.

Without a connection, DuckDB runs the query over files. With one, the database runs it, and ADBC hands over its rows.
Both are imported on demand: they come with the extra `sql`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossnet.components.errors import DataError, PipelineError, SettingsError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.connections import DUCKDB, POSTGRESQL, SQLITE, Connection, open_connection
from crossnet.serving.protocol.printable import shown
from crossnet.serving.protocol.suggestions import did_you_mean, nearest

if TYPE_CHECKING:
    import pyarrow as pa

EXTRA = "pip install 'crossnet-pipeline[sql]'"
BATCH_ROWS = 1 << 14
_MAX_REASON = 300  # characters of what a database says
_NO_TABLE = (
    re.compile(r"Table with name (\S+) does not exist"),  # DuckDB
    re.compile(r"no such table: (\S+)"),  # SQLite
    re.compile(r'relation "([^"]+)" does not exist'),  # PostgreSQL
)
_NO_FILE = re.compile(r'No files found that match the pattern "([^"]+)"')
_TABLE_FILE = r"^[^.].*\.(csv|tsv|txt|parquet|pq|json|jsonl|ndjson)(\.gz|\.zst)?$"  # what DuckDB reads without more
_PREFIX = re.compile(r"^(?:[A-Z_]+: )?(?:\[\w+\] )?(?:Failed to prepare query: )?")  # of ADBC's drivers
# Texts, quoted names and comments: what stands in them is not a statement.
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_READS = ("select", "with", "values", "table")


def query_text(params: ExampleGenParams) -> str:
    """Returns the SQL of `params.query`, which may name a .sql file.

    Raises:
      SettingsError: The file cannot be read.
    """
    text = params.query.strip()
    if "\n" in text or not text.lower().endswith(".sql") or re.match(r"(select|with|from|values)\s", text, re.I):
        return text
    path = Path(params.query_folder) / Path(text).expanduser()
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        names = [file.name for file in path.parent.glob("*.sql")] if path.parent.is_dir() else []
        raise SettingsError(
            f"`example_gen.query` names `{path}`, which cannot be read: {reason}.{did_you_mean(path.name, names)} "
            "Name a file with one SELECT, or write the SELECT itself."
        ) from None


@contextmanager
def rows_of_query(params: ExampleGenParams, spill_dir: Path) -> Iterator[pa.RecordBatchReader]:
    """Runs the query of `params` and gives its rows in a stream.

    Args:
      params: Settings of the source `sql`.
      spill_dir: Where DuckDB may write what a sort does not hold in memory; an absolute path, as are all that the
        block uses: it may work in another folder.

    Raises:
      PipelineError: The extra `sql` is not installed.
      SettingsError: The query is not one SELECT, or the connection is not one that can be opened.
      DataError: The query fails, also while the block reads.
    """
    query, connection = query_text(params), open_connection(params)
    opened = _duckdb if connection.kind == DUCKDB else _adbc
    try:
        with opened(query, connection, params, spill_dir) as reader:
            names = reader.schema.names
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise DataError(
                    f"The query gives two columns that are called `{shown(twice)}`. Name one of them with AS in "
                    "`example_gen.query`."
                )
            yield reader
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] not in ("duckdb", "_duckdb", *connection.packages):
            raise
        package = error.name.replace("_", "-").strip("-")
        raise PipelineError(
            f"`example_gen.source` 'sql' needs {package}, which is not installed. Install it: {EXTRA}."
        ) from None


@contextmanager
def _duckdb(
    query: str, connection: Connection, params: ExampleGenParams, spill_dir: Path
) -> Iterator[pa.RecordBatchReader]:
    import duckdb
    import pyarrow as pa

    database = str(connection.path.absolute()) if connection.path else ":memory:"
    try:
        # DuckDB looks in the working directory before it looks in any folder that it is told.
        with _inside(params.query_folder), duckdb.connect(database, read_only=bool(connection.path)) as session:
            try:
                _prepare(session, spill_dir)
                statements = session.extract_statements(query)
                if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
                    raise _not_one_select(query)
                yield session.sql(query).to_arrow_reader(BATCH_ROWS)
            except (duckdb.Error, pa.ArrowException) as error:  # the second while rows are read
                if isinstance(error, OSError) and error.errno is not None:  # of our own disk
                    raise
                raise _failed(error, _tables_of_duckdb(session), params) from None
    except duckdb.Error as error:
        raise connection.refused(error) from None


@contextmanager
def _inside(folder: str) -> Iterator[None]:
    """Works in a folder, where one is named."""
    before = os.getcwd()
    try:
        os.chdir(folder or ".")
    except OSError as error:
        raise SettingsError(
            f"`example_gen.query_folder` is `{shown(folder, 300)}`, which is not a folder that can be opened: "
            f"{error.strerror}. Name the folder at which paths in `example_gen.query` begin."
        ) from None
    try:
        yield
    finally:
        os.chdir(before)


def _prepare(session: Any, spill_dir: Path) -> None:
    """Lets a query see files, and nothing of this process or of extensions that are not here."""
    session.execute("SET threads = 1")  # several give the groups of a GROUP BY in another order each time
    session.execute("SET python_enable_replacements = false")
    session.execute("SET autoinstall_known_extensions = false")
    session.execute(f"SET temp_directory = {_literal(str(spill_dir))}")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _tables_of_duckdb(session: Any) -> list[str]:
    return [row[0] for row in session.execute("SELECT table_name FROM duckdb_tables()").fetchall()]


@contextmanager
def _adbc(
    query: str, connection: Connection, params: ExampleGenParams, spill_dir: Path
) -> Iterator[pa.RecordBatchReader]:
    import adbc_driver_manager as manager
    import pyarrow as pa

    query = _one_select(query)
    try:
        session = connection.connect()
    except manager.Error as error:
        raise connection.refused(error) from None
    with session, session.cursor() as cursor:
        try:
            if connection.kind == POSTGRESQL:
                cursor.execute("SET TRANSACTION READ ONLY")
            if connection.kind == SQLITE:
                query = _cast(query, cursor)
            cursor.execute(query)
            yield cursor.fetch_record_batch()
        except (manager.Error, pa.ArrowException, OSError) as error:  # the latter two while rows are read
            if isinstance(error, OSError) and error.errno is not None:  # of our own disk
                raise
            session.rollback()
            raise _failed(connection.without_secrets(str(error)), connection.tables(cursor), params) from None


def _cast(query: str, cursor: Any) -> str:
    """Returns the query with casts where SQLite holds values of several types in a column.

    SQLite types values, not columns; the driver takes a column's type from its first rows and stops at another.
    """
    cursor.execute(query)
    names = [item[0] for item in cursor.description]
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    if len(set(names)) < len(names):
        return query
    kinds = {"integer": 1, "real": 2, "text": 4, "blob": 8}
    flags_of = (" + ".join(f"{bit} * max(typeof({name}) = '{kind}')" for kind, bit in kinds.items()) for name in quoted)
    cursor.execute(f"SELECT {', '.join(flags_of)} FROM (\n{query}\n)")
    found = cursor.fetchone() or [0] * len(names)
    selected = []
    for name, flags in zip(quoted, found, strict=True):
        has = {kind for kind, bit in kinds.items() if (flags or 0) & bit}
        wanted = "REAL" if has == {"integer", "real"} else "BLOB" if "blob" in has else "TEXT"
        selected.append(f"CAST({name} AS {wanted}) AS {name}" if len(has) > 1 else name)
    return query if selected == quoted else f"SELECT {', '.join(selected)} FROM (\n{query}\n)"


def _one_select(query: str) -> str:
    """Returns a query without what follows its end, after checking that it is one SELECT, as far as its words tell."""
    bare = _QUOTED.sub(lambda match: ("x" if match[0][0] in "'\"" else " ") * len(match[0]), query).rstrip("; \r\n\t")
    if ";" in bare or not bare.lstrip("( \r\n\t").lower().startswith(_READS):
        raise _not_one_select(query)
    return query[: len(bare)]


def _not_one_select(query: str) -> SettingsError:
    return SettingsError(
        f"`example_gen.query` is '{shown(query)}'. Expected one SELECT: nothing else is run. Write one SELECT, or name "
        "a .sql file that holds one."
    )


def _failed(error: object, tables: Iterable[str], params: ExampleGenParams) -> DataError:
    """Returns the sentence for a query that the database refused."""
    text = str(error)
    lines = re.split(r"\n(?:LINE |query: |Possible solutions)", text)[0].splitlines()
    reason = " ".join(line.strip() for line in lines if line.strip())
    reason = _PREFIX.sub("", re.sub(r"Did you mean .*?\?$", "", reason)).strip()
    near = ""
    if found := next((match for match in (pattern.search(text) for pattern in _NO_TABLE) if match), None):
        near = _near(found[1], tables, params)
    elif found := _NO_FILE.search(text):
        near = _near(found[1], [], params)
    end = "" if reason.endswith((".", "!", "?")) else "."
    return DataError(f"The query fails: {shown(reason, _MAX_REASON)}{end}{near} Fix `example_gen.query`.")


def _near(name: str, tables: Iterable[str], params: ExampleGenParams) -> str:
    """Returns, with a leading space, which table or file was meant, or which there are."""
    tables = sorted(tables)
    if tables:
        return did_you_mean(name, tables) or f" The tables are: {', '.join(f'`{shown(t)}`' for t in tables[:10])}."
    folder = Path(params.query_folder, name).parent
    files = sorted(file.name for file in folder.iterdir() if file.is_file()) if folder.is_dir() else []
    files = [file for file in files if re.search(_TABLE_FILE, file)]
    if near := nearest(Path(name).name, files):
        return f" Did you mean '{Path(name).parent / near}'? A file's name stands in quotes."
    return f" A file's name stands in quotes; `{shown(str(folder), 300)}` holds: {', '.join(files[:10]) or 'no files'}."
