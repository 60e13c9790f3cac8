"""Decides whether finished artifacts may be used, and sets damaged ones aside.

What is checked when: docs/explanation-integrity.md.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from crossnet.components.artifacts.base import ARTIFACT_FILE
from crossnet.components.artifacts.integrity import UNVERIFIABLE, Damage, content_digest
from crossnet.components.errors import PipelineError, UnreadableFileError
from crossnet.components.files import read_object, write_json

if TYPE_CHECKING:
    from crossnet.pipeline.graph import Step
    from crossnet.pipeline.plan import Plan, PlannedStep
    from crossnet.pipeline.store import Store

DAMAGED = ".damaged-"  # in front of the fingerprint: nothing but `verify` and `gc` looks at such a folder
MADE_FROM = "made_from"


class State(NamedTuple):
    """What is in the folder of a planned artifact.

    Attributes:
      done: Whether it is there, whole, made from what its inputs are now and, for a push, in service.
      damage: What is damaged in it.
      changed: Steps whose artifacts were made again, with other content, after this one was made from them.
    """

    done: bool = False
    damage: tuple[Damage, ...] = ()
    changed: tuple[str, ...] = ()


def examine(step: Step, path: Path, plan: Plan, store: Store) -> State:
    """Returns the state of a step's artifact; shards are checked by size, all other files by checksum.

    Args:
      step: The step.
      path: Where its artifact is or will be.
      plan: The steps before it.
      store: The root. Its `damaged` takes note of the damage.
    """
    if not path.is_dir():
        return State()
    if damage := find_damage(path, store):
        return State(damage=damage)
    if changed := changed_inputs(step, path, plan):
        return State(changed=changed)
    return State(done=step.output.load(path).is_current)


def find_damage(path: Path, store: Store, *, shards: bool = False) -> tuple[Damage, ...]:
    """Returns what is damaged in an artifact's folder and notes it in `store.damaged`."""
    damage = tuple(store.checks.damage(path, shards=shards))
    if damage:
        store.damaged[path] = damage
    return damage


def is_usable(step: str, fingerprint: str, store: Store) -> bool:
    """Whether an artifact that this plan does not make can be read: it is whole, or older than checksums are."""
    path = store.artifact_path(step, fingerprint)
    if not (path / ARTIFACT_FILE).is_file():
        return False
    return tuple(store.checks.damage(path, shards=False)) == (UNVERIFIABLE,) or not find_damage(path, store)


def made_from(step: Step, plan: Plan) -> dict[str, str]:
    """Returns the content digest of each finished artifact that the step reads, by step."""
    found = {name: _content(plan[name].path) for name in step.input_steps}
    return {name: digest for name, digest in found.items() if digest}


def checkpoint_folder(planned: PlannedStep, plan: Plan, store: Store) -> Path:
    """Returns where a step keeps its checkpoints; those of a training on inputs with other content are removed."""
    folder = store.checkpoints / planned.fingerprint
    inputs, file = made_from(planned.step, plan), folder / f"{MADE_FROM}.json"
    known = None
    with contextlib.suppress(FileNotFoundError, UnreadableFileError):
        known = read_object(file)
    if known != inputs:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(file, inputs)
    return folder


def changed_inputs(step: Step, path: Path, plan: Plan) -> tuple[str, ...]:
    """Returns the inputs that have other content now than when the artifact in `path` was made from them."""
    recorded: Mapping[str, str] = read_object(path / ARTIFACT_FILE).get(MADE_FROM, {})
    return tuple(name for name, digest in made_from(step, plan).items() if recorded.get(name, digest) != digest)


def set_aside(path: Path) -> Path:
    """Renames an artifact's folder so that nothing uses it, and returns its new path.

    Raises:
      PipelineError: It cannot be renamed.
    """
    names = (f"{DAMAGED}{path.name}{f'-{number}' if number > 1 else ''}" for number in itertools.count(1))
    target = next(target for name in names if not os.path.lexists(target := path.with_name(name)))
    try:
        path.rename(target)
    except OSError as error:
        raise PipelineError(
            f"`{path}` is damaged and cannot be set aside: {error.strerror}. Make its folder writable and run again."
        ) from error
    return target


def was_set_aside(path: Path) -> bool:
    """Whether the artifact that was in `path` has been set aside."""
    return any(path.parent.glob(f"{DAMAGED}{path.name}*"))


def describe(damage: Sequence[Damage]) -> str:
    """Returns the first damage in words, and how many more there are."""
    more = f" (and {len(damage) - 1:,} more)" if len(damage) > 1 else ""
    return f"{damage[0]}{more}"


class Repairs:
    """Sets aside what is damaged among the artifacts of one plan, and has it made again.

    Args:
      plan: The plan.
      store: The root; must be locked.
      make: Makes the artifact of a planned step.
      say: Takes the step, and a sentence for the user, of each artifact that is set aside.

    Attributes:
      made: How many artifacts were made again.
    """

    def __init__(
        self, plan: Plan, store: Store, make: Callable[[PlannedStep], object], say: Callable[[str, str], None]
    ) -> None:
        self._plan, self._store, self._make, self._say = plan, store, make, say
        self.made = 0

    def is_reusable(self, planned: PlannedStep) -> bool:
        """Whether a finished artifact still fits its inputs, of which some may have been made again in this run."""
        return planned.done and planned.path.is_dir() and not changed_inputs(planned.step, planned.path, self._plan)

    def make_room(self, planned: PlannedStep) -> None:
        """Sets the planned artifact aside where it is damaged."""
        if damage := self._store.damaged.pop(planned.path, None):
            self._set_aside(planned.step.name, planned.path, damage)

    def set_aside_others(self) -> None:
        """Sets aside what was found damaged outside the plan, when the plan looked for something to compare with."""
        own = {planned.path for planned in self._plan.values()}
        for path in [path for path in self._store.damaged if path not in own]:
            self._set_aside(path.parent.name, path, self._store.damaged.pop(path))

    def repair_inputs(self, planned: PlannedStep, *, shards: bool = False) -> bool:
        """Makes again what is damaged among the artifacts that a step reads.

        Args:
          planned: The step that is about to read them.
          shards: Whether the shards of Examples are hashed too.

        Returns:
          Whether anything was damaged.

        Raises:
          PipelineError: What was made again has other content, so the artifacts made from it do not fit any more.
        """
        repaired = False
        for name in planned.step.input_steps:
            source = self._plan[name]
            if not find_damage(source.path, self._store, shards=self._store.fetch_rows(source.path) or shards):
                continue
            repaired, before = True, _content(source.path)
            self._make(source)
            self.made += 1
            if _content(source.path) != before:
                raise PipelineError(
                    f"The artifact of `{name}` was damaged while this run used it, and what was made again has other "
                    "content than other steps have read. Run again."
                )
        return repaired

    def _set_aside(self, name: str, path: Path, damage: Sequence[Damage]) -> None:
        target = set_aside(path)
        where = target.relative_to(self._store.root)
        self._say(name, f"The artifact of `{name}` was damaged: {describe(damage)}. It was set aside as {where}.")


def _content(path: Path) -> str | None:
    """Returns the content digest of a finished artifact, None where its record cannot be read."""
    with contextlib.suppress(FileNotFoundError, UnreadableFileError):
        return content_digest(read_object(path / ARTIFACT_FILE)) or None
    return None
