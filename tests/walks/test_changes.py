"""Judges every kind of change by its plan: what runs again, and what `crossnet why` says of it."""

import re
import shutil

import pytest

from crossnet.pipeline.plan import differences
from crossnet.pipeline.store import Store
from support.changes import KINDS, expected_steps, make_changed, make_up, make_world, plan_of, seen_from

PLANNED = [name for name, kind in KINDS.items() if kind.planned]


def test_there_are_enough_kinds():
    assert len(KINDS) >= 40


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A world whose steps are all done, with made-up artifacts."""
    world = make_world(tmp_path_factory.mktemp("changes") / "home")
    make_up(world)
    assert all(planned.done for planned in plan_of(world).values())
    shutil.copytree(world.home, world.home.with_name("kept"), symlinks=True)
    return world


@pytest.fixture
def fresh(world):
    """The same world, before any change, at the same path."""
    shutil.rmtree(world.home)
    shutil.copytree(world.home.with_name("kept"), world.home, symlinks=True)
    return type(world)(world.home, make_up)


@pytest.mark.parametrize("name", PLANNED)
def test_a_change_runs_again_what_reads_it_and_nothing_else(name, fresh):
    kind = KINDS[name]
    changed = make_changed(kind, fresh)
    plan = plan_of(changed)
    again = [step for step, planned in plan.items() if not planned.done]
    assert set(again) == expected_steps(kind.runs, changed)
    with seen_from(changed):
        sentences = differences(plan[again[0]], Store(changed.root)) if again else []
    assert kind.why in " | ".join(sentences)
    assert bool(sentences) == bool(kind.why)
    assert not re.search(r"\b[0-9a-f]{16,}\b", " ".join(sentences)), "a fingerprint tells a user nothing"
