"""Reads and writes folders of object stores through pyarrow.

    folder = StoreFolder("s3://bucket/models/rides?region=eu-central-1")
    folder.entries()  # {"12": Entry(is_folder=True), "12.json": Entry(...)}

Credentials come from pyarrow's usual places: for S3 `AWS_ACCESS_KEY_ID` and the others of AWS, for Google
`GOOGLE_APPLICATION_CREDENTIALS`.
"""

from __future__ import annotations

import contextlib
import queue
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import grpc

from crossnet.serving.protocol.bounded_text import cut
from crossnet.serving.status import ServingError
from crossnet.serving.storage.uris import KNOWN, shown_uri, with_region, without_secrets

TIMEOUT_SECONDS = 30.0  # of one answer of a store
_CONNECT_SECONDS = 3.0
_SILENT_SECONDS = 10.0  # on a connection
_ATTEMPTS = 2
_RETRY_SECONDS = 20  # Google's own limit is 15 minutes
_PIECE_BYTES = 8 << 20
_MAX_REASON = 300  # characters
_REQUEST_ID = re.compile(r" \(Request ID: [^)]*\)")
Answer = TypeVar("Answer")


class StoreError(ServingError):
    """A store cannot be reached, or refuses what is asked of it; the message names the URI and the reason."""

    def __init__(self, message: str, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> None:
        super().__init__(message, code)


class Entry(NamedTuple):
    """What a store says of a file or folder; a folder has neither size nor time.

    Attributes:
      is_folder: Whether it is a folder.
      size: In bytes.
      changed: When it was written, in nanoseconds since 1970 by the store's clock; some stores know whole seconds.
    """

    is_folder: bool
    size: int = 0
    changed: int = 0


def check_uri(uri: str) -> None:
    """Checks that pyarrow knows the scheme and the options of a URI, and that it names a folder. Asks no store.

    Raises:
      StoreError: INVALID_ARGUMENT; it does not.
    """
    _opened(with_region(uri), uri)


class StoreFolder:
    """A folder that is named by a URI. Each call asks the store, and fails within `TIMEOUT_SECONDS`.

    Args:
      uri: As pyarrow's `FileSystem.from_uri` takes it.

    Attributes:
      name: The URI for a message, without secrets.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.name = shown_uri(uri)
        self._system: tuple[Any, str] | None = None

    def entries(self, below: str = "", *, deep: bool = False) -> dict[str, Entry] | None:
        """Returns what is in the folder by name, or in a folder below it; None where there is nothing of that name.

        Args:
          below: A relative path.
          deep: Return all files below it, by relative path, and no folders.

        Raises:
          StoreError: The store does not answer or refuses; or a name leads out of the folder.
        """

        def look(system: Any, path: str) -> dict[str, Entry] | None:
            from pyarrow.fs import FileSelector, FileType

            try:
                found = system.get_file_info(FileSelector(path, recursive=deep))
            except FileNotFoundError:
                return None
            named = ((info.path[len(path) :].lstrip("/"), info) for info in found)
            return {
                _checked(name, self.name): Entry(is_folder, 0 if is_folder else info.size, info.mtime_ns or 0)
                for name, info in named
                if not ((is_folder := info.type == FileType.Directory) and deep)
            }

        return self._ask("read", look, below)

    def entry(self, below: str) -> Entry | None:
        """Returns what the store says of one file or folder; None where there is nothing of that name."""

        def look(system: Any, path: str) -> Entry | None:
            from pyarrow.fs import FileType

            info = system.get_file_info(path)
            if info.type == FileType.NotFound:
                return None
            return Entry(info.type == FileType.Directory, info.size or 0, info.mtime_ns or 0)

        return self._ask("read", look, below)

    def read(self, below: str) -> bytes:
        """Returns the content of a small file.

        Raises:
          StoreError: As `entries`; or the file is not there.
        """

        def content(system: Any, path: str) -> bytes:
            with system.open_input_stream(path) as stream:
                return bytes(stream.read())

        return self._ask("read", content, below)

    def download(self, below: str, target: Path) -> None:
        """Copies a file to `target`, whose folders are made; each piece of it has to come within the time.

        Raises:
          StoreError: As `read`.
          OSError: It cannot be written here.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        stream = self._ask("read", lambda system, path: system.open_input_stream(path), below)
        with target.open("wb") as file:
            while piece := self._ask("read", lambda *_: stream.read(_PIECE_BYTES), below):
                file.write(piece)
        self._ask("read", lambda *_: stream.close(), below)

    def write(self, below: str, content: bytes) -> None:
        """Puts a small file, in place of one of that name.

        Raises:
          StoreError: The store does not answer or refuses.
        """

        def put(system: Any, path: str) -> None:
            _make_parent(system, path)
            with system.open_output_stream(path) as stream:
                stream.write(content)

        self._ask("written", put, below)

    def upload(self, source: Path, below: str) -> None:
        """Puts a file, in place of one of that name; each piece of it has to be taken within the time.

        Raises:
          StoreError: As `write`; what is there then may be half of the file.
          OSError: It cannot be read here.
        """

        def begin(system: Any, path: str) -> Any:
            _make_parent(system, path)
            return system.open_output_stream(path)

        with source.open("rb") as file:
            stream = self._ask("written", begin, below)
            while piece := file.read(_PIECE_BYTES):
                self._ask("written", lambda *_, piece=piece: stream.write(piece), below)
        self._ask("written", lambda *_: stream.close(), below)

    def remove(self, below: str) -> None:
        """Removes a file, where it is there.

        Raises:
          StoreError: As `write`.
        """

        def delete(system: Any, path: str) -> None:
            with contextlib.suppress(FileNotFoundError):
                system.delete_file(path)

        self._ask("removed", delete, below)

    def _ask(self, what: str, call: Callable[[Any, str], Answer], below: str) -> Answer:
        """Returns `call(file system, path)`, of which a thread waits for the store."""

        def work() -> Answer:
            if self._system is None:
                self._system = _limited(*_opened(self.uri, self.uri), uri=self.uri)
            system, path = self._system
            return call(system, f"{path}/{below}" if below else path)

        where = f"{self.name}/{below}" if below else self.name
        try:
            return within(TIMEOUT_SECONDS, work)
        except TimeoutError:
            raise StoreError(
                f"`{cut(where)}` cannot be {what}: the store did not answer within {TIMEOUT_SECONDS:g} s."
            ) from None
        except StoreError:
            raise
        except (OSError, ValueError, NotImplementedError) as error:  # pyarrow's errors are of these kinds
            raise StoreError(f"`{cut(where)}` cannot be {what}: {reason_of(error, self.uri)}.") from error


def within(seconds: float, call: Callable[[], Answer]) -> Answer:
    """Returns `call()`, which runs in another thread.

    A library that waits for a network cannot be interrupted; its thread is left behind, and ends with the process.

    Raises:
      TimeoutError: It takes longer.
    """
    answers: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put((True, call()))
        except BaseException as error:
            answers.put((False, error))

    threading.Thread(target=work, name="store", daemon=True).start()
    try:
        is_answer, value = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if not is_answer:
        raise value
    answer: Answer = value
    return answer


def reason_of(error: BaseException, uri: str) -> str:
    """Returns a store's own words for a message: one line, no secrets, no full stop."""
    text = _REQUEST_ID.sub("", without_secrets(str(error), uri)).partition("\n")[0]
    return cut(text, _MAX_REASON).strip().rstrip(".") or type(error).__name__


def _opened(readable: str, uri: str) -> tuple[Any, str]:
    """Returns the file system and the path of a URI."""
    from pyarrow.fs import FileSystem

    try:
        system, path = FileSystem.from_uri(readable)
    except (OSError, ValueError, NotImplementedError) as error:
        raise StoreError(
            f"`{cut(shown_uri(uri))}` cannot be read: {reason_of(error, uri)}. Expected the URI of a folder as pyarrow "
            f"takes it, such as {KNOWN}.",
            grpc.StatusCode.INVALID_ARGUMENT,
        ) from error
    path = path.rstrip("/")
    if not path:
        raise StoreError(f"`{cut(shown_uri(uri))}` names no bucket and no folder.", grpc.StatusCode.INVALID_ARGUMENT)
    return system, path


def _limited(system: Any, path: str, *, uri: str) -> tuple[Any, str]:
    """Returns the file system with few retries and short waits, so that no call outlives `TIMEOUT_SECONDS` by much."""
    from pyarrow import fs

    query = uri.partition("?")[2]
    if system.type_name == "s3" and "tls_verify_certificates" not in query:  # which the options do not have
        make, (options,) = system.__reduce__()
        limits = {"connect_timeout": _CONNECT_SECONDS, "request_timeout": _SILENT_SECONDS, "background_writes": False}
        system = make({**options, **limits, "retry_strategy": fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS)})
    elif system.type_name == "gcs" and "retry_limit_seconds" not in query:
        limited = f"{uri}{'&' if query else '?'}retry_limit_seconds={_RETRY_SECONDS}"
        system, path = fs.FileSystem.from_uri(limited)
    return system, path


def _make_parent(system: Any, path: str) -> None:
    """Makes the folder of a file where folders are more than a part of a name."""
    if system.type_name in ("local", "hdfs"):
        system.create_dir(path.rpartition("/")[0], recursive=True)


def _checked(name: str, folder: str) -> str:
    """Returns a relative path of a store unless it leads out of its folder, as a key of an object may."""
    if any(part in ("", ".", "..") for part in name.split("/")) or "\0" in name:
        raise StoreError(f"`{folder}` holds `{cut(name)}`, which is not a path below it. It is not read.")
    return name
