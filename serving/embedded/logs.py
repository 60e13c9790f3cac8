"""Writes the server's log, with few lines a second of each kind.

A client that sends the same wrong request again and again must not fill the disk or cost more than its answers.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from typing import Any

from crossnet.serving.protocol.printable import PrintableFormatter

_PER_SECOND = 5  # lines of one kind
_SECONDS = 1.0
_MAX_KINDS = 1000
_IS_COUNT = "is_count_of_lines"


def log_to_stderr() -> None:
    """Makes the root logger write messages from INFO on to standard error, at most a few a second of each kind."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter("%(message)s"))
    handler.addFilter(LineLimit(handler))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class LineLimit(logging.Filter):
    """Lets the first lines of each kind through, and then one that says how many more there were in that second.

    A kind is a logger, a level and a message before its values are filled in.

    Args:
      handler: What writes that line; the filter is added to it.
      per_second: The number of lines.
    """

    def __init__(self, handler: logging.Handler, per_second: int = _PER_SECOND) -> None:
        super().__init__()
        self._handler = handler
        self._per_second = per_second
        self._lock = threading.Lock()
        self._seen: dict[tuple[Any, ...], tuple[float, int]] = {}  # kind -> when its second began, lines since then

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns whether a line is written now."""
        if hasattr(record, _IS_COUNT):
            return True
        kind = (record.name, record.levelno, str(record.msg))
        now = time.monotonic()
        with self._lock:
            start, count = self._seen.get(kind, (now, 0))
            if count <= self._per_second and now - start >= _SECONDS:
                start, count = now, 0
            if len(self._seen) >= _MAX_KINDS:
                self._seen.clear()
            self._seen[kind] = start, count + 1
        if count == self._per_second:
            timer = threading.Timer(_SECONDS, self._tell_the_rest, (record, kind))
            timer.daemon = True
            timer.start()
        return count < self._per_second

    def _tell_the_rest(self, record: logging.LogRecord, kind: tuple[Any, ...]) -> None:
        with self._lock:
            _, count = self._seen.pop(kind, (0.0, 0))
        if count > self._per_second:
            words = f"{count - self._per_second:,} more like it: {str(record.msg).splitlines()[0][:100]}"
            more = logging.LogRecord(record.name, record.levelno, record.pathname, record.lineno, words, None, None)
            setattr(more, _IS_COUNT, True)
            self._handler.handle(more)
