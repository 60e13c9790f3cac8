"""Writes a log of calls, without making a call wait.

A file holds TFRecords of TensorFlow Serving's own message PredictionLog, which its warm-up reads too. It has a
temporary name until it is closed; one that a killed process left is cut behind its last whole record and named by the
next log in the same folder.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import random
import secrets
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

from crossnet.serving.protocol.log_files import LogFile, check_is_writable, name_left_files
from crossnet.serving.protocol.tfrecord import footer_of, header_of
from crossnet.serving.protocol.varint import varint
from crossnet.serving.status import UsageError

LOGGER = logging.getLogger(__name__)

_GATHER_SECONDS = 0.05  # between two writes: a record at a time would wake the thread for each call
# So many are written sooner, and the next calls get their memory, while it is in the processor's caches. Calls of 1,000
# rows then cost 9 % more than without a log, and 12 % without this limit. With 256 KiB it was 16 %, because the thread
# wakes more often (2026-11-30).
_GATHER_BYTES = 1 << 20
# A larger call is made a record by the thread that writes. To pass a small one on costs it more than that.
_SMALL_BYTES = 64 << 10
_RETRY_SECONDS = 1.0  # after a write that failed
_REPORT_SECONDS = 10.0  # between two lines on what was dropped
_CHUNK_BYTES = 4 << 20
# Fields of PredictionLog by method, see tensorflow_serving/apis/prediction_log.proto.
_LOG_FIELDS = {"Classify": 2, "Regress": 3, "MultiInference": 4, "Predict": 6}

LOGGED = tuple(_LOG_FIELDS)

Message = bytes | Callable[[], bytes]


_Record = tuple[bytes, ...]  # the pieces of a TFRecord
_Waiting = tuple[int, _Record | partial[_Record]]  # with the bytes of memory that it takes


class RequestLog:
    """A log of calls in a folder; threads and clients may share one. Use it in a `with` block, or call `close()`.

    Args:
      folder: Where the files are; made where it does not exist.
      sampling_rate: The share of calls that is logged, from 0 to 1.
      max_file_bytes: A file that has grown so large is closed.
      max_file_seconds: A file that is so old is closed.
      max_waiting_bytes: Of calls that wait to be written; beyond, calls are dropped.

    Attributes:
      written, dropped: The numbers of calls that were written so far, and that were not, since the disk was slow or
        full.

    Raises:
      UsageError: The folder cannot be written, a number is out of its range, or `google-crc32c` is not installed.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        sampling_rate: float = 1.0,
        max_file_bytes: int = 64 << 20,
        max_file_seconds: float = 600.0,
        max_waiting_bytes: int = 64 << 20,
    ) -> None:
        if not 0 <= sampling_rate <= 1:
            raise UsageError(f"The sampling rate of a request log must be from 0 to 1; received {sampling_rate}.")
        if max_file_bytes < 1 or not max_file_seconds > 0 or max_waiting_bytes < 1:
            raise UsageError("`max_file_bytes`, `max_file_seconds` and `max_waiting_bytes` must be above zero.")
        try:
            import google_crc32c  # noqa: F401 - TFRecord has its checksums
        except ImportError:
            raise UsageError(
                "A request log needs the package `google-crc32c`, which is not installed. Install it, or leave the "
                "log out."
            ) from None
        self._folder = Path(folder)
        self._rate, self._rate_bytes = sampling_rate, _sampling_config(sampling_rate)
        self._max_file_bytes, self._max_file_seconds = max_file_bytes, max_file_seconds
        self._max_waiting_bytes = max_waiting_bytes
        self.written = self.dropped = 0
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes, self._lock = 0, threading.Lock()
        self._reported, self._report_after = 0, 0.0
        self._file: LogFile | None = None
        self._resume = 0.0
        self._is_due, self._is_closed = threading.Event(), False
        self._names = (f"{secrets.token_hex(4)}-{number:05d}" for number in itertools.count(1))
        check_is_writable(self._folder)
        self._thread = threading.Thread(target=self._run, name="request-log", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def add(self, method: str, request: Message, response: Message, size: int | None = None) -> None:
        """Takes a call, in a few microseconds; it is dropped where too many bytes wait, or the rate leaves it out.

        Args:
          method: "Predict", "Classify", "Regress" or "MultiInference".
          request: The serialized request, or a function that returns it and is called later.
          response: The serialized answer, likewise.
          size: Bytes of memory that both take; None: their lengths.
        """
        if self._rate < 1.0 and random.random() >= self._rate:
            return
        given = method, request, response, int(time.time()), self._rate_bytes
        is_ready, size = size is None, len(request) + len(response) if size is None else size  # type: ignore[arg-type]
        record = _record(*given) if is_ready and size <= _SMALL_BYTES else partial(_record, *given)
        with self._lock:
            before = self._waiting_bytes
            if before + size > self._max_waiting_bytes or self._is_closed:
                self.dropped += 1
                return
            self._waiting_bytes = before + size
            self._waiting.append((size, record))
        if not before or before < _GATHER_BYTES <= before + size:
            self._is_due.set()

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Writes what waits, and names the last file; where the disk takes longer, it keeps its temporary name."""
        with self._lock:
            was_closed, self._is_closed = self._is_closed, True
        if not was_closed:
            self._is_due.set()
            atexit.unregister(self.close)
        self._thread.join(timeout_seconds)

    def __enter__(self) -> RequestLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- The thread that writes ----

    def _run(self) -> None:
        name_left_files(self._folder)
        is_last = False
        while not is_last:
            entries, is_last = self._gathered()
            if entries:
                self._write(entries)
                with self._lock:
                    self._waiting_bytes -= sum(size for size, _ in entries)
            if self._file and (is_last or self._file.is_due(self._max_file_bytes, self._max_file_seconds)):
                self._close_file()
            self._report(is_last)

    def _gathered(self) -> tuple[list[_Waiting], bool]:
        """Waits for calls; returns them, and whether they are the last."""
        self._is_due.clear()  # before the look at what waits, so that nothing is overlooked that comes after it
        if not self._waiting and not self._is_closed:
            patience = min(self._file.seconds_left(self._max_file_seconds), 60.0) if self._file else 60.0
            self._is_due.wait(max(patience, _GATHER_SECONDS))
            self._is_due.clear()
        if self._waiting and self._waiting_bytes < _GATHER_BYTES and not self._is_closed:
            self._is_due.wait(_GATHER_SECONDS)
        entries: list[_Waiting] = []
        bytes_left = _CHUNK_BYTES
        while self._waiting and bytes_left > 0:
            entries.append(self._waiting.popleft())
            bytes_left -= entries[-1][0]
        return entries, self._is_closed and not self._waiting

    def _write(self, entries: list[_Waiting]) -> None:
        if time.monotonic() < self._resume:
            self._drop(len(entries))
            return
        count = 0
        try:
            records = self._records(entries)
            count = len(records)
            if self._file is None:
                self._file = LogFile(self._folder, next(self._names))
            self._file.write([piece for record in records for piece in record])
            self.written += count
        except OSError as error:
            self._resume = time.monotonic() + _RETRY_SECONDS
            self._drop(count)
            if time.monotonic() >= self._report_after:
                LOGGER.warning("The request log in %s cannot be written: %s.", self._folder, error.strerror or error)
            self._close_file()

    def _records(self, entries: list[_Waiting]) -> list[_Record]:
        """Returns a record for each call that can be written."""
        records = []
        for _, record in entries:
            if isinstance(record, tuple):
                records.append(record)
                continue
            try:
                records.append(record())
            except Exception as error:  # of a function that builds a message; other calls are written
                self._drop(1)
                LOGGER.warning("A call of %s cannot be logged: %s", record.args[0], error)
        return records

    def _drop(self, count: int) -> None:
        with self._lock:
            self.dropped += count

    def _close_file(self) -> None:
        if self._file:
            try:
                self._file.close()
            except OSError as error:
                LOGGER.warning("A file of the request log in %s cannot be closed: %s.", self._folder, error)
            self._file = None

    def _report(self, is_last: bool) -> None:
        if self.dropped > self._reported and (is_last or time.monotonic() >= self._report_after):
            self._report_after = time.monotonic() + _REPORT_SECONDS
            LOGGER.warning(
                "The request log dropped %d calls since the last such line: the disk is slow or full, or a call is "
                "larger than %d MiB. The calls themselves were answered.",
                self.dropped - self._reported,
                self._max_waiting_bytes >> 20,
            )
            self._reported = self.dropped


def _record(method: str, request: Message, response: Message, seconds: int, sampling: bytes) -> _Record:
    """Returns a PredictionLog as a TFRecord, in pieces: messages are not copied. See `_around`."""
    request, response = (part if isinstance(part, bytes) else part() for part in (request, response))
    head, crc, middle = _around(method, len(request), len(response), seconds, sampling)
    return head, request, middle, response, footer_of((request, middle, response), crc)


@lru_cache(maxsize=1024)
def _around(method: str, request: int, response: int, seconds: int, sampling: bytes) -> tuple[bytes, int, bytes]:
    """Returns what calls of the same second and the same sizes have in common in their records.

    Args:
      method: See `RequestLog.add`.
      request: Bytes of the serialized request.
      response: Bytes of the serialized answer.
      seconds: When the call came, since 1970.
      sampling: See `_sampling_config`.

    Returns:
      The bytes before the request; the CRC32C of those of them that belong to the record; the bytes before the answer.
    """
    import google_crc32c

    metadata = b"".join((sampling, b"\x20", varint(seconds)))  # field 4: timestamp_secs
    before_request, before_response = _tag(1, request), _tag(2, response)
    size = len(before_request) + request + len(before_response) + response
    head = b"".join((_tag(1, len(metadata)), metadata, _tag(_LOG_FIELDS[method], size), before_request))
    length = len(head) + request + len(before_response) + response
    return header_of(length) + head, google_crc32c.value(head), before_response


def _tag(number: int, size: int) -> bytes:
    """Returns what stands before a length-delimited field's bytes."""
    return varint(number << 3 | 2) + varint(size)


def _sampling_config(rate: float) -> bytes:
    """Returns the field `sampling_config` of a LogMetadata."""
    config = b"\x09" + struct.pack("<d", rate)  # field 1: sampling_rate, a double
    return _tag(2, len(config)) + config
