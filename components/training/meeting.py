"""Keeps the workers of a training in touch.

The connections over which they came together stay open until the end: they carry the checkpoint, and who ends too early
is known by name. TensorFlow itself carries the gradients, and sees to workers that do not answer any more.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from crossnet.components.errors import PipelineError, TrainingError
from crossnet.components.training.cluster import Cluster
from crossnet.components.training.links import Link, LostError
from crossnet.components.training.rendezvous import ended, meet

_GIVEN = b"\0"  # before bytes that are given: no JSON begins with it
_HANG_UP_SECONDS = 5.0  # until others have heard why the chief ends
_LAST_SECONDS = 60.0  # between the end of the training on one worker and on another


class Meeting:
    """All workers of a training, in touch; use it in a `with` block.

    Args:
      cluster, facts, seconds: As of `meet`, which the block begins with.

    Attributes:
      cluster: The workers.
    """

    def __init__(self, cluster: Cluster, facts: Mapping[str, Any], seconds: float) -> None:
        self.cluster = cluster
        self._facts, self._seconds = facts, seconds
        self._links: dict[int, Link] = {}

    def __enter__(self) -> Self:
        self._links = meet(self.cluster, self._facts, self._seconds)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Hangs up; the chief tells the others how it has ended."""
        links, self._links = list(self._links.values()), {}
        if self.cluster.is_chief and isinstance(error, PipelineError | None):
            for link in links:
                with contextlib.suppress(LostError):
                    link.say(**({"done": True} if error is None else {"error": str(error)}))
        until = time.monotonic() + (
            _HANG_UP_SECONDS if self.cluster.is_chief and isinstance(error, PipelineError) else 0
        )
        for link in links:
            link.hang_up(until)

    def share(self, payload: bytes) -> bytes:
        """Returns, on every worker, what the chief has given.

        Raises:
          TrainingError: A worker has ended.
        """
        if not self.cluster.is_chief:
            return self.take(0)
        for index in self._links:
            self.give(index, payload)
        return payload

    def combine(self, payload: bytes, join: Callable[[list[bytes]], bytes]) -> bytes:
        """Returns, on every worker, what the chief has made of what all of them have given, in their order.

        Args:
          payload: What this worker gives.
          join: Called on the chief alone.

        Raises:
          TrainingError: A worker has ended, or the chief has failed.
        """
        if not self.cluster.is_chief:
            self.give(0, payload)
            return self.take(0)
        return self.share(join([payload, *(self.take(index) for index in self.cluster.others)]))

    def give(self, index: int, payload: bytes) -> None:
        """Sends bytes to the chief, or as the chief to another worker, who calls `take`.

        Raises:
          TrainingError: It has ended.
        """
        try:
            self._links[index].send(_GIVEN + payload)
        except LostError as error:
            raise TrainingError(ended(self.cluster, [index])) from error

    def take(self, index: int) -> bytes:
        """Returns the bytes that another worker gives.

        Raises:
          TrainingError: It has ended, or the chief has failed.
        """
        try:
            found = self._links[index].receive()
        except LostError as error:
            raise TrainingError(ended(self.cluster, [index])) from error
        if found[:1] != _GIVEN:  # the chief says how he has ended
            raise TrainingError(str(json.loads(found).get("error") or ended(self.cluster, [index])))
        return found[1:]

    @contextlib.contextmanager
    def watched(self, on_loss: Callable[[], None]) -> Iterator[None]:
        """Inside, another thread calls `on_loss` when a worker ends, or the chief says that one has."""
        here, there = socket.socketpair()
        thread = threading.Thread(target=self._watch, args=(there, on_loss), name="workers", daemon=True)
        thread.start()
        try:
            yield
        finally:
            here.close()
            thread.join()
            there.close()

    def _watch(self, end: socket.socket, on_loss: Callable[[], None]) -> None:
        links = dict(self._links)
        while links:
            watched: list[Any] = [end, *links.values()]
            ready = select.select(watched, [], [])[0]
            if end in ready:
                return
            heard = [index for index, link in links.items() if link in ready]
            # The others say when they are done. The chief says nothing before that, but that one has ended.
            lost = [index for index in heard if not self.cluster.is_chief or links[index].has_ended]
            for index in heard:
                del links[index]
            if lost and self.cluster.is_chief:
                for link in links.values():
                    with contextlib.suppress(LostError):
                        link.say(error=ended(self.cluster, lost))
            if lost:
                on_loss()
                return

    def loss(self, seconds: float) -> str:
        """Returns in words who has ended, after an error that this may have caused; "" where nobody is known to have.

        Args:
          seconds: How long to wait for the news: TensorFlow may hear of it first.
        """
        ready = select.select(list(self._links.values()), [], [], seconds)[0]
        if self.cluster.is_chief:
            lost = [index for index, link in self._links.items() if link in ready and link.has_ended]
            return ended(self.cluster, lost) if lost else ""
        try:
            return str(self._links[0].hear(seconds).get("error", "")) if ready else ""
        except LostError:
            return ended(self.cluster, [0])

    def compare(self, digest: str) -> list[int]:
        """Ends the training; returns, to the chief, the workers that have ended with another digest.

        Any other worker waits here until the chief is done.

        Raises:
          TrainingError: A worker ended too early, or the chief has failed.
        """
        if self.cluster.is_chief:
            found = {index: self._hear(index, _LAST_SECONDS).get("digest") for index in self._links}
            return [index for index, other in found.items() if other != digest]
        with contextlib.suppress(LostError):  # then there is nothing to hear either
            self._links[0].say(digest=digest)
        answer = self._hear(0, None)
        if not answer.get("done"):
            raise TrainingError(str(answer.get("error") or ended(self.cluster, [0])))
        return []

    def _hear(self, index: int, seconds: float | None) -> dict[str, Any]:
        try:
            return self._links[index].hear(seconds)
        except LostError as error:
            raise TrainingError(ended(self.cluster, [index])) from error
