"""Watches a command whose memory is limited, and speaks where it cannot.

A library of C that gets no memory ends its process: OpenBLAS exits with 1, Arrow reads a null pointer, C++ aborts. No
code in that process can speak then. So where `ulimit -v` or `ulimit -d` is set, the command works in a child of this
process, which says in its place what was refused.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import re
import resource
import signal
import sys
import time
from pathlib import Path

from crossnet.components import interrupts
from crossnet.components.signal_watch import end_with_parent
from crossnet.pipeline.called import as_typed
from crossnet.pipeline.faults import explain
from crossnet.serving.protocol.printable import printable

_TOLD, _SIGINTS = 0, 1  # bytes of the page that both processes share: exit code + 1, and how often SIGINT came
_BY_ITSELF = (0, 2, 3, 128 + signal.SIGINT, 128 + signal.SIGTERM)  # exit codes that no library has
_FORWARDED = (signal.SIGINT, signal.SIGTERM)
_NEWS_SECONDS = 1.0  # how long a signal may take from this process to its parent, or back
_TICK_SECONDS = 0.01

_LOOK_SECONDS = 1.0
_MAX_LOOKS = 8
_LITTLE_BYTES = 33 << 20  # below the limit: OpenBLAS asks for blocks of 32 MiB
_BUSY_SHARE = 0.2  # of the CPU that it took since the last look, in calls of the system

_page: mmap.mmap | None = None  # in the child


def watch() -> None:
    """Starts a child and returns in it. In this process it ends when the child has, with its exit code.

    Raises:
      OSError: No process can be started.
    """
    global _page
    page = mmap.mmap(-1, mmap.PAGESIZE)
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    parent, child = os.getpid(), os.fork()
    if not child:
        _page = page
        interrupts.be_watched(tell, _is_from_library)
        end_with_parent()
        if os.getppid() != parent:
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
        return

    def forward(number: int, _: object) -> None:
        page[_SIGINTS] += number == signal.SIGINT and page[_SIGINTS] < 255
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    for number in _FORWARDED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    look = _Spinning(child)
    signal.signal(signal.SIGALRM, lambda *_: look.end_if_so())
    signal.setitimer(signal.ITIMER_REAL, _LOOK_SECONDS, _LOOK_SECONDS)
    _, status = os.waitpid(child, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in _FORWARDED:
        signal.signal(number, signal.SIG_IGN)
    os._exit(_code_of(os.waitstatus_to_exitcode(status), page[_TOLD]))


class _Spinning:
    """Whether a process asks for memory in vain, again and again, and gets no further.

    CPython 3.11 raises an exception for ever where it gets no memory for a number of the traceback (`exception_unwind`
    in ceval.c), and OpenBLAS asks for ever for a block of its own (`blas_memory_alloc`): no code of Python runs any
    more. Such a process has taken nearly all that it may have. Its main thread is busy with calls of the system, and
    yet waits for nothing, reads nothing, writes nothing and touches no page for the first time.
    """

    def __init__(self, process: int) -> None:
        self._folder = Path(f"/proc/{process}")
        self._process, self._looks = process, 0
        self._before: tuple[int, int, list[str]] = (0, 0, [])

    def end_if_so(self) -> None:
        """Ends the process after some looks, one after the other, in which it has done nothing else."""
        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit == resource.RLIM_INFINITY:
            return
        with contextlib.suppress(OSError, ValueError, IndexError):
            thread = self._folder / "task" / self._folder.name
            facts = (thread / "stat").read_text(errors="replace").rpartition(")")[2].split()
            work = [facts[7], facts[9], facts[20]]  # fields 10, 12 and 23 of proc(5): pages, and the size
            work += re.findall(r"(?m)^voluntary_ctxt_switches.*", (thread / "status").read_text(errors="replace"))
            work += (self._folder / "io").read_text().split("\n")[:2]  # bytes read and written
            by_itself, in_system = int(facts[11]), int(facts[12])  # fields 14 and 15
            before, self._before = self._before, (by_itself, in_system, work)
            asked, passed = in_system - before[1], in_system - before[1] + by_itself - before[0]
            spins = int(facts[20]) > limit - _LITTLE_BYTES and asked > _BUSY_SHARE * passed and work == before[2]
            self._looks = self._looks + 1 if spins else 0
            if self._looks >= _MAX_LOOKS:
                os.kill(self._process, signal.SIGKILL)


def tell(code: int) -> None:
    """Tells the parent, where there is one, that this process ends by itself, with `code`."""
    if _page is not None:
        _page[_TOLD] = code + 1


def _is_from_library(number: int) -> bool:
    """Returns whether a library has sent this process SIGINT, as OpenBLAS does where it can start no thread.

    The parent gets the SIGINT of a terminal, of `timeout` or of `kill` as well.
    """
    if _page is None or number != signal.SIGINT:
        return False
    until = time.monotonic() + _NEWS_SECONDS
    while not _page[_SIGINTS] and time.monotonic() < until:
        time.sleep(_TICK_SECONDS)
    return not _page[_SIGINTS]


def end_unheard(error: BaseException) -> None:
    """Ends the child, for which its parent speaks, where `error` says that memory was refused."""
    if _page is None:
        return
    try:
        refused = explain(error, "", Path()) is not None
    except MemoryError:
        refused = True
    if refused:
        os._exit(1)


def _code_of(exit_code: int, told: int) -> int:
    """Returns the exit code, and says what the child could not say.

    Args:
      exit_code: The child's; negative: the signal that has ended it.
      told: What it has told, and 1; 0: nothing.
    """
    if told:
        return told - 1
    if exit_code in _BY_ITSELF:
        return exit_code
    if -exit_code in _FORWARDED:
        return 128 - exit_code
    command = " ".join(["`crossnet", *sys.argv[1:2]])
    sentence = explain(MemoryError(), f"{command}`", Path()) or ""
    if exit_code < 0:
        sentence = sentence.replace(". ", f", which ended it by {signal.Signals(-exit_code).name}. ", 1)
    sentence = printable(as_typed(sentence))
    with contextlib.suppress(OSError):
        os.write(2, f"{sentence}\n".encode(errors="replace"))
        os.write(1, f"{json.dumps({'error': sentence})}\n".encode() if "--json" in sys.argv else b"")
    return 1
