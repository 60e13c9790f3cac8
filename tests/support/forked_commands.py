"""Starts `crossnet` commands by forking a process that has imported TensorFlow and used nothing of it.

TensorFlow's import takes three CPU seconds; a command that is forked here begins after it and is then the real command:
same code, own process, own session. It can be killed at a chosen operation on files, and files what it did (`Watch`).

    with Commands(folder) as commands:
        child = commands.start("run", "--root", root)
        assert child.wait() == 0, child.err
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from support import REPOSITORY

_TIMEOUT_SECONDS = 120.0
# Audit event -> the arguments that are paths, each with the argument that is its directory's descriptor (or None).
_EVENTS: dict[str, tuple[tuple[int, int | None], ...]] = {
    "open": ((0, None),),
    "os.mkdir": ((0, 2),),
    "os.rename": ((0, 2), (1, 3)),
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.symlink": ((1, 2),),
    "os.link": ((1, 3),),
    "os.chmod": ((0, 2),),
    "os.truncate": ((0, None),),
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
# What `run` imports in its steps.
_MODULES = (
    "crossnet.pipeline.cli.screen",
    "crossnet.pipeline.runner",
    "crossnet.pipeline.report.pages",
    "crossnet.components.example_gen",
    "crossnet.components.statistics_gen",
    "crossnet.components.schema_gen",
    "crossnet.components.example_validator",
    "crossnet.components.trainer",
    "crossnet.components.evaluator",
    "crossnet.components.infra_validator",
    "crossnet.components.pusher",
    "crossnet.serving.client",
    "crossnet.serving.predict",
    "crossnet.serving.server",
    "crossnet.serving.embedded.servicer",
    "crossnet.serving.embedded.model",
    "crossnet.serving.embedded.warmup",
)


@dataclass(frozen=True)
class Watch:
    """Which operations on files are counted, from 0, and which of them ends the command.

    Attributes:
      under: Folders.
      stop_at: The operation before which the process kills itself with SIGKILL; None: none.
      then: None: kill at once, before that operation; else the process goes on, and this many seconds after that
        operation began it is killed from outside.
    """

    under: tuple[Path, ...]
    stop_at: int | None = None
    then: float | None = None


@dataclass
class Child:
    """A command that was started.

    Attributes:
      pid: Its process, which leads its own session.
      out_file, err_file: What it prints.
      operations: The operations on files that it was about to do: event and path.
    """

    pid: int
    out_file: Path
    err_file: Path
    watch: Watch | None
    operations: list[tuple[str, str]] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _code: int = 0

    @property
    def out(self) -> str:
        return self.out_file.read_text(encoding="utf-8", errors="replace")

    @property
    def err(self) -> str:
        return self.err_file.read_text(encoding="utf-8", errors="replace")

    @property
    def said(self) -> str:
        return self.out + self.err

    @property
    def running(self) -> bool:
        return not self._ended.is_set()

    def wait(self, seconds: float = _TIMEOUT_SECONDS) -> int:
        """Returns the exit code; negative: the signal that ended it.

        Raises:
          TimeoutError: It still runs.
        """
        if not self._ended.wait(seconds):
            raise TimeoutError(f"process {self.pid} still runs after {seconds} s; it printed\n{self.said}")
        return self._code

    def send(self, number: int) -> None:
        """Sends a signal, unless the command has ended."""
        if self.running:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Sends SIGKILL, unless the command has ended, and waits for the end."""
        with contextlib.suppress(ProcessLookupError):
            self.send(signal.SIGKILL)
        self.wait()

    def relatives(self) -> list[int]:
        """Processes of its session that still live, itself left out."""
        return [pid for pid in session_of(self.pid) if pid != self.pid]


class Commands:
    """Forks commands on request; ends those that still run when it is left.

    Args:
      folder: Where the output of the commands goes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: dict[int, Child] = {}
        self._started: dict[int, threading.Event] = {}
        self._lock = threading.Lock()
        self._number = 0
        environment = os.environ | {
            "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'tests'}",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONWARNINGS": "ignore::DeprecationWarning",  # Python 3.12 warns of a fork in a process with threads
        }
        with (folder / "forks.err").open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "support.forked_commands"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                cwd=folder,
                text=True,
                start_new_session=True,
            )
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, name="forked-commands", daemon=True)
        self._reader.start()
        if not self._ready.wait(_TIMEOUT_SECONDS) or self._process.poll() is not None:
            raise RuntimeError((folder / "forks.err").read_text(encoding="utf-8"))

    def __enter__(self) -> Commands:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self._children.values():
            kill_session(child.pid)
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait(30)
        self._process.stdout.close()  # type: ignore[union-attr]
        self._reader.join()

    def start(
        self,
        *arguments: object,
        cwd: Path | None = None,
        watch: Watch | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Child:
        """Starts `crossnet ARGUMENTS`."""
        with self._lock:
            number = self._number = self._number + 1
        begun = self._started[number] = threading.Event()
        out, err = self._folder / f"{number}.out", self._folder / f"{number}.err"
        out.touch()
        err.touch()
        child = self._children[number] = Child(0, out, err, watch)
        request = {
            "number": number,
            "arguments": [str(argument) for argument in arguments],
            "out": str(out),
            "err": str(err),
            "cwd": str(cwd or self._folder),
            "environment": dict(environment or {}),
            "watch": watch and {"under": [str(p) for p in watch.under], "stop_at": watch.stop_at, "then": watch.then},
        }
        with self._lock:
            assert self._process.stdin
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        if not begun.wait(_TIMEOUT_SECONDS):
            raise TimeoutError("the forking process does not answer")
        return child

    def run(self, *arguments: object, **options: Any) -> Child:
        """Starts a command and waits for its end."""
        child = self.start(*arguments, **options)
        child.wait()
        return child

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            message = json.loads(line)
            if "ready" in message:
                self._ready.set()
                continue
            child = self._children[message["number"]]
            if "pid" in message:
                child.pid = message["pid"]
                self._started[message["number"]].set()
            elif "operation" in message:
                child.operations.append(tuple(message["operation"]))
            elif "stop" in message:
                wait_exactly(child.watch.then)  # type: ignore[union-attr, arg-type]
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)
            else:
                child._code = message["code"]
                child._ended.set()
        self._ready.set()  # it has ended; nobody waits longer
        for child in self._children.values():
            child._ended.set()


def wait_exactly(seconds: float) -> None:
    """Waits without the kernel's rounding of short sleeps."""
    end = time.perf_counter() + seconds
    if seconds > 0.002:
        time.sleep(seconds - 0.002)
    while time.perf_counter() < end:
        pass


def session_of(leader: int) -> list[int]:
    """The living processes of a session."""
    return [pid for pid, session, state in _processes() if session == leader and state not in "ZX"]


def kill_session(leader: int) -> None:
    """Sends SIGKILL to the living processes of a session."""
    for pid in session_of(leader):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _processes() -> Iterator[tuple[int, int, str]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            except OSError:  # it has ended meanwhile
                continue
            yield int(folder.name), int(fields[3]), fields[0]


# ---- The process that forks ----


def main() -> None:
    """Reads requests from standard input and forks a command for each."""
    for module in _MODULES:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # a child's collector would copy all memory by visiting it
    channel = os.dup(1)
    os.set_inheritable(channel, False)
    _tell(channel, ready=True)
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        waiting: dict[int, tuple[int, int]] = {}  # a process's descriptor -> request, process
        rest = b""
        while True:
            for key, _ in selector.select():
                if key.fd != 0:
                    number, pid = waiting.pop(key.fd)
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    _tell(channel, number=number, code=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                    continue
                data = os.read(0, 1 << 16)
                if not data:  # the tests have ended, or were killed
                    for _, pid in waiting.values():
                        kill_session(pid)
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    request = json.loads(line)
                    pid = os.fork()
                    if not pid:
                        selector.close()
                        _become(request, channel)
                    _tell(channel, number=request["number"], pid=pid)
                    descriptor = os.pidfd_open(pid)
                    waiting[descriptor] = request["number"], pid
                    selector.register(descriptor, selectors.EVENT_READ)


def _tell(channel: int, **message: Any) -> None:
    os.write(channel, json.dumps(message).encode() + b"\n")


def _become(request: dict[str, Any], channel: int) -> NoReturn:
    """Turns this process into the command."""
    from crossnet.pipeline.cli import main as crossnet

    os.setsid()
    # Said here too: what the command says next may come before what its parent says, and process 0 is who kills it.
    _tell(channel, number=request["number"], pid=os.getpid())
    os.environ.pop("PYTHONWARNINGS", None)
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    for descriptor, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, request["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, request["err"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        opened = os.open(name, flags, 0o644)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.argv = ["crossnet", *request["arguments"]]
    if request["watch"]:
        sys.addaudithook(_auditor(request["number"], request["watch"], channel))
    else:
        os.close(channel)
    code = 0
    try:
        crossnet()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # not the teardown of TensorFlow's modules, which takes seconds of copied memory


def _auditor(number: int, watch: dict[str, Any], channel: int) -> Callable[[str, tuple[Any, ...]], None]:
    under = tuple(os.path.join(folder, "") for folder in watch["under"])
    done = 0

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal done
        if event not in _EVENTS or (event == "open" and not (arguments[2] or 0) & _WRITES):
            return
        for place, folder in _EVENTS[event]:
            path = _absolute(arguments, place, folder)
            if path and path.startswith(under):
                break
        else:
            return
        this, done = done, done + 1
        _tell(channel, number=number, operation=(event, path))
        if this == watch["stop_at"]:
            if watch["then"] is None:
                os.kill(os.getpid(), signal.SIGKILL)
            _tell(channel, number=number, stop=True)

    return audit


def _absolute(arguments: tuple[Any, ...], place: int, folder: int | None) -> str:
    path = arguments[place]
    if isinstance(path, int) or path is None:
        return ""
    path = os.fsdecode(path)
    descriptor = -1 if folder is None else arguments[folder]
    base = os.getcwd() if descriptor in (-1, None) else os.readlink(f"/proc/self/fd/{descriptor}")
    return os.path.join(base, path)


if __name__ == "__main__":
    main()
