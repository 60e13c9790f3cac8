"""Takes the newest version of a model out of service."""

from __future__ import annotations

import contextlib
import datetime
from dataclasses import dataclass
from pathlib import Path

from crossnet.components import interrupts
from crossnet.components.errors import PipelineError
from crossnet.components.files import folder_checksum
from crossnet.components.model_folder import (
    RECORD,
    ROLLED_BACK,
    flush,
    locked,
    prepare_record,
    read_record,
    record_problem,
    user_name,
    versions_in_service,
    versions_rolled_back,
)


@dataclass(frozen=True)
class RollBack:
    """What a rollback did.

    Attributes:
      removed: The version taken out of service.
      restored: The version that servers go back to; None: to no version.
      notes: What is worth knowing, one sentence each.
    """

    removed: int
    restored: int | None
    notes: tuple[str, ...] = ()


def roll_back(
    folder: Path, reason: str = "", *, confirmed: bool = False, started: datetime.datetime | None = None
) -> RollBack:
    """Takes the newest version out of service by renaming it to `<version>.rolled_back`.

    Of calls that started at once, one takes a version out; the others find that it is gone and change nothing.

    Args:
      folder: `<serving_dir>/<model_name>`.
      reason: Why; kept in the version's record.
      confirmed: Do so also where no version, or a damaged one, would be in service afterwards.
      started: When the caller decided, UTC; a rollback after that is another's. None: now.

    Raises:
      PipelineError: Nothing is in service, another rollback or push came first, what would be in service afterwards
        needs `confirmed`, or the folder cannot be written. Nothing was changed.
    """
    started = started or datetime.datetime.now(datetime.UTC)
    try:
        meant = next(iter(versions_in_service(folder)), None)
        if meant is None:
            _refuse_another(folder, started, "no version is in service now")
            raise PipelineError(f"No version is in service in `{folder}`. Push one with `crossnet run`.")
        with locked(folder):
            versions = versions_in_service(folder)
            newest = next(iter(versions), None)
            now = "no version is in service now" if newest is None else f"version {newest} is in service"
            _refuse_another(folder, started, now)
            if newest is None or newest != meant:
                raise PipelineError(
                    f"Version {meant} was to be taken out of service in `{folder}`, but the folder has changed "
                    f"meanwhile: {now}. Nothing was changed. Look, and call `crossnet rollback` again."
                )
            return _take_out(folder, versions, reason, confirmed)
    except OSError as error:
        raise PipelineError(
            f"Cannot roll back in `{folder}`: {error.strerror or error}. Nothing was changed. Call as a user who may "
            "write there."
        ) from error


def _refuse_another(folder: Path, started: datetime.datetime, now: str) -> None:
    """Raises where a version was rolled back after `started`."""
    for version in versions_rolled_back(folder):
        facts = read_record(folder, version).get("rolled_back", {})
        with contextlib.suppress(TypeError, KeyError, ValueError):  # a record that somebody has edited
            moment = datetime.datetime.fromisoformat(facts["at"])
            if started <= moment <= datetime.datetime.now(datetime.UTC):
                raise PipelineError(
                    f"Another rollback (by {facts['by']}) has just taken version {version} out of service in "
                    f"`{folder}`: {now}. Nothing else was changed. To take out that one too, call `crossnet rollback` "
                    "again."
                )


def _take_out(folder: Path, versions: dict[int, Path], reason: str, confirmed: bool) -> RollBack:
    """Renames the newest of `versions` and records it."""
    newest, *others = versions
    restored = others[0] if others else None
    if not confirmed:
        _ask(folder, newest, restored)
    target = folder / f"{newest}{ROLLED_BACK}"
    if target.exists():
        raise PipelineError(
            f"Version {newest} was taken out of service before, as `{target}`, and is in service again. Nothing was "
            "changed. Move one of the two folders away."
        )
    notes = [record_problem(folder, version) for version in (newest, restored) if version is not None]
    record = read_record(folder, newest)
    record["rolled_back"] = {
        "by": user_name(),
        "reason": reason,
        "at": datetime.datetime.now(datetime.UTC).isoformat(),
    }
    prepared = None
    unrecorded = "Who took it out and why could not be recorded"
    try:
        prepared = prepare_record(folder, newest, record)
    except OSError as error:  # a full disk must not keep a bad version in service
        notes.append(f"{unrecorded}: {error.strerror or error}.")
    interrupts.hold()  # the last moment: what is out of service is recorded and said, too
    versions[newest].rename(target)
    try:
        if prepared:
            prepared.replace(folder / f"{newest}{RECORD}")
        flush(folder)
    except OSError as error:
        notes.append(f"{unrecorded}: {error.strerror or error}.")
    return RollBack(newest, restored, tuple(note for note in notes if note))


def _ask(folder: Path, newest: int, restored: int | None) -> None:
    """Raises where what would be in service after the rollback of `newest` is nothing, or is damaged."""
    if restored is None:
        raise PipelineError(
            f"Version {newest} is the last one of `{folder.name}` in service: without it, servers would have nothing "
            "to answer with. Nothing was changed. To take it out all the same: `crossnet rollback --yes`."
        )
    checksum = read_record(folder, restored).get("checksum")
    if checksum and folder_checksum(versions_in_service(folder)[restored]) != checksum:
        raise PipelineError(
            f"Version {restored} of `{folder.name}`, which servers would go back to, is damaged: its files are not "
            "those that were pushed. Nothing was changed. Move that version away, or take out "
            f"version {newest} all the same: `crossnet rollback --yes`."
        )
