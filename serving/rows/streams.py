"""Opens the files, pipes and devices that hold rows."""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import io
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from crossnet.serving.protocol.csv_bytes import COMPRESSIONS
from crossnet.serving.protocol.tfrecord import HEADER_BYTES, read_header
from crossnet.serving.status import OutputError, RowsError, UsageError

STANDARD_INPUT = "standard input"
_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOMEM)


class Output:
    """A stream to write to, whose failures are OutputErrors.

    Args:
      stream: The stream that is written to.
      name: Its name in a message.
    """

    def __init__(self, stream: Any, name: str) -> None:
        self._stream, self._name = stream, name

    def write(self, data: bytes) -> None:
        """Writes all of `data`.

        Raises:
          OutputError: It cannot be written.
          BrokenPipeError: The reader has closed the pipe.
        """
        with _write_errors(self._name):
            self._stream.write(data)

    def flush(self) -> None:
        """Writes what is buffered; raises as `write` does."""
        with _write_errors(self._name):
            self._stream.flush()

    def close(self) -> None:
        """Writes what is buffered, and ends the stream; raises as `write` does."""
        with _write_errors(self._name):
            self._stream.close()


@contextlib.contextmanager
def _write_errors(name: str) -> Iterator[None]:
    """Raises OutputError for an OSError of the block."""
    try:
        yield
    except BrokenPipeError:  # `| head`: the command line ends without a message
        raise
    except OSError as error:
        raise OutputError(f"Cannot write {name}: {error.strerror or error}. Name a place with room.") from error


@contextlib.contextmanager
def opened(rows: Path | str) -> Iterator[BinaryIO]:
    """Yields a file's bytes; "-" is standard input.

    It is decompressed where its first bytes are those of gzip, bz2, zstd or lz4.

    Raises:
      UsageError: It cannot be opened.
      RowsError: The system refuses it: too many files are open, or the disk reports an error.
    """
    if str(rows) == "-":
        if sys.stdin is None:
            raise UsageError("Cannot read standard input: it is closed. Name a file with `--rows`.")
        stdin = sys.stdin.buffer
        yield _decompressed(stdin, _compression(stdin)) if isinstance(stdin, io.BufferedReader) else stdin
        return
    try:
        stream = open(rows, "rb")  # noqa: SIM115 (closed below)
    except (OSError, ValueError) as error:
        kind = RowsError if _is_fault(error) else UsageError
        raise kind(f"Cannot read `{rows}`: {_reason(error)}.") from error
    with stream, _decompressed(stream, _compression(stream)) as content:
        yield content


def _decompressed(stream: io.BufferedReader, kind: str) -> BinaryIO:
    """Returns a file's bytes, of which `kind` is the compression; "": none."""
    if kind == "gzip":
        return cast(BinaryIO, gzip.GzipFile(fileobj=stream))
    if kind == "bz2":
        return cast(BinaryIO, bz2.BZ2File(stream))
    if kind:
        import pyarrow as pa

        return cast(BinaryIO, io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), kind)))
    return stream


def _compression(stream: io.BufferedReader) -> str:
    """Returns the compression that a file's first bytes show; "": none.

    A TFRecord of 35,615 bytes begins as gzip does, with a checksum that fits.
    """
    try:
        start = stream.peek(HEADER_BYTES)[:HEADER_BYTES]
    except OSError:
        return ""  # whoever reads it says why it cannot be read
    kind = next((kind for magic, kind in COMPRESSIONS.items() if start.startswith(magic)), "")
    try:
        read_header(start)
    except ValueError:
        return kind
    return ""


@contextlib.contextmanager
def written(output: Path | None) -> Iterator[Output]:
    """Yields a stream that becomes the file `output` when the block ends; after an error nothing has changed.

    A link keeps pointing to its file, and an existing file keeps its permissions. A pipe or a device is written as the
    answers come. None is standard output, written likewise; where writing it fails, the process's descriptor 1 is
    connected to the null device afterwards.

    Raises:
      UsageError: It cannot be opened for writing.
      OutputError: It cannot be written, or the system refuses it: the disk is full or read-only.
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
            raw, path, target = _create(output, stack)
        except (OSError, ValueError) as error:
            kind = OutputError if _is_fault(error) else UsageError
            raise kind(f"Cannot write {name}: {_reason(error)}.") from error
        stream = Output(gzip.GzipFile(target.name, "wb", fileobj=raw) if _is_gzip(output.name) else raw, name)
        try:
            yield stream
        except BaseException:
            with contextlib.suppress(OutputError, OSError):
                stream.close()
            raise
        stream.close()
        with _write_errors(name):
            raw.close()
            if path != target:
                os.replace(path, target)


def _create(output: Path, stack: contextlib.ExitStack) -> tuple[BinaryIO, Path, Path]:
    """Returns a stream, the path that it writes, and the path that the result is to have.

    The paths differ for a file, which is written beside its place, and removed there when `stack` ends.
    """
    mode = output.stat().st_mode if output.exists() else None
    if mode is not None and stat.S_ISDIR(mode):
        raise UsageError(f"Cannot write `{output}`: it is a folder. Name a file in it.")
    if mode is not None and not stat.S_ISREG(mode):
        return _closed_by(stack, output.open("wb")), output, output  # `/dev/fd/4` has no other name
    target = Path(os.path.realpath(output))
    _clear_unfinished(target.parent)
    path = target.with_name(f".crossnet-predict-{os.getpid()}-{secrets.token_hex(4)}.tmp")
    raw = _closed_by(stack, path.open("xb"))
    stack.callback(path.unlink, missing_ok=True)
    if mode is not None:
        os.chmod(path, stat.S_IMODE(mode))
    return raw, path, target


def _is_fault(error: OSError | ValueError) -> bool:
    """Whether the system refuses something, so that another call may work; else the name is wrong."""
    return isinstance(error, OSError) and error.errno in _FAULTS


def _clear_unfinished(folder: Path) -> None:
    """Removes the unfinished outputs of processes that were killed; none of a process that lives here."""
    for path in folder.glob(".crossnet-predict-*-*.tmp"):
        process = path.name.split("-")[2]
        if process.isdecimal() and not Path("/proc", process).exists():
            with contextlib.suppress(OSError):
                path.unlink()


def _reason(error: OSError | ValueError) -> str:
    """Returns why a file cannot be opened; Python's own words for a bad name differ between its versions."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "its name holds a character that file names cannot have"


def _closed_by(stack: contextlib.ExitStack, stream: BinaryIO) -> BinaryIO:
    """Returns the stream, which `stack` closes when it ends; an error of that says nothing new."""

    def close() -> None:
        with contextlib.suppress(OSError):
            stream.close()

    stack.callback(close)
    return stream


@contextlib.contextmanager
def _standard_output() -> Iterator[Output]:
    stream = Output(sys.stdout.buffer, "standard output")
    try:
        yield stream
        stream.flush()
    except (OutputError, BrokenPipeError):
        # Python would write what is still buffered again when it ends, and print an error.
        with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        raise


def _is_gzip(name: str) -> bool:
    return name.lower().endswith(".gz")
