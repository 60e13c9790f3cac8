"""Makes each kind of change to a finished run, runs again, and compares what is in service with a fresh root's."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from crossnet.components.files import folder_checksum
from crossnet.components.model_folder import versions_in_service
from support.changes import KINDS, World, expected_steps, make_changed, make_world
from support.torture import cases


def crossnet(world, *arguments, exit_code=0):
    """Runs the command line as a process of that world; returns the object that it prints."""
    command = [*world.prefix, sys.executable, "-m", "crossnet", *arguments, "--json", "--config", str(world.config)]
    command += [part for override in world.overrides for part in ("--set", override)]
    env = os.environ | {"PYTHONPATH": f"{world.code}{os.pathsep}{world.site}"} | world.env
    done = subprocess.run(
        command,
        env={name: value for name, value in env.items() if value is not None},
        cwd=world.folder,
        umask=-1 if world.umask is None else world.umask,
        capture_output=True,
        text=True,
    )
    assert done.returncode == exit_code, f"{command}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


def run(world, exit_code=0):
    return crossnet(world, "run", "--root", str(world.root), exit_code=exit_code)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A world with a finished run; a copy of it is kept beside it."""
    world = make_world(tmp_path_factory.mktemp("changes") / "home")
    run(world)
    shutil.copytree(world.home, world.home.with_name("kept"), symlinks=True)
    return world.home


@pytest.fixture
def world(kept):
    """The same world, before any change, at the same path."""
    shutil.rmtree(kept)
    shutil.copytree(kept.with_name("kept"), kept, symlinks=True)
    return World(kept, run)


@cases("changes", list(KINDS), short=[], says="a change runs again what reads it; what is served is a fresh root's")
def test_a_change_runs_again_what_reads_it_and_serves_what_a_fresh_root_gives(case, world):
    kind = KINDS[case.name]
    changed = make_changed(kind, world)
    done = run(changed, kind.exit_code)
    again = {name for name, step in done["steps"].items() if step["status"] != "reused"}
    assert again == expected_steps(kind.runs, changed)
    unchanged = run(changed, kind.exit_code)
    if kind.exit_code:  # it serves nothing on purpose
        return
    assert {step["status"] for step in unchanged["steps"].values()} == {"reused"}
    folder = serving_folder(done)
    served = versions_in_service(folder)
    assert max(served) == done["pushed_version"] == unchanged["pushed_version"]
    case.count(steps_run_again=len(again), steps_reused=len(done["steps"]) - len(again))
    reused = again != done["steps"].keys()
    if reused and case.full:
        other = crossnet(*fresh_root(changed))
        assert {step["status"] for step in other["steps"].values()} == {"ran"}
        assert (done["champion"], done["verdict"]) == (other["champion"], other["verdict"])
        expected = versions_in_service(serving_folder(other))[other["pushed_version"]]
    else:  # all was made anew in this very root
        expected = Path(done["root"]) / done["steps"][f"trainer_{done['champion']}"]["artifact"] / "Format-Serving"
    is_stale = kind.same_bytes and folder_checksum(served[done["pushed_version"]]) != folder_checksum(expected)
    case.count(stale_hits=int(is_stale), compared_with_a_fresh_root=int(reused and case.full))
    assert not is_stale


def fresh_root(world):
    """The arguments of `crossnet` for the same run in a root and a serving folder of its own."""
    world.overrides = [*world.overrides, f"pusher.serving_dir={world.home / 'fresh-models'}"]
    return world, "run", "--root", str(world.home / "fresh")


def serving_folder(facts):
    """The folder of the one model that was pushed."""
    record = json.loads((Path(facts["root"]) / facts["steps"]["pusher"]["artifact"] / "pushed.json").read_text())
    return Path(record["destination"]).parent
