import json
import os
import signal
import subprocess
import sys
from importlib.metadata import version

import pytest

from crossnet.pipeline import doctor
from crossnet.pipeline.config import load_config
from support import REPOSITORY
from support.serving_fixtures import wait_until


def write_rides(folder):
    (folder / "rides.2026.csv").write_text("zone,miles,fare\n" + "a,1.5,7.5\nb,2,9\n" * 30)


def test_init_writes_a_config_that_plan_accepts(crossnet, tmp_path):
    write_rides(tmp_path)
    done = crossnet("init", "rides.2026.csv", "--label", "fare")
    assert done.exit_code == 0, done.stderr
    assert "  miles   number" in done.stdout
    assert done.stdout.endswith("Wrote rides.toml. Next: crossnet run --config rides.toml\n")
    done = crossnet("plan", "--config", "rides.toml")
    assert done.exit_code == 0
    assert "it has never run in this root" in done.stdout


def test_init_writes_where_it_is_told(crossnet, tmp_path):
    write_rides(tmp_path)
    (tmp_path / "configs").mkdir()
    done = crossnet("init", "rides.2026.csv", "--label", "fare", "--output", "configs/mine.toml")
    assert done.stdout.endswith("Wrote configs/mine.toml. Next: crossnet run --config configs/mine.toml\n")
    config = load_config(tmp_path / "configs" / "mine.toml").example_gen
    assert (config.label, config.input) == ("fare", str(tmp_path / "rides.2026.csv"))


def test_init_says_what_is_wrong_and_writes_nothing(crossnet, tmp_path):
    write_rides(tmp_path)
    done = crossnet("init", "rides.2026.csv", "--label", "fares")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Did you mean `fare`?" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["rides.2026.csv"]


def test_init_without_a_label_lists_the_columns(crossnet, tmp_path):
    write_rides(tmp_path)
    done = crossnet("init", "rides.2026.csv")
    assert done.exit_code == 2
    assert done.stdout.splitlines() == ["  column  type", "  zone    text", "  miles   number", "  fare    number"]
    assert done.stderr == "Name the column to predict with --label.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["rides.2026.csv"]


def test_init_reads_the_rows_of_a_query(crossnet, tmp_path):
    pytest.importorskip("duckdb")
    write_rides(tmp_path)
    query = "SELECT zone, miles * 2 AS both, fare FROM 'rides.2026.csv'"
    done = crossnet("init", "--query", query, "--label", "fare", "--output", "q.toml")
    assert done.exit_code == 0, done.stderr
    assert "  both    number" in done.stdout
    config = load_config(tmp_path / "q.toml").example_gen
    assert (config.source, config.query, config.label) == ("sql", query, "fare")
    done = crossnet("run", "--config", "q.toml", "--until", "example_gen")
    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Name a table or a --query, one of them."),
        (["a.csv", "--query", "SELECT 1"], "Name a table or a --query, one of them."),
        (["a.csv", "--connection", "sqlite:///a"], "--connection is for --query."),
    ],
)
def test_init_wants_a_table_or_a_query(crossnet, arguments, sentence):
    done = crossnet("init", *arguments, "--label", "y")
    assert (done.exit_code, sentence in done.stderr) == (2, True)


def test_doctor_finds_nothing_missing_here(crossnet):
    done = crossnet("doctor")
    assert done.exit_code == 0, done.stdout
    assert "tensorflow_model_server" in done.stdout


def test_doctor_fails_where_something_required_is_missing(crossnet, monkeypatch):
    monkeypatch.setattr(doctor, "OTHERS", ("no-such-library",))
    done = crossnet("doctor")
    assert done.exit_code == 1
    (line,) = (line for line in done.stdout.splitlines() if "no-such-library" in line)
    assert line.split() == ["MISSING", "no-such-library", "missing", *doctor.FIX_CORE.split()]


def test_sbom_prints_a_document_or_a_table_of_licences(crossnet):
    document = json.loads(crossnet("sbom").stdout)
    assert (document["bomFormat"], document["metadata"]["component"]["name"]) == ("CycloneDX", "crossnet-pipeline")
    heading, *lines = crossnet("sbom", "--licences").stdout.splitlines()
    assert heading.split() == ["distribution", "version", "licence"]
    assert len(lines) == len(document["components"]) + 1
    assert any(line.split() == ["numpy", version("numpy"), *line.split()[2:]] for line in lines)


@pytest.mark.usefixtures("interruptible")
def test_init_that_is_stopped_says_so_and_leaves_nothing(tmp_path):
    pytest.importorskip("duckdb", reason="the extra sql is not installed")
    (work := tmp_path / "work").mkdir()
    query = "SELECT i % 7 AS x, i % 5 AS y FROM range(1000000000) t(i)"
    command = [sys.executable, "-m", "crossnet", "init", "--query", query, "--label", "y", "--output", "rides.toml"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(work)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: any(path.stat().st_size for path in work.rglob("*.parquet")))
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (130, "Interrupted in `crossnet init`; `rides.toml` was not written.\n")
    assert [*work.iterdir()] == []
    assert not (tmp_path / "rides.toml").exists()
