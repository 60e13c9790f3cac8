"""Notices what changes outside the root while a run works.

A plan digests files, code and served models before anything runs; a step reads them later. A fingerprint is true only
if both saw the same bytes. So each step that runs is looked at again, before it starts and after it has read all that
it reads: its list of files and each file, the folders of its references, the code that it reaches, the libraries. What
has changed stops the run, and the step's result is not kept.

A file is not read once more where the kernel says that nobody has written it: its device, inode, size, time of
modification and time of change (ctime) are those from before it was digested. No program can set a ctime, and writing,
renaming, replacing or restoring an old mtime sets it to now. Two writes within one tick of the clock leave the same
ctime, so a file is digested again if its ctime was younger than two seconds then (the coarsest tick in use, FAT's). A
file that was written again with the same bytes counts as changed: a reader may have met it half-written. An inode alone
that differs, as on file systems that number files anew, is settled by the digest. Relied on and not checked: a file
system that keeps ctime, and no writes through a memory map that was written before; code that is changed and changed
back within one step.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from crossnet.components.errors import ChangedError, PipelineError
from crossnet.pipeline import fingerprint as fp
from crossnet.pipeline.source_code import changed_code

if TYPE_CHECKING:
    from crossnet.pipeline.plan import PlannedStep

_SETTLED_NS = 2_000_000_000
_SHOWN = 3


class Seen(NamedTuple):
    """An outside file as a plan saw it.

    Attributes:
      digest: SHA-256 of its content, hexadecimal.
      place: Device and inode.
      state: Bytes, time of modification and time of change, the times in ns.
      is_settled: Whether the time of change was old enough for the next write to change it.
    """

    digest: str
    place: tuple[int, int]
    state: tuple[int, int, int]
    is_settled: bool


def look(path: Path, known: Seen | None = None) -> Seen:
    """Returns the file's digest and what the kernel says of it.

    Args:
      path: The file.
      known: What was seen of it before: the digest, where the kernel says the same and it was settled.

    Raises:
      OSError: It cannot be read.
    """
    place, state = _stat(path)
    if known is not None and known.is_settled and (known.place, known.state) == (place, state) and path.is_file():
        with path.open("rb"):  # it must be readable, as for a digest
            return known
    is_settled = path.is_file() and time.time_ns() - state[-1] > _SETTLED_NS
    return Seen(fp.content_digest(path), place, state, is_settled)


@contextlib.contextmanager
def noticed(planned: PlannedStep) -> Iterator[None]:
    """Stops a step whose plan is no longer true when the block begins or ends, also where it ends with an error.

    Raises:
      ChangedError: Something has changed; the message names it.
    """
    _stop(planned)
    try:
        yield
    except Exception as error:
        _stop(planned, error)  # a file half-written, say: the change is the cause, whatever the step made of it
        raise
    _stop(planned)


def _stop(planned: PlannedStep, cause: Exception | None = None) -> None:
    changes = list(find_changes(planned))
    if changes:
        more = f" and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
        raise ChangedError(
            f"While the run worked, {'; '.join(changes[:_SHOWN])}{more}. So what `{planned.step.name}` makes may not "
            "be what was planned, and it is not kept. Let the change come to its end, then call `crossnet run` again."
        ) from cause


def find_changes(planned: PlannedStep) -> Iterator[str]:
    """Yields, in words, what differs from what the plan saw of the outside."""
    yield from _changed_files(planned)
    for argument, folder in planned.references.items():
        if folder is not None and _digest_of(planned, argument, folder) != planned.parts["references"][argument]:
            yield f"`{folder}` was changed or removed"
    if modules := changed_code(*planned.step.modules):
        yield f"the code of {_listed(modules)} was changed"
    before: Mapping[str, str] = planned.parts["versions"]
    now = fp.counted_versions(fp.read_versions(planned.step.libraries))
    for name in before:
        if now[name] != before[name]:
            yield f"{name} {before[name]} became {now[name]}"


def _changed_files(planned: PlannedStep) -> Iterator[str]:
    if planned.step.data is None:
        return
    try:
        now = set(planned.step.data())
    except PipelineError:  # none is left
        now = set()
    for path in sorted(planned.files.keys() | now):
        if path not in planned.files:
            yield f"`{path}` came to the files that `{planned.step.name}` reads"
        elif problem := _difference(path, planned.files[path]):
            yield f"`{path}` {problem}"
        elif path not in now:
            yield f"`{path}` left the files that `{planned.step.name}` reads"


def _difference(path: Path, seen: Seen) -> str:
    try:
        place, state = _stat(path)
        is_same = state == seen.state
        if is_same and not (seen.is_settled and place == seen.place):
            is_same = fp.content_digest(path) == seen.digest
    except OSError as error:
        return "was removed" if isinstance(error, FileNotFoundError) else f"cannot be read now ({error.strerror})"
    return "" if is_same else "was changed"


def _digest_of(planned: PlannedStep, argument: str, folder: Path) -> str | None:
    try:
        return planned.step.references[argument].digest(folder)
    except OSError:
        return None


def _stat(path: Path) -> tuple[tuple[int, int], tuple[int, int, int]]:
    facts = os.stat(path)
    return (facts.st_dev, facts.st_ino), (facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more modules" if len(names) > _SHOWN else ""
    return ", ".join(f"`{name}`" for name in names[:_SHOWN]) + more
