import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest

from crossnet.components.errors import DataError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.queries import rows_of_query

pytest.importorskip("adbc_driver_postgresql", reason="the extra sql is not installed")

PASSWORD = "pa ss@word"
ROWS = """
CREATE TABLE rides AS SELECT n, n * 1.25 AS fare, n % 2 = 0 AS paid, 'z' || n % 3 AS zone, DATE '2026-01-01' + n AS day,
    n / 4.0::double precision AS km FROM generate_series(0, 9999) AS n
"""


def _programs():
    folders = [*map(str, Path("/usr/lib/postgresql").glob("*/bin")), *os.environ["PATH"].split(os.pathsep)]
    return [shutil.which(name, path=os.pathsep.join(folders)) for name in ("initdb", "pg_ctl", "psql")]


@pytest.fixture(scope="module")
def server():
    """The port of a PostgreSQL server of this module's own, with a table of rides."""
    initdb, pg_ctl, psql = _programs()
    if not (initdb and pg_ctl and psql):
        pytest.skip("PostgreSQL is not installed on this machine")
    user = {}
    if os.getuid() == 0:  # its server does not run as root
        try:
            account = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("the user postgres does not exist, and PostgreSQL does not run as root")
        user = {"user": account.pw_uid, "group": account.pw_gid}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp())  # not in pytest's, which is closed to other users
    if user:
        os.chown(folder, user["user"], user["group"])
    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o644)

    def call(*command):
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(command, check=True, cwd=folder, timeout=60, **silent, **user)

    data = folder / "data"
    call(initdb, "-D", data, "-A", "scram-sha-256", "--pwfile", folder / "password", "-U", "rider", "--no-sync")
    call(pg_ctl, "-D", data, "-o", f"-p {port} -k {folder} -h 127.0.0.1 -F", "-l", folder / "log", "-w", "start")
    try:
        environment = {**os.environ, "PGPASSWORD": PASSWORD}
        table = [psql, "-h", "127.0.0.1", "-p", str(port), "-U", "rider", "-q", "-c", ROWS, "postgres"]
        subprocess.run(table, check=True, env=environment, timeout=60)
        yield port
    finally:
        call(pg_ctl, "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture
def read(server, tmp_path, monkeypatch):
    """A function that returns what a query gives."""
    monkeypatch.setenv("RIDES_PASSWORD", PASSWORD)

    def read(query, user="rider"):
        address = f"postgresql://{user}:${{RIDES_PASSWORD}}@127.0.0.1:{server}/postgres"
        params = ExampleGenParams(source="sql", query=query, connection=address)
        with rows_of_query(params, tmp_path) as reader:
            return pa.Table.from_batches(reader, reader.schema)

    return read


@pytest.mark.slow
def test_rows_of_postgresql_are_read(read):
    table = read("SELECT n, km, paid, zone, day FROM rides ORDER BY n DESC;")
    assert table.num_rows == 10_000
    assert [str(kind) for kind in table.schema.types] == ["int32", "double", "bool", "string", "date32[day]"]
    assert table.slice(9999).to_pylist()[0] | {"day": ""} == {"n": 0, "km": 0, "paid": True, "zone": "z0", "day": ""}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("SELECT * FROM ridez", r'relation "ridez" does not exist. Did you mean `rides`\?'),
        ("SELECT fair FROM rides", 'column "fair" does not exist'),
        ("WITH gone AS (DELETE FROM rides RETURNING n) SELECT * FROM gone", "in a read-only transaction"),
        ("SELECT 1 / (n - 5000) FROM rides ORDER BY n", "division by zero"),
    ],
)
def test_a_query_that_postgresql_refuses_is_one_sentence(read, query, sentence):
    with pytest.raises(DataError, match=sentence):
        read(query)
    assert read("SELECT count(*) AS n FROM rides").to_pydict() == {"n": [10_000]}


@pytest.mark.slow
def test_a_user_whom_postgresql_does_not_let_in_is_told_without_the_password(read):
    with pytest.raises(DataError, match="cannot be opened within 10 s: .*password authentication failed") as caught:
        read("SELECT 1", user="stranger")
    assert "word" not in str(caught.value).replace("password authentication", "")
