"""Starts the embedded server with the real server's flags.

`python -m crossnet.serving.server_command --port=8500 ...`
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence

from crossnet.serving.config.flags import ServerFlags, parse_flags
from crossnet.serving.embedded.quiet import import_tensorflow
from crossnet.serving.protocol.printable import PrintableFormatter, tell
from crossnet.serving.server import DRAIN_SECONDS, Server
from crossnet.serving.status import ServingError

_EXTRA_SECONDS = 5.0  # after the drain, before the process ends without its running calls


def main(argv: Sequence[str] | None = None, *, stopping: threading.Event | None = None) -> int:
    """Runs the server as a command, until SIGTERM or SIGINT.

    Args:
      argv: tensorflow_model_server's flags; the process's arguments if not given.
      stopping: Set if a signal has come already; the server then does not start.

    Returns:
      The exit code: 0 after a signal, 1 if the start failed, 2 for wrong usage.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
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

    Args:
      flags: The server's settings.
      stopping: Set if a signal has come already; the server then does not start.
    """
    server = Server(flags)
    for number in (signal.SIGTERM, signal.SIGINT):  # before the import of TensorFlow, which takes seconds
        signal.signal(number, lambda *_: server.ask_to_stop())
    if stopping.is_set():
        server.ask_to_stop()
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


def _exit_after(ended: threading.Event, seconds: float) -> None:
    """Exits the process if `ended` is not set in time: a graph that never returns cannot be interrupted."""
    if not ended.wait(seconds):
        tell("A call is still running; the server exits without waiting for it.")
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
