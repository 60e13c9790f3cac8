"""Starts the embedded server with the real server's flags.

`python -m crossnet.serving.server_command --port=8500 ...`

Imports inside the functions let a signal end the command from the first moment on.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crossnet.serving.config.flags import ServerFlags

_NUMBERS = (signal.SIGTERM, signal.SIGINT)
_ONE_SIGNAL_SECONDS = 0.2  # a terminal and `timeout` may send a signal twice; what comes later is a second one
_EXTRA_SECONDS = 5.0  # after the drain, before the process ends without its running calls


def main(argv: Sequence[str] | None = None, *, stopping: threading.Event | None = None) -> int:
    """Runs the server as a command, until SIGTERM or SIGINT.

    Args:
      argv: tensorflow_model_server's flags; the process's arguments if not given.
      stopping: Set if a signal has come already; the server then does not start.

    Returns:
      The exit code: 0 after a signal, 1 if the start failed, 2 for wrong usage.
    """
    from crossnet.serving.config.flags import parse_flags
    from crossnet.serving.embedded.logs import log_to_stderr
    from crossnet.serving.protocol.printable import tell
    from crossnet.serving.status import ServingError

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    log_to_stderr()
    try:
        flags = parse_flags(sys.argv[1:] if argv is None else argv)
    except ServingError as error:
        tell(str(error))
        return error.exit_code
    if flags.version:
        from importlib.metadata import version

        sys.stdout.write(f"TensorFlow ModelServer: embedded-{version('crossnet-pipeline')}\n")
        sys.stdout.write(f"TensorFlow Library: {version('tensorflow')}\n")
        return 0
    return run(flags, stopping or threading.Event())


def run(flags: ServerFlags, stopping: threading.Event) -> int:
    """Serves until a signal comes and returns the exit code. Prints the models and addresses on stderr.

    A signal that comes before the server listens ends the process at once, and so does a second one.

    Args:
      flags: The server's settings.
      stopping: Set if a signal has come already; the server then does not start.
    """
    from crossnet.serving.embedded.memory import return_large_blocks
    from crossnet.serving.embedded.quiet import import_tensorflow
    from crossnet.serving.protocol.printable import tell
    from crossnet.serving.server import DRAIN_SECONDS, Server
    from crossnet.serving.status import ServingError

    server = Server(flags)
    for number in _NUMBERS:  # before the import of TensorFlow, which takes seconds
        signal.signal(number, _stopping(server.ask_to_stop, lambda: bool(server.addresses)))
    if stopping.is_set():
        server.ask_to_stop()
    return_large_blocks()
    import_tensorflow()
    try:
        if not server.is_stopping:
            server.start()
    except ServingError as error:
        tell(str(error))
        return error.exit_code
    if not server.is_stopping:
        # TensorFlow's objects stay for good: the garbage collector should not visit them while requests wait.
        gc.collect()
        gc.freeze()
        tell(f"serving {', '.join(server.models)} at {', '.join(server.addresses)} (embedded)")
    server.wait()
    ended = threading.Event()
    threading.Thread(target=_exit_after, args=(ended, DRAIN_SECONDS + _EXTRA_SECONDS), daemon=True).start()
    server.stop()
    ended.set()
    return 0


def _stopping(ask_to_stop: Callable[[], None], is_listening: Callable[[], bool]) -> Callable[..., None]:
    """Returns a signal handler for a server: it asks it to stop, and ends the process where that is not enough."""
    asked: list[float] = []

    def handle(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not is_listening() or (asked and now - asked[0] > _ONE_SIGNAL_SECONDS):
            os._exit(0)
        asked.append(now)
        ask_to_stop()

    return handle


def _exit_after(ended: threading.Event, seconds: float) -> None:
    """Exits the process if `ended` is not set in time: a graph that never returns cannot be interrupted."""
    if not ended.wait(seconds):
        from crossnet.serving.protocol.printable import tell

        tell("A call is still running; the server exits without waiting for it.")
        os._exit(0)


if __name__ == "__main__":
    for _number in _NUMBERS:
        if signal.getsignal(_number) is not signal.SIG_IGN:
            signal.signal(_number, lambda *_: os._exit(0))
    _code = main()
    for _number in _NUMBERS:  # while Python clears up, which must not change the exit code
        signal.signal(_number, signal.SIG_IGN)
    sys.exit(_code)
