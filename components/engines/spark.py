"""Runs jobs as tasks of Apache Spark.

Needs the extra `spark` and Java 17. Executors need this package, and see the rows and the root under the same paths as
this process.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from crossnet.components.engines.base import IN_PROCESS, Engine
from crossnet.components.errors import PipelineError, SettingsError

T = TypeVar("T")

LOGGER = logging.getLogger(__name__)

# A task costs some 0.25 CPU s where Spark is warm (2026-11-27, 2 shared cores), and one process reads at some 100 MB/s:
# so below this Spark would be most of the work.
LEAST_BYTES = 1 << 30
_QUIET = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "OFF",
    # Two attempts at a job at the same time would write the same files.
    "spark.speculation": "false",
    # A worker of Spark reads what the last job left in it: none of ours does, but each costs its imports only once.
    "spark.python.worker.reuse": "true",
}
NOT_INSTALLED = (
    "`engine` is spark, and pyspark is not installed. Install it, with Java 17: pip install 'crossnet-pipeline[spark]'."
)


class SparkEngine:
    """Spark, started when a step has work enough for it; use it in a `with` block.

    A job whose process or executor dies is run again by Spark; one that raises is not, for it would raise again.

    Args:
      options: Options of Spark, such as `spark.master`; they stand above `spark-defaults.conf`.
      least_bytes: A step that reads less runs in this process.
    """

    def __init__(self, options: Mapping[str, str], *, least_bytes: int = LEAST_BYTES) -> None:
        self._options = dict(options)
        self._least_bytes = least_bytes
        self._session: Any = None

    @property
    def width(self) -> int:
        """How many tasks Spark runs at the same time; asking for it starts Spark."""
        return max(2, int(self._start().sparkContext.defaultParallelism))

    def for_bytes(self, size: int) -> Engine:
        """Returns itself where the work is more than what Spark costs."""
        return self if size >= self._least_bytes else IN_PROCESS

    def map(self, function: Callable[..., T], jobs: Sequence[tuple[Any, ...]]) -> Iterator[T]:
        """Calls `function` with the arguments of each job, each in a task; all results come together.

        Raises:
          PipelineError: Spark does not start, or has given up on a job whose processes died.
          Exception: What the first job in this order that fails raises.
        """
        if len(jobs) < 2:
            yield from IN_PROCESS.map(function, jobs)
            return
        from py4j.protocol import Py4JError

        context = self._start().sparkContext
        try:
            rows = context.parallelize([(function, job) for job in jobs], len(jobs))
            results = rows.map(_attempt).collect()
        except Py4JError as error:
            reason = _reason(error)  # Java's process says it
            self.kill()
            raise PipelineError(
                f"Spark has given up on `{function.__name__}`: {reason}. Look at the executors' logs; where "
                "memory ran out, set spark.executor.memory or spark.python.worker.memory in [engine_options]."
            ) from None
        except BaseException:
            self.kill()
            raise
        for is_done, result in results:
            if not is_done:
                raise result
            yield result

    def _start(self) -> Any:
        if self._session is None:
            try:
                import pyspark
                from py4j.protocol import Py4JError
                from pyspark.errors import PySparkRuntimeError
            except ImportError as error:
                raise SettingsError(NOT_INSTALLED) from error
            # `local-cluster`, for tests, starts what lies in Spark's own folder; executors use this Python.
            os.environ.setdefault("SPARK_HOME", str(Path(pyspark.__file__).parent))
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
            builder = pyspark.sql.SparkSession.builder.appName("crossnet")
            for name, value in {**_QUIET, **self._options}.items():
                builder = builder.config(name, value)
            try:
                self._session = builder.getOrCreate()
            except (PySparkRuntimeError, Py4JError) as error:
                reason = _reason(error)
                self.kill()
                raise PipelineError(
                    f"Spark does not start: {reason}. It needs Java 17 on the path or in JAVA_HOME, and a "
                    f"spark.master that answers (received {self._options.get('spark.master', 'none')}) in "
                    "[engine_options]."
                ) from None
        return self._session

    def kill(self) -> None:
        """Ends Spark's process here, and with it the application, whatever it does; the next `map` starts another."""
        from pyspark import SparkContext
        from pyspark.sql import SparkSession

        gateway = SparkContext._gateway
        self._session = SparkSession._instantiatedSession = SparkContext._gateway = SparkContext._jvm = (
            SparkContext._active_spark_context
        ) = None
        process = getattr(gateway, "proc", None)
        if process is not None:
            process.kill()
            process.wait()
            with contextlib.suppress(OSError):
                process.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._session is None:
            return
        if kind is not None:
            self.kill()
            return
        with contextlib.suppress(Exception):  # every job is done: what Spark says at its end changes nothing
            self._session.stop()
        self.kill()


def _attempt(row: tuple[Callable[..., T], tuple[Any, ...]]) -> tuple[bool, T | Exception]:
    """Runs a job in a task; what it raises is its result, so that Spark does not try again."""
    function, job = row
    try:
        return True, function(*job)
    except Exception as error:
        return False, error


def _reason(error: BaseException) -> str:
    """Returns the first line of what Spark says; its traces of Java go to the log."""
    java = getattr(error, "java_exception", None)
    text = str(java.toString() if java is not None else error).strip()
    LOGGER.info("Spark: %s", text)
    return (text.splitlines() or ["no reason given"])[0].rstrip(".")[:300]
