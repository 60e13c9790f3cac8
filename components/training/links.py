"""Carries messages between two workers of a training.

A message is JSON or bytes behind a header, over TCP. Nothing that arrives is ever unpickled.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
from typing import Any

MAX_MESSAGE_BYTES = 16 << 20
_MAGIC = b"crossnet"
_HEADER = struct.Struct(">8sQ")  # the magic, and how many bytes follow
_PIECE_BYTES = 1 << 20
# A machine that has lost its power says nothing: TCP asks after 10 s of silence, three times.
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}


class LostError(OSError):
    """The other side has ended, says nothing in time, or is not a worker."""


class Link:
    """A connection to another worker.

    Args:
      connection: An open TCP connection; `close` closes it.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):  # not on every system
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def fileno(self) -> int:
        """The file descriptor, for `select`."""
        return self._connection.fileno()

    def say(self, **message: Any) -> None:
        """Sends a JSON object.

        Raises:
          LostError: The other side has ended.
        """
        self.send(json.dumps(message).encode())

    def hear(self, seconds: float | None = None) -> dict[str, Any]:
        """Returns the JSON object that comes next; `seconds` is how long to wait, None for ever.

        Raises:
          LostError: None comes.
        """
        try:
            message = json.loads(self.receive(seconds, most=MAX_MESSAGE_BYTES))
        except ValueError as error:
            raise LostError("it does not speak as a worker does") from error
        if not isinstance(message, dict):
            raise LostError("it does not speak as a worker does")
        return message

    def send(self, payload: bytes) -> None:
        """Sends bytes.

        Raises:
          LostError: The other side has ended.
        """
        try:
            self._connection.settimeout(None)
            self._connection.sendall(_HEADER.pack(_MAGIC, len(payload)))
            self._connection.sendall(payload)
        except OSError as error:
            raise LostError(str(error)) from error

    def receive(self, seconds: float | None = None, *, most: int | None = None) -> bytes:
        """Returns the bytes that come next.

        Args:
          seconds: How long to wait for all of them; None: for ever.
          most: How many there may be; None: any number.

        Raises:
          LostError: None come, or too many.
        """
        until = None if seconds is None else time.monotonic() + seconds
        magic, size = _HEADER.unpack(self._read(_HEADER.size, until))
        if magic != _MAGIC or (most is not None and size > most):
            raise LostError("it does not speak as a worker does")
        return self._read(size, until)

    def _read(self, size: int, until: float | None) -> bytes:
        found = bytearray()
        while len(found) < size:
            try:
                self._connection.settimeout(None if until is None else max(until - time.monotonic(), 0.001))
                piece = self._connection.recv(min(size - len(found), _PIECE_BYTES))
            except OSError as error:
                raise LostError(str(error)) from error
            if not piece:
                raise LostError("it has ended")
            found += piece
        return bytes(found)

    @property
    def has_ended(self) -> bool:
        """Whether the other side has ended; asked when there is something to read, it does not wait."""
        try:
            self._connection.settimeout(0)
            return not self._connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def hang_up(self, until: float) -> None:
        """Closes the connection so that the other side can still hear what was said last.

        What it has sent and nobody has read would make TCP throw that away: it is read until the other side closes too.

        Args:
          until: When to wait no longer, as `time.monotonic` counts.
        """
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
            while (left := until - time.monotonic()) > 0:
                self._connection.settimeout(left)
                if not self._connection.recv(_PIECE_BYTES):
                    break
        self.close()

    def close(self) -> None:
        """Closes the connection; the other side is told so."""
        self._connection.close()
