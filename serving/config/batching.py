"""Reads how requests are put together into batches.

The fields, their defaults and their rules are the real server's (tensorflow/serving
servables/tensorflow/session_bundle_config.proto, bundle_factory_util.h, batching/batching_session.cc).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from crossnet.serving.config.messages import BatchingParameters, read_config
from crossnet.serving.protocol.codes import invalid

_MAX_THREADS = 2048  # as many calls as the server runs at most; each thread is started at once


@dataclass(frozen=True)
class BatchSettings:
    """How requests become batches.

    Attributes:
      max_batch_size: The most rows of one request, and of one batch where requests are not split.
      batch_timeout_micros: How long a batch that is not full waits for more, in microseconds; 0 runs it as soon as a
        thread is free.
      max_enqueued_batches: The most batches of one signature that wait.
      num_batch_threads: Batches that run at once.
      thread_pool_name: A label of the metrics.
      allowed_batch_sizes: Ascending; a batch is filled up with copies of a row to the next of these. Empty: any size.
      split: Whether a request of more than `max_execution_batch_size` rows runs in several batches.
      max_execution_batch_size: The most rows of one batch.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    thread_pool_name: str = ""
    allowed_batch_sizes: tuple[int, ...] = ()
    split: bool = False
    max_execution_batch_size: int = 1000

    def padded(self, rows: int) -> int:
        """Returns how many rows a batch of so many runs with."""
        return next((size for size in self.allowed_batch_sizes if size >= rows), rows)


def read_batching(path: str | Path) -> BatchSettings:
    """Returns the settings of a `--batching_parameters_file`; the defaults without one.

    Raises:
      ServingError: INVALID_ARGUMENT, the file does not parse, or a value is out of its range.
    """
    if not path:
        return BatchSettings()
    given = read_config(path, BatchingParameters())
    values = {
        name: getattr(given, name).value
        for name in ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads")
        if given.HasField(name)
    }
    most = values.get("max_batch_size", BatchSettings.max_batch_size)
    split = given.enable_large_batch_splitting.value
    # As in the real server, the size of a run counts only where requests are split.
    limit = given.max_execution_batch_size.value if split and given.HasField("max_execution_batch_size") else most
    settings = BatchSettings(
        **values,
        thread_pool_name=given.thread_pool_name.value,
        allowed_batch_sizes=tuple(given.allowed_batch_sizes),
        split=split,
        max_execution_batch_size=limit,
    )
    if problems := _problems_with(settings, pads=given.pad_variable_length_inputs):
        raise invalid(f"{path}: {' '.join(problems)}")
    return settings


def _problems_with(settings: BatchSettings, *, pads: bool) -> list[str]:
    """Returns a sentence for each value that is out of its range."""
    problems = [
        f"{name} is {value}; expected {least} or more."
        for name, least in (
            *(("max_batch_size", 1), ("batch_timeout_micros", 0), ("max_enqueued_batches", 1)),
            *(("num_batch_threads", 1), *([("max_execution_batch_size", 1)] if settings.split else [])),
        )
        if (value := getattr(settings, name)) < least
    ]
    if settings.num_batch_threads > _MAX_THREADS:
        problems.append(f"num_batch_threads is {settings.num_batch_threads}; expected at most {_MAX_THREADS:,}.")
    if settings.max_execution_batch_size > settings.max_batch_size:
        problems.append(
            f"max_execution_batch_size is {settings.max_execution_batch_size}; expected at most max_batch_size, "
            f"{settings.max_batch_size}."
        )
    sizes = settings.allowed_batch_sizes
    if sizes:
        if any(first >= second for first, second in zip((0, *sizes), sizes, strict=False)):
            problems.append("allowed_batch_sizes entries must be monotonically increasing, from 1 on.")
        name = "max_execution_batch_size" if settings.split else "max_batch_size"
        if sizes[-1] != settings.max_execution_batch_size:
            problems.append(
                f"Last entry in allowed_batch_sizes must match {name}; last entry was {sizes[-1]}; expected "
                f"{settings.max_execution_batch_size}."
            )
    if pads:
        problems.append(
            "pad_variable_length_inputs is not supported: rows of different shapes run in batches of their own. Leave "
            "it out, or use the real server: `crossnet serve --server=binary` or `--server=docker`."
        )
    return problems
