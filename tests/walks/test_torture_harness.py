"""Runs the harness of tests/torture on a few small cases: it is seeded, goes on, and writes the page's table."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from support import REPOSITORY
from support.torture import BEGIN, END, write_page

pytestmark = pytest.mark.slow  # together: each test is a pytest of its own

SAMPLE = """
import os
import pathlib
import time

import pytest

from support.torture import cases

HERE = pathlib.Path(__file__).parent
SAID = "it is broken\\n" + "x" * 10_000 + "\\nwhy it ended"


@cases("draws", 3, short=1, says="a draw")
def test_draw(case):
    case.count(draws=1)
    case.note_most(drawn=case.random.randrange(10**6))
    (HERE / f"drawn-{case.number}-{time.time_ns()}").write_text(f"{case.seed} {case.full}")


@cases("fragile", ["whole", "broken"], short=["whole"], says="no break")
def test_fragile(case):
    assert case.name == "whole" or (HERE / "mended").exists(), SAID


@cases("slow", 1, short=0, says="an end", timeout_seconds=0.2)
def test_slow(case):
    if not (HERE / "mended").exists():
        while True:
            pass


def test_beside_the_cases():
    pass
"""
# The expressions of `make test`, `test-slow`, `coverage` and `torture`, and what they choose of the sample.
LANES = {"": 1, "slow": 2, "slow or not torture": 3, "torture": 6}


@pytest.fixture
def folder(tmp_path):
    shutil.copy(REPOSITORY / "tests" / "torture" / "conftest.py", tmp_path)
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    return tmp_path


def harness(folder, *arguments, code=0):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-c",
            REPOSITORY / "pyproject.toml",
            f"--rootdir={folder}",
            folder,
            *arguments,
        ],
        env=os.environ | {"PYTHONPATH": f"{REPOSITORY / 'tests'}:{REPOSITORY}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def full(folder, *arguments, code=0):
    return harness(
        folder, "-m", "torture", "--torture", f"--torture-results={folder / 'results.json'}", *arguments, code=code
    )


def results(folder):
    return json.loads((folder / "results.json").read_text())


def test_a_run_goes_on_where_it_stopped_with_the_same_seed(folder):
    out = full(folder, "--torture-seed=7", "-k", "draws", "--maxfail=1")
    assert "seed 7" in out
    assert "0 of 6 cases have passed, 3 to run" in out
    assert "3 have not passed; `make torture` goes on with them" in out
    drawn = {name: case["most"]["drawn"] for name, case in results(folder)["cases"].items()}
    assert len(set(drawn.values())) == 3

    out = full(folder, code=1)
    assert "seed 7" in out
    assert "3 of 6 cases have passed before (--fresh begins anew), 3 to run" in out
    assert re.search(r"FAILED .*fragile-broken\] \(seed 7\): call: AssertionError: it is broken", out)
    assert "slow 0 has taken more than 0.2 s" in out
    assert len(list(folder.glob("drawn-*"))) == 3  # none was run twice
    kept = results(folder)["cases"]
    (broken,) = (case for name, case in kept.items() if "broken" in name)
    assert broken["reason"] == "call: AssertionError: it is broken"
    assert "why it ended" in broken["details"]  # a result explains its failure afterwards
    assert "test_sample.py" in broken["details"]
    assert 4096 < len(broken["details"]) <= 2 * 4096 + 1
    assert all("details" not in case for case in kept.values() if case["outcome"] == "passed")

    (folder / "mended").touch()
    out = full(folder)
    assert "2 to run" in out
    assert "6 cases" in out
    assert "all have passed" in out
    assert "0 to run" in full(folder)  # nothing left is a success

    full(folder, "--fresh", "--torture-seed=7", "-k", "draws")
    assert {name: case["most"]["drawn"] for name, case in results(folder)["cases"].items()} == drawn
    assert (folder / "previous.json").exists()


ALONE = """
import os
import pathlib
import time

from support.torture import cases

HERE = pathlib.Path(__file__).parent
SAID = "it is broken\\n" + "x" * 10_000 + "\\nwhy it ended"
OTHERS = HERE / "others"


@cases("alone", 2, short=0, says="quiet", alone=True)
def test_alone(case):
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        assert not list(OTHERS.iterdir())
"""
BESIDE = """
import os
import pathlib

import pytest

from support.torture import cases

OTHERS = pathlib.Path(__file__).parent / "others"


@pytest.fixture(autouse=True)
def seen():
    OTHERS.mkdir(exist_ok=True)
    file = OTHERS / str(os.getpid())
    file.touch()
    yield
    file.unlink()


@cases("PART", 20, short=0, says="a walk", timeout_seconds=5)
def test_beside(case):
    case.count(walks=1)
    case.note_most(drawn=case.random.randrange(10**6))
    if "PART" == "second" and case.number == 5 and not (OTHERS.parent / "mended").exists():
        (OTHERS / str(os.getpid())).unlink()
        os._exit(1)
"""


def test_two_processes_share_the_cases_and_one_file_of_results(folder):
    (folder / "others").mkdir()
    (folder / "test_sample.py").unlink()
    (folder / "test_alone.py").write_text(ALONE)
    for part in ("first", "second"):
        (folder / f"test_{part}.py").write_text(BESIDE.replace("PART", part))
    page = folder / "page.md"
    page.write_text(f"{BEGIN}\n{END}\n")

    out = full(folder, "-n", "2", "--torture-seed=7", f"--page={page}", code=1)
    assert "seed 7" in out
    assert out.count("0 of 42 cases have passed, 42 to run") == 1
    assert re.search(r"FAILED .*second-5\] \(seed 7\): worker 'gw\d' crashed", out)
    assert "1 have not passed" in out, out
    assert "| second | a walk | 20 | 19 | 1 | 0 |" in page.read_text()
    assert "| alone | quiet | 2 | 2 | 0 | 0 |" in page.read_text()
    drawn = {name: case["most"].get("drawn") for name, case in results(folder)["cases"].items()}

    shutil.rmtree(folder / "others")
    (folder / "mended").touch()
    out = full(folder, "-n", "2")
    assert "41 of 42 cases have passed before (--fresh begins anew), 1 to run" in out
    assert "all have passed" in out
    out = full(folder, "-n", "2", f"--page={page}")
    assert "0 to run" in out
    assert "42 cases, " in out
    assert "| second | a walk | 20 | 20 | 0 | 0 | 0.0 | 20 walks," in page.read_text()

    full(folder, "--fresh", "--torture-seed=7")  # in one process each case draws the same
    again = {name: case["most"].get("drawn") for name, case in results(folder)["cases"].items()}
    assert [name for name, value in drawn.items() if value != again[name]] == [
        name for name in drawn if name.endswith("[second-5]")
    ]


def test_another_seed_and_an_edited_test_are_run_again(folder):
    full(folder, "--torture-seed=7", "-k", "draws")
    before = results(folder)["cases"]
    assert "0 of 6 cases have passed, 3 to run" in full(folder, "--torture-seed=8", "-k", "draws")
    assert [case["most"] for case in results(folder)["cases"].values()] != [case["most"] for case in before.values()]
    (folder / "test_sample.py").write_text(SAMPLE + "\n# edited\n")
    assert "3 to run" in full(folder, "-k", "draws")


def test_the_table_of_a_page_has_the_sums_of_all_cases(folder):
    page = folder / "page.md"
    page.write_text(f"# Page\n\nbefore\n{BEGIN}\nold\n{END}\nafter\n")
    full(folder, f"--page={page}", code=1)
    text = page.read_text()
    assert "old" not in text
    assert text.startswith("# Page\n\nbefore\n")
    assert text.endswith("\nafter\n")
    most = max(case["most"].get("drawn", 0) for case in results(folder)["cases"].values())
    assert f"| draws | a draw | 3 | 3 | 0 | 0 | 0.0 | 3 draws, drawn at most {most:,.4g} |" in text
    assert "| fragile | no break | 2 | 1 | 1 | 0 |" in text
    assert "Written by `make torture PAGE=1`, seed" in text
    with pytest.raises(AssertionError, match="lacks"):
        write_page(folder / "test_sample.py", "")


@pytest.mark.parametrize("lane", LANES)
def test_lanes_choose_their_cases(folder, lane):
    out = harness(folder, "--collect-only", *(["-m", lane] if lane else []))
    assert len(re.findall("::", out)) == LANES[lane]
    used = re.findall(r'-m pytest .*?-m (?:"([^"]+)"|(\w+))', (REPOSITORY / "Makefile").read_text())
    assert {quoted or bare for quoted, bare in used} == LANES.keys() - {""}
