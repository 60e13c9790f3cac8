"""The ends of `crossnet predict`: what rows are read from and written to, files, pipes and devices."""

from __future__ import annotations

import contextlib
import gzip
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from crossnet.serving.status import OutputError, UsageError

STANDARD_INPUT = "standard input"


class Output:
    """A stream to write to, whose failures have words.

    Args:
      stream: What is written to.
      name: It, as it is named in a sentence.
    """

    def __init__(self, stream: Any, name: str) -> None:
        self._stream, self._name = stream, name

    def write(self, data: bytes) -> None:
        """Writes all of `data`.

        Raises:
          OutputError: It cannot be written.
          BrokenPipeError: Nobody reads any more.
        """
        with _told(self._name):
            self._stream.write(data)

    def flush(self) -> None:
        """Hands on what is buffered; raises as `write` does."""
        with _told(self._name):
            self._stream.flush()

    def close(self) -> None:
        """Writes what is buffered, and the end; raises as `write` does."""
        with _told(self._name):
            self._stream.close()


@contextlib.contextmanager
def _told(name: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # `| head`: the command line ends without a word
        raise
    except OSError as error:
        raise OutputError(f"Cannot write {name}: {error.strerror or error}. Give a place with room.") from error


@contextlib.contextmanager
def opened(rows: Path | str) -> Iterator[BinaryIO]:
    """Yields a file's bytes, unpacked where its name ends in `.gz`; "-" is standard input.

    Raises:
      UsageError: It cannot be opened.
    """
    if str(rows) == "-":
        if sys.stdin is None:
            raise UsageError("Cannot read standard input: it is closed. Name a file with `--rows`.")
        yield sys.stdin.buffer
        return
    try:
        stream = (gzip.open if _is_gzip(str(rows)) else open)(rows, "rb")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UsageError(f"Cannot read `{rows}`: {getattr(error, 'strerror', None) or error}.") from error
    with stream:
        yield cast(BinaryIO, stream)


@contextlib.contextmanager
def written(output: Path | None) -> Iterator[Output]:
    """Yields a stream that becomes the file `output` at the end, and nothing when an error ends the block.

    A link keeps pointing to the file that it names, and a file that was there before keeps its permissions. What is no
    file (a pipe, a device) is written as the answers come. None: standard output, likewise; where that cannot be
    written, the process's descriptor 1 leads nowhere afterwards.

    Raises:
      UsageError: It cannot be opened for writing.
      OutputError: It cannot be written.
    """
    if output is None:
        if sys.stdout is None:
            raise UsageError("Cannot write standard output: it is closed. Name a file with `--output`.")
        with _standard_output() as stream:
            yield stream
        return
    name = f"`{output}`"
    with contextlib.ExitStack() as stack:
        try:
            mode = output.stat().st_mode if output.exists() else None
            if mode is not None and stat.S_ISDIR(mode):
                raise UsageError(f"Cannot write {name}: it is a folder. Name a file in it.")
            is_file = mode is None or stat.S_ISREG(mode)
            # What is no file is opened under the name given: `/dev/fd/4` is a pipe, which has no name of its own.
            target = Path(os.path.realpath(output)) if is_file else output
            path = target
            if is_file:
                path = target.with_name(f".crossnet-predict-{os.getpid()}-{secrets.token_hex(4)}.tmp")
            raw = path.open("xb" if is_file else "wb")
            stack.callback(_close_quietly, raw)
            if is_file:
                stack.callback(path.unlink, missing_ok=True)
                if mode is not None:
                    os.chmod(path, stat.S_IMODE(mode))
        except (OSError, ValueError) as error:
            raise UsageError(f"Cannot write {name}: {getattr(error, 'strerror', None) or error}.") from error
        stream = Output(gzip.GzipFile(target.name, "wb", fileobj=raw) if _is_gzip(output.name) else raw, name)
        try:
            yield stream
        except BaseException:
            with contextlib.suppress(OutputError, OSError):
                stream.close()
            raise
        stream.close()
        with _told(name):
            raw.close()
            if is_file:
                os.replace(path, target)


def _close_quietly(stream: Any) -> None:
    with contextlib.suppress(OSError):
        stream.close()


@contextlib.contextmanager
def _standard_output() -> Iterator[Output]:
    stream = Output(sys.stdout.buffer, "standard output")
    try:
        yield stream
        stream.flush()
    except (OutputError, BrokenPipeError):
        # What is still buffered cannot go where it should; Python would try again when it ends, and complain.
        with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        raise


def _is_gzip(name: str) -> bool:
    return name.lower().endswith(".gz")
