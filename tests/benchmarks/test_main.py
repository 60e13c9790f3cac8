import ast
import json
import pkgutil

import pytest

import benchmarks
from benchmarks.__main__ import NO_BENCHMARKS, main
from support import REPOSITORY

TINY = """
from benchmarks.harness import Row

def rows():
    yield Row("tiny_walk", "steps", {ours}, 2.0, "us", {ours} / 2.0, "<= 1", {ours} <= 2.0, "two steps")
"""


@pytest.fixture
def measure(tmp_path, monkeypatch):
    """Runs a benchmark that always measures the same; returns the exit code."""
    monkeypatch.setattr(benchmarks, "__path__", [*benchmarks.__path__, str(tmp_path)])

    def measure(ours, *options, name="tiny_walk"):
        import sys

        (tmp_path / "tiny_walk.py").write_text(TINY.format(ours=ours))
        sys.modules.pop("benchmarks.tiny_walk", None)
        sys.path_importer_cache.pop(str(tmp_path), None)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "dont_write_bytecode", True)
            return main([name, *options])

    return measure


def test_each_module_that_runs_as_a_benchmark_yields_rows():
    names = {module.name for module in pkgutil.iter_modules(benchmarks.__path__)}
    assert {"client", "markdown", "serving_ports"} < names
    without = set()
    for name in names - {"real_tables"}:
        tree = ast.parse((REPOSITORY / "benchmarks" / f"{name}.py").read_text())
        if not any(isinstance(node, ast.FunctionDef) and node.name == "rows" for node in tree.body):
            without.add(name)
    assert without == NO_BENCHMARKS - {"real_tables"}


def test_a_run_is_printed_stored_and_kept(measure, tmp_path, capsys):
    stored, kept, page = tmp_path / "bench.json", tmp_path / "history.jsonl", tmp_path / "page.md"
    assert measure(1.5, "--json", str(stored), "--history", str(kept), "--page", str(page)) == 0
    found = json.loads(stored.read_text())
    assert found.keys() == {"date", "machine", "load", "versions", "rows"}
    assert [row["case"] for row in found["rows"]] == ["steps"]
    assert json.loads(kept.read_text()) == found
    assert not page.exists()  # it holds all benchmarks, and one was named
    assert "tiny_walk" in capsys.readouterr().out


def test_a_missed_goal_ends_with_1(measure):
    assert measure(2.5) == 1


def test_compare_prints_then_and_now_and_names_what_got_worse(measure, tmp_path, capsys):
    kept = ("--history", str(tmp_path / "history.jsonl"))
    assert measure(1.0, *kept, "--compare") == 0
    assert "has no earlier run of these benchmarks on this machine" in capsys.readouterr().out
    measure(1.9, *kept, "--compare")
    out = capsys.readouterr().out
    assert "1 of 1 got worse: tiny_walk: steps" in out
    assert ["tiny_walk: steps", "two steps", "0.5", "0.95", "+90.0%", "15%", "worse"] in [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines()
    ]
    measure(1.9, *kept, "--compare")
    assert "0 of 1 got worse." in capsys.readouterr().out
    assert len((tmp_path / "history.jsonl").read_text().splitlines()) == 3


def test_a_benchmark_that_fails_keeps_the_rows_before_it(measure, tmp_path):
    with pytest.raises(ZeroDivisionError):
        measure("1 / 0", "--json", str(tmp_path / "bench.json"))
    assert json.loads((tmp_path / "bench.json").read_text())["rows"] == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["tiny_wakl"], "unknown benchmark tiny_wakl; there are: accuracy, client, "),
        (["--compare"], "--compare needs --history FILE, the runs to compare with"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_why(arguments, sentence, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert sentence in capsys.readouterr().err
