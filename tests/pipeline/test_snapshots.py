import json
import re

import pytest

from crossnet.components.errors import DataError
from crossnet.pipeline.config import load_config
from crossnet.pipeline.gc import collect_garbage
from crossnet.pipeline.plan import make_plan
from crossnet.pipeline.runner import run_pipeline
from crossnet.pipeline.snapshots import newest, taken
from crossnet.pipeline.store import Store

pytest.importorskip("duckdb", reason="the extra sql is not installed")


def write_rows(path, rows):
    path.write_text("fare,zone\n" + "".join(f"{n},z{n % 3}\n" for n in range(rows)))


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The settings of a config file in a folder that is not the working directory."""
    monkeypatch.chdir("/")
    write_rows(tmp_path / "rides.csv", 100)
    (tmp_path / "rides.toml").write_text(
        '[example_gen]\nsource = "sql"\nlabel = "fare"\nquery = "SELECT * FROM \'rides.csv\'"\n'
    )
    return load_config(tmp_path / "rides.toml")


def run(config, root):
    return run_pipeline(config, root, until="example_gen")


def test_a_run_reads_the_rows_of_now_and_has_nothing_to_do_where_they_are_the_same(config, tmp_path):
    root = tmp_path / "root"
    first = run(config, root)
    assert (first.exit_code, first.artifacts["example_gen"].counts) == (0, {"eval": 10, "train": 90})
    again = run(config, root)
    assert again.up_to_date
    assert again.run == first.run
    write_rows(tmp_path / "rides.csv", 50)
    assert run(config, root).artifacts["example_gen"].counts == {"eval": 5, "train": 45}


def test_a_plan_takes_the_last_snapshot_and_changes_nothing(config, tmp_path):
    root = tmp_path / "root"
    with pytest.raises(DataError, match="No snapshot of the rows of `example_gen.query` exists yet. `crossnet run`"):
        make_plan(config, Store(root))
    assert not root.exists()
    run(config, root)
    before = sorted(root.rglob("*"))
    write_rows(tmp_path / "rides.csv", 50)
    assert all(step.done for step in make_plan(config, Store(root), until="example_gen").values())
    assert sorted(root.rglob("*")) == before


def test_a_query_that_is_written_in_another_way_changes_nothing_where_its_rows_are_the_same(config, tmp_path):
    root = tmp_path / "root"
    first = run(config, root)
    other = load_config(tmp_path / "rides.toml", ["example_gen.query=FROM 'rides.csv'"])
    assert run(other, root).artifacts["example_gen"].path == first.artifacts["example_gen"].path


def test_a_query_that_fails_ends_the_run_before_it_is_recorded(config, tmp_path):
    root = tmp_path / "root"
    run(config, root)
    snapshot = newest(config, Store(root))
    (tmp_path / "rides.csv").unlink()
    with pytest.raises(DataError, match="The query fails: IO Error: No files found"):
        run(config, root)
    assert len(list((root / "runs").glob("2*"))) == 1
    assert newest(config, Store(root)) == snapshot


def test_a_secret_is_in_nothing_that_a_run_writes(tmp_path, monkeypatch):
    sqlite3 = pytest.importorskip("sqlite3")
    pytest.importorskip("adbc_driver_sqlite", reason="the extra sql is not installed")
    with sqlite3.connect(tmp_path / "topsecret.db") as database:
        database.execute("CREATE TABLE rides AS SELECT 1 AS fare UNION ALL SELECT 2")
    database.close()
    monkeypatch.setenv("DATABASE", f"sqlite:///{tmp_path}/topsecret.db")
    (tmp_path / "rides.toml").write_text(
        '[example_gen]\nsource = "sql"\nlabel = "fare"\nconnection = "${DATABASE}"\nquery = "SELECT * FROM rides"\n'
    )
    root = tmp_path / "root"
    assert run(load_config(tmp_path / "rides.toml"), root).exit_code == 0
    assert [path for path in root.rglob("*") if path.is_file() and b"topsecret" in path.read_bytes()] == []
    facts = json.loads(next(root.glob("artifacts/example_gen/*/artifact.json")).read_text())
    assert facts["properties"]["settings"]["connection"] == "${DATABASE}"


def test_a_comparison_takes_its_own_snapshot(config, tmp_path):
    said = []
    made = taken(config, Store(tmp_path / "root"), said.append)
    assert made.example_gen.input == str(newest(config, Store(tmp_path / "root")).path)
    assert len(said) == 1
    assert re.fullmatch(r"Query: snapshot of 20\d\d-\d\d-\d\d \d\d:\d\d UTC, 100 rows.", said[0])
    other = load_config(None)
    assert taken(other, Store(tmp_path / "none"), said.append) is other


def test_gc_keeps_the_newest_snapshot_of_a_query(config, tmp_path):
    root = tmp_path / "root"
    store = Store(root)
    for rows in (10, 20, 30):
        write_rows(tmp_path / "rides.csv", rows)
        taken(config, store, str)
    kept = newest(config, store)
    removed, _ = collect_garbage(store, keep=10)
    assert len([path for path in removed if path.is_relative_to(store.snapshots)]) == 2
    assert [path.parent for path in root.rglob("query_rows.parquet")] == [kept.path.parent]
    assert newest(config, store) == kept
