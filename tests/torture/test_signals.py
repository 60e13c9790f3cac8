"""SIGINT and SIGTERM at random moments of every step and command: in time, in words, without a rest, and resumed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from crossnet.components.files import read_json
from support import REPOSITORY
from support.large_rows import write_large_rows
from support.processes import catches, marked
from support.serving_fixtures import wait_until
from support.serving_models import save_model
from support.torture import cases

MAX_SECONDS = 5.0  # on a machine with nothing else to do; longer where others work on it, see `allowed_seconds`
STEPS = ["example_gen", "statistics_gen", "schema_gen", "example_validator", "trainer_cross_layer"]
STEPS += ["trainer_dense", "evaluator", "infra_validator", "pusher"]
REPORT = "report"
DATA_STEPS = ["example_gen", "statistics_gen", "example_validator"]
# Where a run is stopped, and how many seconds later than its begin there at most.
MOMENTS = {"plan": 0.4, "example_gen": 1.0, "statistics_gen": 0.3, "schema_gen": 0.02, "example_validator": 0.2}
MOMENTS |= {"trainer_cross_layer": 9.0, "trainer_dense": 8.0, "evaluator": 5.0, "infra_validator": 5.0}
MOMENTS |= {"pusher": 0.1, REPORT: 0.8}
RUNS = [f"{where}-{name}-{turn}" for turn in range(3) for where in MOMENTS for name in ("SIGINT", "SIGTERM")]
CONFIG = """
models = ["cross_layer", "dense"]
[example_gen]
source = "csv"
input = "rows.csv"
label = "y"
split = "hash"
num_shards = 2
compression = "gzip"
[trainer]
epochs = 8
[evaluator]
max_rmse = 100
min_improvement = "none"
max_mean_ratio = "none"
max_linear_ratio = "none"
"""
# Each with the folder `{folder}`, which holds `root` after a whole run, `rows.csv` and `config.toml`.
COMMANDS = {
    "start": ["run", "--config", "config.toml", "--root", "new"],
    "plan": ["plan", "--config", "config.toml", "--root", "root"],
    "init": ["init", "rows.csv", "--label", "y", "--output", "made.toml"],
    "show": ["show", "--root", "root"],
    "report": ["report", "--root", "root"],
    "gc": ["gc", "--keep", "1", "--root", "root"],
    "compare": ["compare", "--config", "config.toml", "--root", "root", "--seeds", "3"],
    "predict": ["predict", "--rows", "rows.csv", "--output", "out.csv", "--offline", "model"],
    "serve": ["serve", "--root", "root", "--port=0", "--server", "embedded"],
}
SECONDS = {"compare": 8.0, "predict": 6.0, "serve": 8.0}  # how long a command takes about; others: a second
OTHERS = [f"{command}-{name}-{turn}" for turn in range(3) for command in COMMANDS for name in ("SIGINT", "SIGTERM")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table, a config, a model and, in `root`, a whole run."""
    folder = tmp_path_factory.mktemp("signals")
    lines = (f"{i % 97 / 97},{i % 89 / 89},z{i % 7},{i % 97 * i % 89}" for i in range(60_000))
    (folder / "rows.csv").write_text("x0,x1,zone,y\n" + "\n".join(lines) + "\n")
    (folder / "config.toml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="module")
def whole(folder):
    done = crossnet(folder, "run", "--config", "config.toml", "--root", "root").communicate(timeout=280)
    assert "In service" in done[0], done[1]
    (served,) = (path for path in (folder / "root/serving_models/crossnet").iterdir() if path.is_dir())
    shutil.copytree(served, folder / "model")
    return folder


def crossnet(folder: Path, *arguments: str, mark: str = "none") -> subprocess.Popen[str]:
    """Starts a command in the foreground's manner: SIGINT is not ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "crossnet", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "CROSSNET_MARK": mark},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)


def allowed_seconds() -> float:
    """5 s, times how many processes wait for each processor: on a busy machine all takes as much longer."""
    return MAX_SECONDS * max(1.0, 1.5 * os.getloadavg()[0] / (os.cpu_count() or 1))


def newest(root: Path) -> dict | None:
    """What run.json of the newest run says, from outside."""
    files = sorted(root.glob("runs/*/run.json"), key=lambda file: file.stat().st_mtime)
    return read_json(files[-1]) if files else None


def has_begun(root: Path, where: str) -> bool:
    facts = newest(root)
    if facts is None or where == "plan":
        return where == "plan"
    if where == REPORT:
        return bool(facts["finished"])
    return facts["steps"].get(where, {}).get("status", "") not in ("", "skipped")


def stop(case, process: subprocess.Popen[str], number: signal.Signals, mark: str) -> tuple[str, str] | None:
    """Sends the signal and returns what was printed; None where the process had ended before."""
    if process.poll() is not None:
        process.communicate()
        return None
    begin, limit = time.monotonic(), allowed_seconds()
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    seconds = time.monotonic() - begin
    assert "Traceback" not in err, err
    assert seconds <= limit, f"it took {seconds:.1f} s, allowed {limit:.1f} s"
    wait_until(lambda: marked(mark) == [])  # the resource tracker of multiprocessing ends by itself
    case.note_most(seconds_to_exit=seconds)
    return out, err


def the_step_of(case) -> tuple[str, signal.Signals]:
    where, name, _ = case.name.rsplit("-", 2)
    return where, signal.Signals[name]


@cases(
    "signals in run",
    RUNS,
    short=["example_gen-SIGINT-0", "trainer_cross_layer-SIGTERM-0"],
    says="""\
SIGINT and SIGTERM in every step of a run: the exit code, one sentence, no process left, the next run goes on""",
)
def test_a_run_ends_in_time_and_the_next_one_goes_on(case, request, tmp_path):
    where, number = the_step_of(case)
    mark = f"{case.name}-{os.getpid()}"
    before = STEPS[: STEPS.index(where)] if where in STEPS else []
    folder = request.getfixturevalue("whole" if case.full else "folder")
    root = tmp_path / "root"
    if case.full and before:
        shutil.copytree(folder / "root" / "artifacts", root / "artifacts", symlinks=True)
        for step in STEPS[len(before) :]:
            shutil.rmtree(root / "artifacts" / step)
    as_json = case.random.random() < 0.3
    arguments = ["run", "--config", "config.toml", "--root", str(root)]
    process = crossnet(folder, *arguments, *(["--json"] if as_json else []), mark=mark)
    wait_until(lambda: process.poll() is not None or has_begun(root, where), 200)
    wait_until(lambda: process.poll() is not None or catches(process.pid, signal.SIGTERM))
    time.sleep(case.random.uniform(0, MOMENTS[where] if case.full else min(MOMENTS[where], 2.0)))
    printed = stop(case, process, number, mark)
    if printed is None:
        case.count(ended_before=1)
        return
    case.count(signals=1)
    out, err = printed
    facts = newest(root)
    if process.returncode == 0 and where in (REPORT, STEPS[-1]):  # too late: it had been recorded as done
        assert facts is not None
        assert (facts["state"], facts["exit_code"], facts["complete"]) == ("finished", 0, True)
        return
    assert process.returncode == 128 + number, err
    sentence = err.splitlines()[-1]
    assert sentence.startswith("Interrupted"), err
    if as_json:
        assert json.loads(out)["error"] == sentence
    if facts is None:  # before it had a record
        return
    check_the_record(folder, root, facts, sentence, 128 + number)
    kept = [step for step, record in facts["steps"].items() if record["status"] in ("ran", "reused")]
    assert [step for step in before if step not in kept] == []
    go_on(case, folder, root, [*arguments, "--json"], kept, facts)


def check_the_record(folder: Path, root: Path, facts: dict, sentence: str, code: int) -> None:
    """run.json, `runs` and `show` say that the run was interrupted."""
    assert (facts["state"], facts["exit_code"], facts["error"]) == ("interrupted", code, sentence)
    runs, _ = crossnet(folder, "runs", "--root", str(root)).communicate(timeout=60)
    assert "  INTERRUPTED " in runs
    show, _ = crossnet(folder, "show", "--root", str(root)).communicate(timeout=60)
    assert "INTERRUPTED" in show
    assert sentence in show


def go_on(case, folder: Path, root: Path, arguments: list[str], kept: list[str], facts: dict) -> None:
    """What was finished is planned to be reused; in the full harness the next run does so."""
    plan, _ = crossnet(folder, "plan", "--config", "config.toml", "--root", str(root)).communicate(timeout=60)
    would = {line.split()[0]: line.split()[1] for line in plan.splitlines()[1:] if line.strip()}
    assert {step: would[step] for step in kept} == dict.fromkeys(kept, "reuse")
    if not case.full:
        return
    stopped = next((step for step, record in facts["steps"].items() if record["status"] == "interrupted"), STEPS[-1])
    process = crossnet(folder, *arguments, "--until", stopped)  # which leaves out what that step does not need
    out, err = process.communicate(timeout=250)
    assert process.returncode == 0, err
    steps = json.loads(out)["steps"]
    again = [step for step in kept if steps.get(step, {"status": "reused"})["status"] != "reused"]
    assert (again, steps[stopped]["status"] in ("ran", "reused")) == ([], True)
    assert not list(root.glob("artifacts/*/.tmp-*"))


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Rows and a config of a run whose data steps start two worker processes."""
    folder = tmp_path_factory.mktemp("large")
    write_large_rows(folder)
    (folder / "config.toml").write_text(
        'num_workers = 2\n[example_gen]\nsource = "csv"\ninput = "*.csv"\nlabel = "y"\nsplit = "hash"\nnum_shards = 2\n'
    )
    return folder


@cases(
    "signals to workers",
    [f"{where}-{name}-{turn}" for where in DATA_STEPS for name in ("SIGINT", "SIGTERM") for turn in range(2)],
    short=[],
    says="""\
SIGINT and SIGTERM while a data step works in two processes: the exit code, no process left, the next run goes on""",
)
def test_a_run_ends_with_its_worker_processes(case, large, tmp_path):
    where, number = the_step_of(case)
    mark = f"{case.name}-{os.getpid()}"
    root = tmp_path / "root"
    arguments = ["run", "--config", "config.toml", "--root", str(root), "--until", where]
    if where in DATA_STEPS[1:]:  # so that no worker is left of a step before
        before = DATA_STEPS[DATA_STEPS.index(where) - 1]
        _, err = crossnet(large, *arguments[:-1], before).communicate(timeout=250)
        assert list(root.glob(f"artifacts/{before}/*")), err
    process = crossnet(large, *arguments, mark=mark)
    wait_until(lambda: process.poll() is not None or len(workers(mark)) >= 2, 200)
    time.sleep(case.random.uniform(0, 1.0))
    case.note_most(workers=len(workers(mark)))
    printed = stop(case, process, number, mark)
    if printed is None:
        case.count(ended_before=1)
    else:
        case.count(signals=1)
        assert process.returncode == 128 + number, printed[1]
        assert printed[1].splitlines()[-1].startswith("Interrupted"), printed[1]
    # The signal may come when the step is done and its artifact is kept, before the run ends.
    is_kept = any(not path.name.startswith(".tmp-") for path in root.glob(f"artifacts/{where}/*"))
    out, err = crossnet(large, *arguments, "--json").communicate(timeout=250)
    found = json.loads(out)["steps"][where]["status"]
    assert found == ("reused" if is_kept else "ran"), f"{found}: {err}"
    assert is_kept or printed is not None
    assert not list(root.glob("artifacts/*/.tmp-*"))
    shutil.rmtree(root)


def workers(mark: str) -> list[str]:
    return [command for command in marked(mark) if "spawn_main" in command]


@cases(
    "signals in commands",
    OTHERS,
    short=["start-SIGINT-0", "plan-SIGTERM-0", "init-SIGINT-0"],
    says="""\
SIGINT and SIGTERM in every other command, from its first moment on: the exit code, one sentence, no process left""",
)
def test_a_command_ends_in_time(case, request, tmp_path):
    command, number = the_step_of(case)
    mark = f"{case.name}-{os.getpid()}"
    folder = request.getfixturevalue("whole" if case.full else "folder")
    work = tmp_path / "work"
    shutil.copytree(folder, work, symlinks=True)
    process = crossnet(work, *COMMANDS[command], mark=mark)
    wait_until(lambda: process.poll() is not None or catches(process.pid, signal.SIGTERM))
    time.sleep(case.random.uniform(0, SECONDS.get(command, 0.8)))
    printed = stop(case, process, number, mark)
    if printed is None:
        case.count(ended_before=1)
        return
    case.count(signals=1)
    _, err = printed
    if process.returncode == 0 and command != "serve":  # it had done its work already
        return
    assert process.returncode == (0 if command == "serve" else 128 + number), err
    assert command == "serve" or err.splitlines()[-1].startswith("Interrupted"), err
    if (work / "made.toml").exists():  # the signal came after it was whole, while the next step was printed
        tomllib.loads((work / "made.toml").read_text(encoding="utf-8"))
    assert not (work / "out.csv").exists()
    assert not list(work.glob("root/compare/*/.tmp-*"))


@cases(
    "signals in a server",
    30,
    short=1,
    says="""\
SIGINT and SIGTERM to the server command, some twice: exit code 0 in time, no traceback""",
)
def test_a_server_ends_in_time_with_0(case, tmp_path):
    mark = f"{case.name}-{os.getpid()}"
    save_model(tmp_path / "demo" / "1")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "CROSSNET_MARK": mark}
    command = [
        sys.executable,
        "-m",
        "crossnet.serving.server_command",
        "--port=0",
        f"--model_base_path={tmp_path}/demo",
    ]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    wait_until(lambda: catches(process.pid, signal.SIGTERM))
    time.sleep(case.random.uniform(0, 6.0))
    if case.random.random() < 0.5:
        process.send_signal(signal.SIGTERM)
        time.sleep(case.random.uniform(0, 0.5))
    stop(case, process, case.random.choice([signal.SIGINT, signal.SIGTERM]), mark)
    case.count(signals=1)
    assert process.returncode == 0
