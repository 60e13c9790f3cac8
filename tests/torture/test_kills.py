"""Kills commands with SIGKILL at random moments: the next one goes on as if nothing had been."""

import shutil
import signal
import subprocess
import sys
import time

import pytest

from crossnet.components.files import folder_checksum
from support.arena import MODEL, Arena, Asker, free_port, kill_hard, leftovers, wait_until
from support.forked_commands import Watch, session_of, wait_exactly
from support.large_rows import write_large_rows
from support.torture import cases

IMPORT_SECONDS = 4.0  # what a command of its own takes before it works
HOW = ("command", "moment", "moment", "moment", "moment", "file", "file", "file", "after", "after")


@pytest.fixture(scope="module")
def arena(commands, tmp_path_factory):
    arena = Arena(commands, tmp_path_factory.mktemp("kills"))
    arena.put_in_service(1)
    return arena


@pytest.fixture(scope="module")
def asker(arena):
    with arena.serving() as (server, target), Asker(target) as asker:
        wait_until(lambda: asker.last)
        asker.take()
        yield asker
        assert server.running, server.said


@cases("kills", 200, short=["8"], says="a run killed at any moment is recovered by the next one")
def test_a_killed_run_is_recovered_by_the_next_one(case, arena, asker, tmp_path):
    if asker.last not in arena.versions:  # a case before has failed
        arena.note_versions()
        arena.keep_newest(asker)
        asker.take()
    before = asker.last
    seed = 3 - arena.versions[before].seed  # not what is in service
    reference, options = arena.reference(seed), arena.settings(seed)
    how = HOW[case.number % len(HOW)]
    for number in range(20):
        root = tmp_path / f"root-{number}"
        if kill_somewhere(case, arena, reference, root, how):
            break
        take_out_of_service(arena, asker, seed)
    else:
        pytest.fail("each run has ended before it was killed")
    arena.check_screens(root, options)
    version = arena.recover(root, options)["pushed_version"]
    assert folder_checksum(arena.model_folder / str(version)) == reference.checksum
    assert [v for v, p in arena.in_service().items() if folder_checksum(p) == reference.checksum] == [version]
    arena.check_whole(root)
    wait_until(lambda: asker.last == version)
    answers = arena.check_answers(asker)
    case.count(recovered=1, answers=answers, failed_calls=0, wrong_answers=0)
    again = arena.commands.run("run", *options, "--root", root)
    assert again.wait() == 0, again.said
    assert "Up to date" in again.out
    arena.keep_newest(asker)
    shutil.rmtree(tmp_path)


def take_out_of_service(arena, asker, seed):
    """Makes room for another push of the reference with this seed, after a run that no kill has hit."""
    arena.note_versions()
    other = 3 - seed
    arena.put_in_service(other, version=next(iter(arena.in_service())) + 1)
    arena.keep_newest(asker)


def kill_somewhere(case, arena, reference, root, how):
    """Starts a run and kills it; returns whether it was killed before its end."""
    options = ["run", *arena.settings(reference.seed), "--root", root]
    if how == "command":
        process = subprocess.Popen(
            [sys.executable, "-m", "crossnet", *map(str, options)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(case.random.uniform(0.2, IMPORT_SECONDS + reference.seconds))
        kill_hard(process)
        wait_until(lambda: not session_of(process.pid))
        return process.returncode < 0
    watch = None
    if how in ("file", "after"):
        area = case.random.choice(sorted(set(reference.operations) - {".lock"}))
        folder = arena.served / area if area == "serving_models" else root / area
        delay = None if how == "file" else case.random.uniform(0, 0.003)
        watch = Watch((folder,), case.random.randrange(reference.operations[area]), delay)
    child = arena.commands.start(*options, watch=watch)
    if not watch:
        wait_exactly(case.random.uniform(0, reference.seconds))
        child.kill()
    killed = child.wait() < 0
    wait_until(lambda: not session_of(child.pid))
    return killed


# ---- Other commands ----


@pytest.fixture(scope="module")
def finished(arena, commands, tmp_path_factory):
    """A root with two finished runs and two versions in service, which each case copies."""
    root = tmp_path_factory.mktemp("finished") / "root"
    for seed in (1, 2):
        done = commands.run("run", *arena.settings(seed, serving=False), "--root", root)
        assert done.wait() == 0, done.said
    return root


COMMANDS = ("gc", "rollback", "report", "predict")


@cases(
    "command kills",
    [f"{command}-{number}" for command in COMMANDS for number in range(10)],
    short=[],
    says="`gc`, `rollback`, `report` or `predict` killed at any operation on files can be called again",
)
def test_a_killed_command_can_be_called_again(case, arena, finished, tmp_path):
    command = case.name.rpartition("-")[0]
    output = tmp_path / "out" / "predicted.jsonl"
    output.parent.mkdir()
    model = next(path for path in (finished / "serving_models" / MODEL).iterdir() if path.is_dir())
    arguments = {
        "gc": ["gc", "--keep", "1", "--root"],
        "rollback": ["rollback", "--root"],
        "report": ["report", "--root"],
        "predict": ["predict", "--rows", arena.folder / "rows.jsonl", "--offline", model, "--output", output],
    }[command]

    def start(root, **options):
        shutil.copytree(finished, root, symlinks=True)
        rest = [] if command == "predict" else [root]
        return arena.commands.run(*arguments, *rest, **options)

    whole = start(tmp_path / "whole", watch=Watch((tmp_path,)))
    assert whole.wait() == 0, whole.said
    output.unlink(missing_ok=True)
    delay = case.random.choice((None, case.random.uniform(0, 0.003)))
    root = tmp_path / "killed"
    killed = start(root, watch=Watch((tmp_path,), case.random.randrange(len(whole.operations)), delay))
    assert killed.wait() == -signal.SIGKILL or delay is not None
    case.count(kills=killed.wait() < 0)
    serving = root / "serving_models" / MODEL
    out = list(serving.glob("*.rolled_back"))
    versions = [path for path in serving.iterdir() if path.name.isdecimal()]
    assert len(versions) + len(out) == 2
    if command == "predict":
        assert not output.exists() or len(output.read_text().splitlines()) == 3
    if command != "rollback" or not out:
        again = arena.commands.run(*arguments, *([] if command == "predict" else [root]))
        assert again.wait() == 0, again.said
    assert leftovers(tmp_path / "out", root / "runs") == []
    assert len(list(serving.glob("*.rolled_back"))) == (command == "rollback")
    assert {path.name.partition(".")[0] for path in serving.iterdir() if path.is_dir()} == {
        path.stem for path in serving.glob("[!.]*.json")
    }
    run = arena.commands.run("run", *arena.settings(1, serving=False), "--root", root)
    assert run.wait() in (0, 3), run.said
    assert leftovers(root) == []
    arena.check_whole(root)
    shutil.rmtree(tmp_path)


@cases("server kills", 10, short=0, says="a server that was killed answers rightly when it is started again")
def test_a_killed_server_answers_when_it_is_started_again(case, arena):
    port = free_port()
    target = f"127.0.0.1:{port}"
    for _ in range(2):
        server = arena.start_server(port)
        with Asker(target) as asker:
            wait_until(lambda asker=asker: asker.last)
            asker.take()
            wait_exactly(case.random.uniform(0, 0.5))
            answers = arena.check_answers(asker)
            server.kill()
        assert server.relatives() == []
        case.count(kills=1, answers=answers)
    assert leftovers(arena.served) == []


@pytest.fixture(scope="module")
def large_rows(tmp_path_factory):
    return write_large_rows(tmp_path_factory.mktemp("large"))


@cases("worker kills", 10, short=0, says="worker processes of ExampleGen end with the run that was killed")
def test_worker_processes_end_with_the_run(case, arena, large_rows, tmp_path):
    options = ["--config", arena.config, "--root", tmp_path / "root", "--until", "example_gen"]
    for setting in ("source='csv'", "label='y'", f"input='{large_rows}/*.csv'", "split='hash'"):
        options += ["--set", f"example_gen.{setting}"]
    options += ["--set", "num_workers=2"]
    child = arena.commands.start("run", *options)
    wait_until(lambda: len(child.relatives()) >= 2 or not child.running, 60)
    wait_exactly(case.random.uniform(0, 3))
    had = len(child.relatives())
    child.kill()
    wait_until(lambda: not session_of(child.pid))
    assert had >= 2 or child.wait() == 0
    again = arena.commands.run("run", *options)
    assert again.wait() == 0, again.said
    assert leftovers(tmp_path / "root") == []
    case.count(kills=child.wait() < 0, workers=had)
    shutil.rmtree(tmp_path)
