"""Says in words what the system refuses: space, memory, permission.

No exception class of a library is imported for it: an error of TensorFlow or Arrow is known by its module and its text.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

from crossnet.components.errors import PipelineError
from crossnet.serving.protocol.memory_limits import LIMITS, is_limited

_ROOT_ADVICE = "or name a folder elsewhere with --root"
_SPACE_ADVICE = f"Free some, for instance with `crossnet gc`, {_ROOT_ADVICE}."
_MEMORY_ADVICE = (
    "End other programs, allow this one more memory, or let it take less: a lower `trainer.batch_size`, "
    "`trainer.cache_mib` or `num_workers`."
)
# What other programs' code says in text only. Permission is not among them: TensorFlow has no other word for it.
_IN_TEXT = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO),
    *(errno.EACCES, errno.EPERM, errno.EAGAIN),
)
_MEMORY_WORDS = (
    *("bad_alloc", "out of memory", "OOM when allocating", "Unable to allocate", "malloc of size", "realloc of size"),
    *("failed to map segment", "cannot allocate memory", "can't start new thread"),
    "Op type not registered ''",  # of TensorFlow, where the name of an op found no room
)
# What TensorFlow says when an operation's inputs found no room. Without a limit on memory it would be another defect,
# as would a SystemError: code of C has got nothing and forgotten to say why.
_LOST_INPUT = "Attempt to access beyond input size"
_SPEAK_IN_TEXT = ("tensorflow", "tf_keras", "pyarrow", "concurrent")
_MAX_CHAIN = 20  # errors that caused one another


class FaultError(PipelineError):
    """The system refused what a command needs: space, memory, permission."""


@contextlib.contextmanager
def explained(where: str, folder: Path) -> Iterator[None]:
    """Inside, what the system refuses becomes a FaultError.

    Args:
      where: What was at work, such as "`pusher`".
      folder: Where it writes.

    Raises:
      FaultError: With a sentence for the user.
    """
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        if (sentence := explain(error, where, folder)) is None:
            raise
        raise FaultError(sentence) from error


def explain(error: BaseException, where: str, folder: Path) -> str | None:
    """Returns a sentence for what the system refused, and what to do; None where the error has another cause.

    Args:
      error: What was raised.
      where: What was at work, such as "`pusher`".
      folder: Where it writes: its free space is named where space has run out.
    """
    seen = error
    for _ in range(_MAX_CHAIN):
        if (found := _explain(seen, where, folder)) is not None:
            return f"{where} failed: {found}"
        following = seen.__cause__ or seen.__context__
        if following is None:
            break
        seen = following
    return None


# They write one file, not shards, and not below a root.
_OF_ONE_FILE = ("`crossnet predict`", "`crossnet export`", "`crossnet compile`", "`crossnet sbom`")


def _explain(error: BaseException, where: str, folder: Path) -> str | None:
    text = str(error)
    if isinstance(error, MemoryError):
        return _memory()
    if isinstance(error, OSError) and error.errno is not None:
        return _system_error(error.errno, error, where, folder)
    in_text = type(error).__module__.startswith(_SPEAK_IN_TEXT) or isinstance(error, OSError)
    if in_text:
        for number in _IN_TEXT:
            if os.strerror(number) in text:
                return _system_error(number, error, where, folder)
    if type(error).__name__ in ("BrokenProcessPool", "BrokenExecutor"):
        return (
            "the system ended one of its processes, as it does when memory runs out. Set `num_workers` lower, or allow "
            "more memory."
        )
    if (in_text or isinstance(error, RuntimeError | ImportError | SystemError)) and (
        type(error).__name__ == "ResourceExhaustedError" or any(word in text for word in _MEMORY_WORDS)
    ):
        return _memory()
    if is_limited() and ((in_text and _LOST_INPUT in text) or isinstance(error, SystemError)):
        return _memory()
    return None


def _system_error(number: int, error: BaseException, where: str, folder: Path) -> str:
    """Returns reason and advice for an errno."""
    name = getattr(error, "filename", None)
    path = Path(os.fsdecode(name)) if isinstance(name, str | bytes) else None
    place = f"`{path}`" if path else f"something in `{folder}`"
    if number in (errno.ENOSPC, errno.EDQUOT):
        quota = ", for this user at least" if number == errno.EDQUOT else ""
        return f"{_space(path or folder)}{quota}. {_SPACE_ADVICE}"
    if number == errno.EFBIG:
        limit = _limit(resource.RLIMIT_FSIZE, 2**20, " MiB")
        larger = f"a file became larger than {limit or 'its file system takes'}{' (`ulimit -f`)' if limit else ''}."
        if where in _OF_ONE_FILE:
            return f"{larger} Raise the limit, or write to another file system."
        return f"{larger} Raise the limit, set `example_gen.num_shards` higher, {_ROOT_ADVICE}."
    if number in (errno.EMFILE, errno.ENFILE):
        limit = _limit(resource.RLIMIT_NOFILE, 1, "")
        return f"too many files are open{f' (at most {limit}, `ulimit -n`)' if limit else ''}. Allow more."
    if number in (errno.ENOMEM, errno.EAGAIN):
        return _memory()
    if number == errno.EROFS:
        return f"{place} is on a file system that is read-only. Make it writable, {_ROOT_ADVICE}."
    if number in (errno.EACCES, errno.EPERM):
        return f"the permission for {place} is denied. Give it to this user, {_ROOT_ADVICE}."
    return f"{os.strerror(number)}: {place}. Look at that path, then call again."


def _memory() -> str:
    for kind, option in LIMITS.items():
        if limit := _limit(kind, 2**20, " MiB"):
            return f"the system refused it memory (at most {limit}, `ulimit {option}`). {_MEMORY_ADVICE}"
    return f"the system refused it memory. {_MEMORY_ADVICE}"


def _limit(kind: int, unit: int, name: str) -> str:
    """Returns a limit of this process in words; empty where there is none."""
    limit = resource.getrlimit(kind)[0]
    return "" if limit == resource.RLIM_INFINITY else f"{limit / unit:,.2f}".rstrip("0").rstrip(".") + name


def _space(path: Path) -> str:
    """Returns how much is free where `path` is or would be."""
    there = next((folder for folder in (path, *path.absolute().parents) if os.path.isdir(folder)), Path("/"))
    try:
        facts = os.statvfs(there)
    except OSError:
        return f"no space is left in `{there}`"
    if facts.f_files and not facts.f_favail:
        return f"no space is left for another file in `{there}` (0 of {facts.f_files:,} inodes are free)"
    return f"no space is left in `{there}` ({facts.f_bavail * facts.f_frsize / 2**20:,.1f} MiB free)"
