"""The threads that take gRPC's calls: as few as there are cores, and never all of them held up.

Only one thread at a time runs Python. With a thread for every call in flight, as a `ThreadPoolExecutor` makes them,
each gives the interpreter's lock up while its graph runs and then queues for it: on two cores with 16 calls in flight
that costs more than the calls themselves (benchmarks/serving.py). So further calls wait in a queue instead.

A call may hold its thread and compute nothing: its request has not arrived yet, or it watches the server's health. And
a large batch computes for long, outside Python. So for each call that has held its thread for `_PATIENCE_SECONDS`
another thread stands in, and while calls wait still, twice as many.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent import futures
from queue import SimpleQueue
from typing import Any

_PATIENCE_SECONDS = 0.01


class CallThreads(futures.Executor):
    """Runs calls, in the order in which they come.

    Args:
      count: How many threads there are while no call holds one up.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._calls: SimpleQueue[tuple[futures.Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._starts: dict[int, float] = {}  # by thread: when its call began; infinity between calls
        self._lock = threading.Lock()
        self._threads = 0
        self._is_watched = False
        self._has_calls = threading.Event()
        self._is_shut_down = False
        self._add(count)
        threading.Thread(target=self._watch, name="call-threads", daemon=True).start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> futures.Future[Any]:
        """Puts a call into the queue.

        Raises:
          RuntimeError: After `shutdown`.
        """
        if self._is_shut_down:
            raise RuntimeError("These threads are shut down.")
        future: futures.Future[Any] = futures.Future()
        self._calls.put((future, lambda: fn(*args, **kwargs)))
        if not self._is_watched:
            self._is_watched = True
            self._has_calls.set()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the threads when the calls in the queue are done; it does not wait for that."""
        with self._lock:
            self._is_shut_down = True
            for _ in range(self._threads):
                self._calls.put(None)
        self._has_calls.set()

    def _add(self, count: int) -> None:
        self._threads += count
        for _ in range(count):
            threading.Thread(target=self._work, name="call", daemon=True).start()

    def _work(self) -> None:
        thread = threading.get_ident()
        while (call := self._calls.get()) is not None:
            self._starts[thread] = time.monotonic()
            future, work = call
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except BaseException as error:
                    future.set_exception(error)
            del call, future, work  # a request's bytes need not wait for the next one
            self._starts[thread] = math.inf
        self._starts.pop(thread, None)

    def _watch(self) -> None:
        """Adds and ends threads; sleeps while there are no calls and as many threads as there should be."""
        surplus = 0
        while True:
            if not surplus and self._calls.empty():
                self._has_calls.clear()
                self._is_watched = False
                if self._calls.empty():
                    self._has_calls.wait()
            time.sleep(_PATIENCE_SECONDS)
            latest = time.monotonic() - _PATIENCE_SECONDS
            held = sum(start <= latest for start in list(self._starts.values()))
            waiting = self._calls.qsize()
            with self._lock:
                if self._is_shut_down:
                    return
                wanted = self._count + (2 * held if waiting else held)
                surplus = max(0, self._threads - wanted)
                self._add(min(waiting, max(0, wanted - self._threads)))
                for _ in range(-(-surplus // 8)):  # not at once: calls that hold their threads often come in a row
                    self._threads -= 1
                    self._calls.put(None)
