"""Counts calls, loads and batches, and writes them as Prometheus reads them.

Names, labels and buckets that begin with `:tensorflow:` are the real server's (tensorflow/serving
servables/tensorflow/util.cc, saved_model_warmup_util.cc, batching/batching_session.cc; tensorflow cc/saved_model/
loader.cc); times are in microseconds. Those that begin with `:crossnet:` are ours. A call is counted once, by all that
is known of it; the real server's coarser metrics are added up from that when they are read. A call only notes its
times; they are counted some hundreds at a time, because one at a time costs a small call several per cent of its CPU.
"""

from __future__ import annotations

import re
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from crossnet.serving.embedded.current_call import CALL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from crossnet.serving.protocol.request_log import RequestLog

LATENCY = tuple(10 * 1.8**power for power in range(33))  # up to about 20 minutes
QUEUING = tuple(100 * 1.2**power for power in range(52))  # up to about a second
ROWS = tuple(2.0**power for power in range(17))
UNKNOWN_MODEL = "(unknown)"  # of names that are not configured: what clients write must not become ever more series
_CALL_LABELS = ("model_name", "version", "signature", "API", "entrypoint", "status")
_MAX_NOTED = 1024  # times of one series that wait to be counted
_RUNTIME = "TF1"  # what the real server says of a SavedModel in a session
_HEAD = re.compile(r"^# (HELP|TYPE) (:\S+)_total ", re.MULTILINE)


class Histogram:
    """Counts values by size; safe for several threads.

    Args:
      limits: The buckets' upper limits, ascending.
    """

    __slots__ = ("_limits", "_lock", "counts", "total")

    def __init__(self, limits: Sequence[float]) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self.counts = [0] * (len(limits) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Counts one value."""
        bucket = bisect_left(self._limits, value)
        with self._lock:
            self.counts[bucket] += 1
            self.total += value

    def add_all(self, values: NDArray[np.float64]) -> None:
        """Counts each value of an array."""
        buckets = np.bincount(np.searchsorted(self._limits, values), minlength=len(self.counts)).tolist()
        with self._lock:
            self.counts = [count + new for count, new in zip(self.counts, buckets, strict=True)]
            self.total += float(values.sum())

    def merge(self, other: Histogram) -> None:
        """Adds what another histogram with the same limits has counted."""
        with other._lock:
            counts, total = list(other.counts), other.total
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, counts, strict=True)]
        self.total += total

    def buckets(self) -> Iterator[tuple[str, int]]:
        """Yields each upper limit, in the real server's notation, and how many values are at most that."""
        below = 0
        for limit, count in zip((*self._limits, float("inf")), self.counts, strict=True):
            below += count
            yield ("+Inf" if limit == float("inf") else f"{limit:g}"), below


class CallTimes:
    """The times of the calls of one series; safe for several threads.

    Attributes:
      calls: Microseconds of the calls that `count` has counted.
      runs: Microseconds in which the model computed for them.
    """

    __slots__ = ("_lock", "_noted", "calls", "note", "runs")

    def __init__(self) -> None:
        self.calls, self.runs = Histogram(LATENCY), Histogram(LATENCY)
        self._noted: list[float] = []
        self._lock = threading.Lock()
        # Takes a call's seconds and the model's. Both at once: what other threads add does not come between them.
        self.note: Callable[[tuple[float, float]], None] = self._noted.extend

    def is_due(self) -> bool:
        """Returns whether so many times are noted that they should be counted."""
        return len(self._noted) >= 2 * _MAX_NOTED

    def count(self) -> None:
        """Counts the times that are noted."""
        with self._lock:
            noted = self._noted[:]
            del self._noted[: len(noted)]  # other threads may have added more
        micros = np.array(noted).reshape(-1, 2) * 1e6
        self.calls.add_all(micros[:, 0])
        self.runs.add_all(micros[:, 1])


_Table = dict[tuple[str, ...], Histogram]


class Metrics:
    """The numbers of one server.

    Args:
      path: Where the REST port shows them.
      knows: Whether a name is that of a configured model.

    Attributes:
      path: As given.
      log: The request log, whose records are counted too; None without one.
    """

    def __init__(self, path: str, knows: Callable[[str], bool]) -> None:
        from prometheus_client import CollectorRegistry, ProcessCollector

        self.path = path
        self.log: RequestLog | None = None
        self._knows = knows
        self._calls: dict[tuple[str, ...], CallTimes] = {}
        self._warm_ups: _Table = {}
        self._queuing: _Table = {}
        self._batches: _Table = {}
        self._loads: dict[tuple[str, str], int] = {}  # by folder and outcome
        self._load_micros: dict[str, float] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    # ---- What happened ----

    def add_call(self, api: str, entrypoint: str, status: str) -> None:
        """Counts the call that this thread has answered.

        Args:
          api: Its method: `Predict` over gRPC, `predict` over REST, as in the real server.
          entrypoint: `GRPC` or `REST`.
          status: The name of its code.
        """
        name, version = CALL.name, CALL.version
        if not version and not self._knows(name):
            name = UNKNOWN_MODEL
        key = name, version, CALL.signature, api, entrypoint, status
        times = self._calls.get(key)
        if times is None:
            times = self._calls.setdefault(key, CallTimes())
        times.note((time.perf_counter() - CALL.start, CALL.runtime))
        if times.is_due():
            times.count()

    def add_load(self, path: str, status: str, seconds: float) -> None:
        """Counts an attempt to load a version.

        Args:
          path: Its folder.
          status: `success` or `fail`.
          seconds: How long it took, without the warm-up.
        """
        self._loads[path, status] = self._loads.get((path, status), 0) + 1
        self._load_micros[path] = self._load_micros.get(path, 0.0) + seconds * 1e6

    def add_warm_up(self, path: str, status: str, seconds: float) -> None:
        """Counts the warm-up of a version: its folder, the name of its code, and how long it took."""
        _cell(self._warm_ups, LATENCY, path, status).add(seconds * 1e6)

    def add_queued(self, thread_pool: str, seconds: float) -> None:
        """Counts how long a request waited for its batch to run."""
        _cell(self._queuing, QUEUING, thread_pool).add(seconds * 1e6)

    def add_batch(self, signature: str, rows: int) -> None:
        """Counts a batch that ran: the signature, and its rows with those added to reach an allowed size."""
        _cell(self._batches, ROWS, signature).add(rows)

    # ---- The page ----

    def page(self) -> str:
        """Returns the numbers in Prometheus' text format."""
        from prometheus_client import generate_latest

        # prometheus-client ends the names of counters with `_total`, the real server does not.
        return _HEAD.sub(r"# \1 \2 ", generate_latest(self._registry).decode())

    def collect(self) -> Iterator[Any]:
        """Yields each metric, as prometheus-client asks for them."""
        calls: _Table = {}
        counts: dict[tuple[str, ...], float] = {}
        latencies: _Table = {}
        runs: _Table = {}
        for key, times in list(self._calls.items()):
            name, _, _, api, entrypoint, status = key
            times.count()
            calls[key] = times.calls
            counts[name, status] = counts.get((name, status), 0) + sum(times.calls.counts)
            if status == "OK":
                _cell(latencies, LATENCY, name, api, entrypoint).merge(times.calls)
                _cell(runs, LATENCY, name, api, _RUNTIME).merge(times.runs)
        tensorflow, serving, own = ":tensorflow:cc:saved_model:", ":tensorflow:serving:", ":crossnet:serving:"
        yield _counter(f"{serving}request_count", "Requests.", ("model_name", "status"), counts)
        yield _histogram(
            f"{serving}request_latency",
            "Microseconds of requests that succeeded.",
            ("model_name", "API", "entrypoint"),
            latencies,
        )
        yield _histogram(
            f"{serving}runtime_latency",
            "Microseconds in which the model computed.",
            ("model_name", "API", "runtime"),
            runs,
        )
        yield _histogram(
            f"{serving}model_warmup_latency", "Microseconds of warm-ups.", ("model_path", "status"), self._warm_ups
        )
        yield _counter(
            f"{tensorflow}load_attempt_count", "Attempts to load a version.", ("model_path", "status"), self._loads
        )
        micros = {(path,): value for path, value in list(self._load_micros.items())}
        yield _counter(f"{tensorflow}load_latency", "Microseconds of loading.", ("model_path",), micros)
        yield _histogram(
            f"{serving}batching_session:queuing_latency",
            "Microseconds for which requests waited for their batch.",
            ("thread_pool_name",),
            self._queuing,
        )
        yield _histogram(f"{own}batch_rows", "Rows of the batches that ran.", ("signature",), self._batches)
        yield _histogram(f"{own}request_latency", "Microseconds of all requests.", _CALL_LABELS, calls)
        if self.log:
            records = {("written",): self.log.written, ("dropped",): self.log.dropped}
            yield _counter(f"{own}request_log_count", "Calls for the request log.", ("result",), records)


def _cell(table: _Table, limits: Sequence[float], *key: str) -> Histogram:
    found = table.get(key)
    return found if found is not None else table.setdefault(key, Histogram(limits))


def _counter(name: str, words: str, labels: Sequence[str], values: dict[Any, Any]) -> Any:
    from prometheus_client.core import Metric

    metric = Metric(name, words, "counter")
    for key, value in sorted(values.items()):
        metric.add_sample(name, dict(zip(labels, key, strict=True)), value)
    return metric


def _histogram(name: str, words: str, labels: Sequence[str], table: _Table) -> Any:
    from prometheus_client.core import HistogramMetricFamily

    metric = HistogramMetricFamily(name, words, labels=labels)
    rows: Iterable[tuple[tuple[str, ...], Histogram]] = sorted(dict(table).items())
    for key, histogram in rows:
        metric.add_metric(key, list(histogram.buckets()), histogram.total)
    return metric
