import os
import sqlite3
import sys

import pyarrow as pa
import pytest

from crossnet.components.errors import DataError, PipelineError, SettingsError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.queries import query_text, rows_of_query

pytest.importorskip("duckdb", reason="the extra sql is not installed")
pytest.importorskip("adbc_driver_sqlite", reason="the extra sql is not installed")

DATABASE = "sqlite:///rides.db"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("queries")
    (folder / "rides.csv").write_text("fare,zone\n1.5,a\n2,b\n3.25,a\n")
    with sqlite3.connect(folder / "rides.db") as database:
        database.execute("CREATE TABLE rides (fare, zone, code)")
        database.executemany("INSERT INTO rides VALUES (?, ?, ?)", [(n, f"z{n % 3}", n) for n in range(3000)])
        database.execute("INSERT INTO rides VALUES (0.5, 'z', 'A7')")
    database.close()
    return folder


def read(folder, query, connection=""):
    params = ExampleGenParams(source="sql", query=query, connection=connection, query_folder=str(folder))
    with rows_of_query(params, folder / "spill") as reader:
        return pa.Table.from_batches(reader, reader.schema)


def test_duckdb_reads_files_below_the_querys_folder(folder):
    table = read(folder, "SELECT zone, sum(fare) AS fares FROM 'rides.csv' GROUP BY zone ORDER BY zone")
    assert table.to_pydict() == {"zone": ["a", "b"], "fares": [4.75, 2.0]}


def test_a_file_of_the_same_name_in_the_working_directory_is_not_read(folder, tmp_path, monkeypatch):
    elsewhere = tmp_path / "else, where"
    elsewhere.mkdir()
    for name in ("rides.csv", "other.csv"):
        (elsewhere / name).write_text("fare,zone\n99,z\n")
    monkeypatch.chdir(elsewhere)
    assert read(folder, "SELECT max(fare) AS fare FROM 'rides.csv'").to_pydict() == {"fare": [3.25]}
    assert read(folder, "SELECT max(fare) AS fare FROM '*.csv'").to_pydict() == {"fare": [3.25]}
    with pytest.raises(DataError, match="No files found"):
        read(folder, "SELECT * FROM 'other.csv'")
    assert os.getcwd() == str(elsewhere)
    monkeypatch.chdir(tmp_path)
    assert read(elsewhere, "SELECT max(fare) AS fare FROM 'rides.csv'").to_pydict() == {"fare": [99]}
    with pytest.raises(SettingsError, match="`example_gen.query_folder` is `.*nowhere`, which is not a folder"):
        read(folder / "nowhere", "SELECT 1")


def test_a_query_can_stand_in_a_file(folder):
    (folder / "of rides.sql").write_text("-- the rides\nSELECT fare FROM 'rides.csv';\n")
    assert read(folder, "of rides.sql").column_names == ["fare"]
    assert query_text(ExampleGenParams(query="select * from x.sql")) == "select * from x.sql"


def test_a_duckdb_file_is_read_and_not_written(folder):
    import duckdb

    with duckdb.connect(str(folder / "rides.duckdb")) as session:
        session.execute("CREATE TABLE rides AS SELECT 1 AS fare")
    assert read(folder, "SELECT * FROM rides", "duckdb:///rides.duckdb").to_pydict() == {"fare": [1]}


def test_sqlite_columns_of_several_types_are_read_whole_wherever_the_other_type_begins(folder):
    table = read(folder, "SELECT * FROM rides; -- all\n", DATABASE)
    assert [str(kind) for kind in table.schema.types] == ["double", "string", "string"]
    assert table.num_rows == 3001
    assert table.slice(2999).to_pydict() == {"fare": [2999.0, 0.5], "zone": ["z2", "z"], "code": ["2999", "A7"]}


def test_sqlite_keeps_the_order_that_a_query_asks_for(folder):
    fares = read(folder, "SELECT * FROM rides ORDER BY fare DESC", DATABASE).column("fare").to_pylist()
    assert fares == [*map(float, range(2999, 0, -1)), 0.5, 0.0]


@pytest.mark.parametrize("connection", ["", DATABASE])
@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM rides",
        "CREATE TABLE t (x INT)",
        "COPY (SELECT 1) TO 'copied.csv'",
        "SELECT 1; SELECT 2",
        "SELECT 1; DELETE FROM rides",
        "ATTACH 'other.db'",
        "-- nothing",
    ],
)
def test_what_is_not_one_select_is_not_run(folder, query, connection):
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(SettingsError, match=r"`example_gen.query` is '.*'. Expected one SELECT: nothing else is run."):
        read(folder, query, connection)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_semicolon_in_a_text_ends_nothing(folder):
    assert read(folder, "SELECT zone || ';--' AS z FROM rides LIMIT 1 ;", DATABASE).to_pydict() == {"z": ["z0;--"]}


@pytest.mark.parametrize(
    ("query", "connection", "sentence"),
    [
        ("SELECT x, FROM FROM", "", "The query fails: Parser Error: syntax error"),
        ("SELECT far FROM 'rides.csv'", "", 'Referenced column "far" not found .*"fare".* Fix `example_gen.query`.'),
        ("SELECT * FROM 'ridez.csv'", "", r"Did you mean 'rides.csv'\? A file's name stands in quotes."),
        ("SELECT * FROM rides", "", r"Did you mean 'rides.csv'\? A file's name stands in quotes."),
        ("SELECT * FROM 'sub/x.csv'", "", "The query fails: IO Error: No files found"),
        ("SELECT CAST(zone AS INT) FROM 'rides.csv'", "", "Could not convert string .a. to .?INT"),
        ("SELECT 1 AS a, 2 AS a", "", "gives two columns that are called `a`. Name one of them with AS"),
        ("SELECT * FROM ridez", DATABASE, "fails: no such table: ridez. Did you mean `rides`"),
        ("SELECT * FROM q", DATABASE, "no such table: q. The tables are: `rides`."),
        ("SELECT zones FROM rides", DATABASE, "no such column: zones. Fix `example_gen.query`."),
        ("SELECT fare, fare FROM rides", DATABASE, "gives two columns that are called `fare`"),
        ("WITH x AS (SELECT 1) DELETE FROM rides", DATABASE, "The query fails: "),
    ],
)
def test_a_query_that_fails_is_one_sentence(folder, query, connection, sentence):
    with pytest.raises(DataError, match=sentence):
        read(folder, query, connection)


def test_a_query_sees_no_variable_of_this_process(folder):
    rides = pa.table({"fare": [1.0]})
    with pytest.raises(DataError, match="Table with name table does not exist|Table with name rides does not exist"):
        read(folder, "SELECT * FROM rides")
    assert rides.num_rows == 1


def test_a_query_file_that_is_not_there_is_named_with_the_nearest(folder):
    (folder / "rides.sql").write_text("SELECT 1")
    with pytest.raises(SettingsError, match=r"`.*ride.sql`, which cannot be read: No such file.*mean `rides.sql`\?"):
        read(folder, "ride.sql")


@pytest.mark.parametrize(
    ("module", "connection", "package"),
    [("duckdb", "", "duckdb"), ("adbc_driver_sqlite", DATABASE, "adbc-driver-sqlite")],
)
def test_an_extra_that_is_not_installed_is_named_with_its_command(folder, monkeypatch, module, connection, package):
    monkeypatch.setitem(sys.modules, module, None)
    command = r"pip install 'crossnet-pipeline\[sql\]'"
    with pytest.raises(PipelineError, match=rf"needs {package}, which is not installed. Install it: {command}."):
        read(folder, "SELECT 1", connection)
