import os
import resource
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossnet.components.errors import DataError, SettingsError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources import snapshots
from crossnet.components.sources.snapshots import newest_snapshot, take_snapshot

pytest.importorskip("duckdb", reason="the extra sql is not installed")


@pytest.fixture
def source(tmp_path):
    """The folder of snapshots, and the settings of a query over rides.csv, which has two rows."""
    (tmp_path / "rides.csv").write_text("fare,zone\n1.5,a\n2,b\n")
    params = ExampleGenParams(source="sql", query="SELECT * FROM 'rides.csv'", query_folder=str(tmp_path))
    return tmp_path / "snapshots", params


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_equal_rows_are_one_file_and_other_rows_another(source, tmp_path):
    folder, params = source
    first = take_snapshot(folder, params)
    stood = os.stat(first.path)
    same = take_snapshot(folder, params)
    assert (first.is_new, same.is_new, same.rows) == (True, False, 2)
    assert same.path == first.path
    assert os.stat(first.path) == stood  # not written again
    assert same.taken_at > first.taken_at
    (tmp_path / "rides.csv").write_text("fare,zone\n1.5,a\n2,c\n")
    other = take_snapshot(folder, params)
    assert other.is_new
    assert newest_snapshot(folder, params).path == other.path
    assert pq.read_table(other.path).to_pydict() == {"fare": [1.5, 2.0], "zone": ["a", "c"]}
    (tmp_path / "rides.csv").write_text("fare,zone\n1.5,a\n2,b\n")
    assert take_snapshot(folder, params).path == first.path  # as before: the newest again
    assert newest_snapshot(folder, params).path == first.path


def test_a_snapshot_says_its_time_and_its_rows(source):
    folder, params = source
    taken = take_snapshot(folder, params)
    assert str(taken) == f"snapshot of {taken.taken_at[:10]} {taken.taken_at[11:16]} UTC, 2 rows"
    assert newest_snapshot(folder, ExampleGenParams(source="sql", query="SELECT 1")) is None


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("SELECT * FROM 'rides.csv' WHERE fare > 5", DataError),
        ("SELECT CAST(zone AS INT) FROM 'rides.csv'", DataError),
        ("DELETE FROM rides", SettingsError),
        ("SELECT INTERVAL 1 DAY AS span", DataError),
    ],
)
def test_a_query_that_fails_leaves_what_was_there(source, query, error):
    folder, params = source
    take_snapshot(folder, params)
    before = files(folder)
    with pytest.raises(error):
        take_snapshot(folder, ExampleGenParams(source="sql", query=query, query_folder=params.query_folder))
    assert files(folder) == before
    assert len(list(folder.iterdir())) == 1


def test_no_rows_and_types_that_cannot_be_kept_are_named(source):
    folder, _ = source
    with pytest.raises(DataError, match="The query gives no rows. Expected at least two."):
        take_snapshot(folder, ExampleGenParams(source="sql", query="SELECT 1 AS x LIMIT 0"))
    with pytest.raises(DataError, match="column `span` is of type month_day_nano_interval, which cannot be kept"):
        take_snapshot(folder, ExampleGenParams(source="sql", query="SELECT INTERVAL 1 DAY AS span"))


def test_the_bytes_do_not_depend_on_how_rows_come_in_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshots, "_MAX_GROUP_ROWS", 64)
    table = pa.table({"n": range(1000), "t": [None if n % 7 == 0 else f"text {n}" for n in range(1000)]})
    written = set()
    for size in (1, 63, 64, 65, 1000):
        path = tmp_path / str(size)
        assert snapshots._write_rows(path, table.to_reader(size)) == 1000
        assert pq.read_table(path).equals(table)
        written.add(path.read_bytes())
    assert len(written) == 1
    assert pq.ParquetFile(tmp_path / "1").num_row_groups == 16


def test_a_damaged_snapshot_is_taken_again(source):
    folder, params = source
    taken = take_snapshot(folder, params)
    good = taken.path.read_bytes()
    taken.path.write_bytes(b"x" + good[1:])
    assert take_snapshot(folder, params).path.read_bytes() == good
    taken.path.with_name("snapshot.json").write_text("{")
    assert newest_snapshot(folder, params) is None


def test_what_a_killed_process_left_is_removed(source):
    folder, params = source
    parent = take_snapshot(folder, params).path.parent.parent
    for query in (parent, folder / "other"):
        (query / ".tmp-999999999").mkdir(parents=True)
        (query / ".tmp-999999999" / "query_rows.parquet").touch()
    take_snapshot(folder, params)
    assert list(folder.rglob(".*")) == []


def test_numbers_that_postgresql_gives_as_text_are_kept_as_numbers(tmp_path):
    field = pa.field("fare", pa.string(), metadata={"ADBC:postgresql:typname": "numeric"})
    table = pa.table([["1.25", None]], schema=pa.schema([field]))
    snapshots._write_rows(tmp_path / "rows", table.to_reader())
    assert pq.read_table(tmp_path / "rows").to_pydict() == {"fare": [1.25, None]}


FILES = (snapshots.ROWS_FILE, snapshots.FACTS_FILE)
LONG = "SELECT i, hash(i) AS h FROM range(1000000000) t(i)"
TAKE = (
    "import signal, sys; from pathlib import Path\n"
    "from crossnet.components import interrupts\n"
    "from crossnet.components.params.example_gen import ExampleGenParams\n"
    "from crossnet.components.sources.snapshots import take_snapshot\n"
    "from support.limits import files_of_at_most\n"
    "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell has commands in the background ignore it
    "folder, size, query = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]\n"
    "with interrupts.noticed(), files_of_at_most(size):\n"
    "    take_snapshot(folder, ExampleGenParams(source='sql', query=query, query_folder=str(folder.parent)))\n"
)


def taking(folder, size=resource.RLIM_INFINITY, query=LONG):
    """A process that takes a snapshot."""
    command = [sys.executable, "-c", TAKE, str(folder), str(size), query]
    path = os.pathsep.join(sys.path)
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_leaves_nothing_and_the_snapshot_before_it(source, number):
    folder, params = source
    before = take_snapshot(folder, params)
    with taking(folder) as process:
        begun = until(lambda: any(path.stat().st_size for path in folder.glob("*/.tmp-*/*.parquet")), process)
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
    assert begun, said
    assert process.returncode
    assert "Interrupted" in said
    assert files(folder) == [f"{before.path.parent.relative_to(folder)}/{name}" for name in sorted(FILES)]
    assert newest_snapshot(folder, params).path == before.path
    assert not take_snapshot(folder, params).is_new


def test_a_full_disk_in_the_middle_leaves_nothing_and_the_next_run_goes_on(source):
    folder, params = source
    before = take_snapshot(folder, params)
    query = LONG.replace("1000000000", "300000")
    with taking(folder, 100_000, query) as process:
        said = process.communicate(timeout=60)[1]
    assert process.returncode
    assert "File too large" in said
    assert files(folder) == [f"{before.path.parent.relative_to(folder)}/{name}" for name in sorted(FILES)]
    with taking(folder, query=query) as process:
        assert process.wait(timeout=60) == 0
    assert len(files(folder)) == 4


def until(happens, process):
    """Waits until something happens or the process ends; returns whether it did."""
    while process.poll() is None:
        if happens():
            return True
        time.sleep(0.01)
    return False
