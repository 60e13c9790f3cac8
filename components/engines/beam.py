"""Runs jobs as pipelines of Apache Beam.

Needs the extra `beam`, which takes an environment of its own. Workers need this package, and see the rows and the root
under the same paths as this process. Results come back in files, because no runner hands more than counters back.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import pickle
import queue
import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self, TypeVar

from crossnet.components.engines.base import IN_PROCESS, Engine
from crossnet.components.errors import PipelineError, SettingsError

T = TypeVar("T")

LOGGER = logging.getLogger(__name__)

# Beam's import takes 3 CPU s and a pipeline in memory some 0.2 (2026-11-29, 2 shared cores); a service that runs
# pipelines takes minutes to start one. One process reads at some 100 MB/s: below this Beam would be most of the work.
LEAST_BYTES = 1 << 30
IN_MEMORY = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
# By any of these names Beam looks for a program, Prism, and would load it from the network.
_LOOKS_ELSEWHERE = ("", "direct", "directrunner", "switchingdirect", "switchingdirectrunner")
# What runs these may know options that Beam in this process does not.
_HAS_OPTIONS_OF_ITS_OWN = ("portable", "flink", "spark", "prism", "kafkastreams")
_WIDTH_OPTIONS = ("max_num_workers", "num_workers", "parallelism", "direct_num_workers")
NOT_INSTALLED = (
    "`engine` is beam, and apache-beam is not installed. Install it in an environment of its own, because it "
    "takes older versions of protobuf and pyarrow: pip install 'crossnet-pipeline[beam]'."
)


class BeamEngine:
    """Apache Beam: one pipeline for each list of jobs; use it in a `with` block.

    A job whose worker dies is run again where the runner does that; one that raises is not, for it would raise again.

    Args:
      options: Pipeline options such as `runner`, without dashes; "" for an option that takes no value.
      num_workers: Into how many jobs a step cuts its work; None: what the options say, or the cores of this machine.
      least_bytes: A step that reads less runs in this process.

    Attributes:
      width: How many jobs that is.
    """

    def __init__(
        self, options: Mapping[str, str], num_workers: int | None = None, *, least_bytes: int = LEAST_BYTES
    ) -> None:
        self._options, self._least_bytes = dict(options), least_bytes
        wide = [int(options[name]) for name in _WIDTH_OPTIONS if options.get(name, "").isdecimal()]
        self.width = num_workers or next((width for width in wide if width), len(os.sched_getaffinity(0)))

    def for_bytes(self, size: int) -> Engine:
        """Returns itself where the work is more than what Beam costs."""
        return self if size >= self._least_bytes else IN_PROCESS

    def map(self, function: Callable[..., T], jobs: Sequence[tuple[Any, ...]]) -> Iterator[T]:
        """Calls `function` with the arguments of each job in one pipeline; all results come together.

        Raises:
          SettingsError: Beam is not installed, or does not take an option.
          PipelineError: The runner does not answer, or has given up.
          Exception: What the first job in this order that fails raises.
        """
        if len(jobs) < 2:
            yield from IN_PROCESS.map(function, jobs)
            return
        with _logged(), self._results() as folder:
            tasks = [(f"{folder}/{number}", pickle.dumps((function, job))) for number, job in enumerate(jobs)]
            self._run(tasks, function.__name__)
            for path, _ in tasks:
                is_done, result = pickle.loads(self._read(path))
                if not is_done:
                    raise result
                yield result

    def _run(self, tasks: list[tuple[str, bytes]], name: str) -> None:
        """Runs the tasks; each has then written its result to its path."""
        beam, options = _installed(), self._checked()
        running: list[Any] = []
        ended: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def work() -> None:
            try:
                pipeline = beam.Pipeline(options=options)
                _ = pipeline | beam.Create(tasks) | beam.Reshuffle() | beam.MapTuple(_attempt)
                running.append(pipeline.run())
                ended.put(str(running[0].wait_until_finish()))
            except BaseException as error:
                ended.put(error)

        with _watched(ended):
            # In a thread: where a process of a worker dies on this machine, Beam would wait for it for ever.
            threading.Thread(target=work, name="beam", daemon=True).start()
            try:
                state = ended.get()
            except BaseException:
                for pipeline in running:
                    with contextlib.suppress(Exception):
                        pipeline.cancel()
                raise
        if state != "DONE":
            reason = _reason(state) if isinstance(state, BaseException) else f"the pipeline's state is {state}"
            raise self._given_up(name, reason) from None

    def _given_up(self, name: str, reason: str) -> PipelineError:
        runner = self._options.get("runner", "in memory")
        return PipelineError(
            f"Beam (runner {runner}) has not done `{name}`: {reason}. Look at the runner and its workers' logs; their "
            "options stand in [engine_options], such as job_endpoint, flink_master or project."
        )

    def _checked(self) -> Any:
        """Returns Beam's options.

        Raises:
          SettingsError: Beam does not take one of them.
        """
        from apache_beam.options.pipeline_options import PipelineOptions

        runner = self._options.get("runner", "")
        given = self._options | {"runner": IN_MEMORY if runner.lower() in _LOOKS_ELSEWHERE else runner}
        options = PipelineOptions([f"--{key}={value}" if value else f"--{key}" for key, value in given.items()])
        said = io.StringIO()
        try:
            with contextlib.redirect_stderr(said):
                known = options.get_all_options()
        except SystemExit:  # argparse's way
            reason = said.getvalue().strip().splitlines()[-1].partition("error: ")[2]
            raise SettingsError(f"Beam does not take `engine_options`: {reason}.") from None
        unknown = sorted(options.get_all_options(retain_unknown_options=True).keys() - known.keys())
        if unknown and not runner.lower().startswith(_HAS_OPTIONS_OF_ITS_OWN):
            raise SettingsError(
                f"`engine_options` names what Beam does not know: {', '.join(unknown)}. Expected pipeline options "
                "without their dashes, such as runner, project, temp_location or direct_num_workers."
            )
        return options

    @contextlib.contextmanager
    def _results(self) -> Iterator[str]:
        """Yields a new folder for results, in `temp_location` where the options name one, and removes it."""
        place = self._options.get("temp_location", "")
        if "://" not in place:
            folder = tempfile.mkdtemp(prefix="crossnet-results-", dir=place or None)
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            return
        _installed()
        from apache_beam.io.filesystems import FileSystems

        folder = f"{place.rstrip('/')}/crossnet-results-{uuid.uuid4()}"
        try:
            yield folder
        finally:
            with contextlib.suppress(Exception):  # what is left there does no harm
                FileSystems.delete([f"{folder}/"])

    def _read(self, path: str) -> bytes:
        from apache_beam.io.filesystems import FileSystems

        try:
            with FileSystems.open(path) as stream:
                data: bytes = stream.read()
                return data
        except Exception as error:
            raise PipelineError(
                f"Beam's workers have written no result to `{os.path.dirname(path)}`: {_reason(error)}. Name in "
                "`temp_location` of [engine_options] a folder that this machine and all workers see."
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def _attempt(path: str, task: bytes) -> None:
    """Runs a job in a worker; what it returns or raises is its result, which appears when it is whole."""
    from apache_beam.io.filesystems import FileSystems

    function, job = pickle.loads(task)
    try:
        result = pickle.dumps((True, function(*job)))
    except Exception as error:
        result = pickle.dumps((False, error))
    own = f"{path}-{uuid.uuid4()}"  # of this attempt
    with FileSystems.create(own) as stream:
        stream.write(result)
    FileSystems.rename([own], [path])


def _installed() -> Any:
    try:
        import apache_beam
    except ImportError as error:
        raise SettingsError(NOT_INSTALLED) from error
    return apache_beam


@contextlib.contextmanager
def _watched(ended: queue.SimpleQueue[Any]) -> Iterator[None]:
    """Inside, `ended` is told of the error with which the thread ends that waits for a worker's process."""
    others, died = threading.excepthook, threading.Event()

    def tell(args: threading.ExceptHookArgs) -> None:
        if getattr(args.thread, "name", "") == "run_worker":
            died.set()
            ended.put(args.exc_value)
        elif not args.exc_type.__module__.startswith("grpc"):  # of threads whose worker has ended
            others(args)

    threading.excepthook = tell
    try:
        yield
    finally:
        if not died.is_set():  # else the threads of the other workers end after this
            threading.excepthook = others


@contextlib.contextmanager
def _logged() -> Iterator[None]:
    """Inside, what Beam has to say goes to our log, and it does not put a handler on the root logger."""
    root, beam, keep = logging.getLogger(), logging.getLogger("apache_beam"), logging.NullHandler()
    forward = _Forward()
    root.addHandler(keep)
    beam.addHandler(forward)
    try:
        yield
    finally:
        root.removeHandler(keep)
        beam.removeHandler(forward)


class _Forward(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        LOGGER.info("Beam: %s", record.getMessage())


def _reason(error: BaseException) -> str:
    """Returns what an error of Beam says, in one line; a timeout has only its name."""
    text = " ".join(str(error).split()) or type(error).__name__
    LOGGER.info("Beam: %s: %s", type(error).__name__, text)
    return text[:300].rstrip(". ")
