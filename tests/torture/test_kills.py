"""Kills commands with SIGKILL at random moments: the next one goes on as if nothing had been."""

import shutil
import subprocess
import sys
import time

import pytest

from crossnet.components.files import folder_checksum
from support.arena import Arena, Asker, kill_hard, wait_until
from support.forked_commands import Watch, session_of, wait_exactly
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


@cases("kills", 200, short=["1", "8"], says="a run killed at any moment is recovered by the next one")
def test_a_killed_run_is_recovered_by_the_next_one(case, arena, asker, tmp_path):
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
