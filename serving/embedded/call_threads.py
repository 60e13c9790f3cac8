"""Runs gRPC's calls in few threads, and adds threads while calls block.

Only one thread at a time runs Python. With a thread for every call in flight, as a `ThreadPoolExecutor` makes them,
each releases the interpreter's lock while its graph runs and then queues for it: with many small calls in flight that
costs more than the calls themselves (benchmarks/serving.py). So there are as many threads as cores, and further calls
wait in a queue.

A call may block its thread and compute nothing: its request has not arrived yet, it waits for the semaphore, or it
watches the server's health. And a large batch computes for long, outside Python. So each call that has kept its thread
for `_PATIENCE_SECONDS` gets another thread added, and two while calls are still waiting.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent import futures
from queue import SimpleQueue
from typing import Any

LOGGER = logging.getLogger(__name__)

_PATIENCE_SECONDS = 0.01
_REST_SECONDS = 1.0

_Call = tuple[futures.Future[Any], Callable[[], Any]]


class Semaphore:
    """Limits how many threads run a `with` block at once, at a tenth of the cost of `threading.Semaphore`.

    Args:
      count: The number of threads.
    """

    def __init__(self, count: int) -> None:
        free: SimpleQueue[None] = SimpleQueue()
        for _ in range(count):
            free.put(None)
        self._acquire, self._release = free.get, free.put

    def __enter__(self) -> None:
        self._acquire()

    def __exit__(self, *_: object) -> None:
        self._release(None)


class CallThreads(futures.Executor):
    """Runs calls, in the order in which they come.

    Args:
      count: The number of threads while no call blocks one.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._calls: deque[_Call | None] = deque()  # that no thread has taken yet
        self._idle: list[
            SimpleQueue[_Call | None]
        ] = []  # of each thread without a call; the thread that was busy last comes last
        self._starts: dict[int, float] = {}  # by thread: when its call began; infinity between calls
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._leaving = 0  # threads that were told to end and have not ended yet
        self._is_watched = False
        self._has_calls = threading.Event()
        self._is_shut_down = False
        self._add(count)
        self._watcher = threading.Thread(target=self._watch, name="call-threads", daemon=True)
        self._watcher.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> futures.Future[Any]:
        """Puts a call into the queue.

        Raises:
          RuntimeError: After `shutdown`.
        """
        future: futures.Future[Any] = futures.Future()
        with self._lock:
            if self._is_shut_down:
                raise RuntimeError("These threads are shut down.")
            is_queued = not self._hand_out((future, lambda: fn(*args, **kwargs)))
        if is_queued and not self._is_watched:
            self._is_watched = True
            self._has_calls.set()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Lets the threads end when the calls in the queue are done.

        Args:
          wait: Return when they have ended.
          cancel_futures: Cancel the calls that no thread has begun.
        """
        with self._lock:
            self._is_shut_down = True
            while cancel_futures and self._calls:
                call = self._calls.popleft()
                if call is not None:
                    call[0].cancel()
            threads = list(self._threads)
            for _ in threads:
                self._hand_out(None)
        self._has_calls.set()
        if wait:
            for thread in (self._watcher, *threads):
                thread.join()

    def _add(self, count: int) -> None:
        """Starts threads. Called with the lock held, except by `__init__`.

        Raises:
          RuntimeError: The system gives no further thread.
        """
        for _ in range(count):
            thread = threading.Thread(target=self._work, name="call", daemon=True)
            thread.start()
            self._threads.add(thread)

    def _hand_out(self, call: _Call | None) -> bool:
        """Gives a call to a thread, or None to end it; returns whether one was idle. Called with the lock held.

        The thread that was busy last is taken, because what a call needs is still in the caches of its processor.
        """
        if self._idle:
            self._idle.pop().put(call)
            return True
        self._calls.append(call)
        return False

    def _next(self, own: SimpleQueue[_Call | None]) -> _Call | None:
        with self._lock:
            if self._calls:
                return self._calls.popleft()
            self._idle.append(own)
        return own.get()

    def _work(self) -> None:
        thread = threading.get_ident()
        own: SimpleQueue[_Call | None] = SimpleQueue()
        while (call := self._next(own)) is not None:
            self._starts[thread] = time.monotonic()
            future, work = call
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except BaseException as error:
                    future.set_exception(error)
            del call, future, work  # frees the request's bytes before the next call comes
            self._starts[thread] = math.inf
        with self._lock:
            self._leaving -= 1
            self._starts.pop(thread, None)
            self._threads.discard(threading.current_thread())

    def _watch(self) -> None:
        """Adds and ends threads; sleeps while no call waits and there are no surplus threads."""
        while not self._is_shut_down:
            if not self._calls and self._surplus() <= 0:
                self._has_calls.clear()
                self._is_watched = False
                if not self._calls and not self._is_shut_down:
                    # Wakes also without a call: threads of calls that have ended since then are surplus.
                    self._has_calls.wait(_REST_SECONDS if len(self._threads) > self._count else None)
            time.sleep(_PATIENCE_SECONDS)
            with self._lock:
                if not self._is_shut_down:
                    self._adjust()

    def _surplus(self, *, waiting: int = 0) -> int:
        """Returns the number of surplus threads; below zero, the number of missing ones while calls are waiting."""
        latest = time.monotonic() - _PATIENCE_SECONDS
        blocked = sum(start <= latest for start in list(self._starts.values()))
        return len(self._threads) - self._leaving - self._count - (2 * blocked if waiting else blocked)

    def _adjust(self) -> None:
        waiting = sum(call is not None for call in self._calls)
        surplus = self._surplus(waiting=max(0, waiting))
        try:
            self._add(min(max(0, waiting), max(0, -surplus)))
        except RuntimeError as error:
            LOGGER.warning("The system gives no further thread for %d waiting calls: %s.", waiting, error)
        for _ in range(-(-max(0, surplus) // 8)):  # not all at once: calls that block their threads often come in a row
            self._leaving += 1
            if self._idle:
                self._idle.pop(0).put(None)  # the one that has been idle longest
            else:
                self._calls.append(None)
