"""Shows the progress of a run and writes its log file.

Progress is a live line on a terminal and plain lines elsewhere.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from crossnet.components import progress
from crossnet.pipeline.called import as_typed
from crossnet.serving.protocol.printable import PrintableFormatter, printable

LONG_SECONDS = 3  # a step that takes longer shows how long it has taken
LOGGER = logging.getLogger("crossnet")  # the parent of the loggers of all our modules


class PlainConsole(Console):
    """Prints text as it is, with control characters escaped: a name in it may hold brackets, colons or escapes.

    Args:
      options: Of `rich.console.Console`.
    """

    def __init__(self, **options: Any):
        # In a notebook, rich would print HTML past the stream that it is given.
        super().__init__(highlight=False, markup=False, emoji=False, force_jupyter=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Returns a text, or a table's cell, as rich prints it, with commands as they can be typed."""
        return super().render_str(as_typed(printable(text)), **options)

    def on_broken_pipe(self) -> None:
        """Lets the error pass. rich would end the process, and take standard error for standard output."""
        raise  # noqa: PLE0704  # rich calls this while it handles the error


class _CutSpinner(Spinner):
    """A spinner whose lines a narrow terminal cuts: wrapped, they would jump with each update.

    Args:
      text: What it shows: words, or what gives them anew for each frame.
    """

    def __init__(self, text: str | Callable[[], str]):
        super().__init__("dots")
        self.words = text

    def render(self, time: float) -> RenderableType:
        """Returns the frame and the text; rich's own joins them to a text that wraps."""
        self.text = Text(printable(self.words if isinstance(self.words, str) else self.words()))
        shown = super().render(time)
        if isinstance(shown, Text):
            shown.no_wrap, shown.overflow = True, "ellipsis"
        return shown


class LiveLine:
    """A line on a terminal that shows the present work and disappears afterwards; nothing elsewhere.

    It does not redirect sys.stdout and sys.stderr, as rich does by default: libraries print there, into the log.
    """

    def __init__(self, console: Console, text: str | Callable[[], str]):
        self._spinner = _CutSpinner(text)
        self._live = Live(self._spinner, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)

    def update(self, text: str) -> None:
        """Replaces the text."""
        self._spinner.words = text

    def __enter__(self) -> LiveLine:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()


class Reporter:
    """Prints progress on standard error.

    Args:
      quiet: Print nothing but errors.
      verbose: Also print what the steps log.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False):
        self.quiet = quiet
        self.verbose = verbose
        self._console: Console = PlainConsole(stderr=True)
        self._live: LiveLine | None = None
        self._at_work: dict[str, tuple[float, str]] = {}  # step -> since when, and what is shown of it

    def line(self, text: str) -> None:
        """Prints one line of progress."""
        if not self.quiet:
            with contextlib.suppress(OSError):  # nobody reads it any more: the run goes on
                self._console.print(text, soft_wrap=True)

    @contextlib.contextmanager
    def working(self, step: str) -> Iterator[None]:
        """Shows, on a terminal, that `step` runs and what it logged last."""
        self.begin(step)
        try:
            with progress.told_to(partial(self._show_share, step)) if self._live else contextlib.nullcontext():
                yield
        finally:
            self.end(step)

    def begin(self, step: str) -> None:
        """Shows, on a terminal, from here on that `step` runs, beside others that do."""
        self._at_work[step] = time.monotonic(), ""
        if self._live is None and not self.quiet and self._console.is_terminal:
            self._live = LiveLine(self._console, self._shown)
            self._live.__enter__()

    def end(self, step: str) -> None:
        """Ends what `begin` began."""
        self._at_work.pop(step, None)
        if self._live is not None and not self._at_work:
            self._live.__exit__()
            self._live = None

    def detail(self, text: str, share: float | None = None, step: str | None = None) -> None:
        """Shows what a running step does and, where `share` of it is done, how long the rest will take.

        Args:
          text: What it does.
          share: How much of it is done, 0 to 1; None: unknown.
          step: The step, named in front of the text; None: the one that runs in this process.
        """
        of = f"{step}: " if step else ""
        step = step or next(iter(self._at_work), "")
        if share and step in self._at_work:
            left = (time.monotonic() - self._at_work[step][0]) * (1 - share) / share
            what, colon, rest = text.partition(":")  # the end of a long line is cut
            text = f"{what}, about {_rough(left)} left{colon}{rest}"
        if self.verbose:
            self.line(f"  {of}{text}")
        if step in self._at_work:
            self._at_work[step] = self._at_work[step][0], text

    def _show_share(self, step: str, what: str, share: float, seconds: float) -> None:
        """Shows how much of its data a step has gone through in `seconds` and, where it takes long, what is left."""
        if step in self._at_work:
            takes_long = share > 0 and seconds + seconds * (1 - share) / share >= LONG_SECONDS
            left = f", about {_rough(seconds * (1 - share) / share)} left" if takes_long else ""
            self._at_work[step] = self._at_work[step][0], f"{what}: {share:.0%}{left}".replace("%", " %")

    def _shown(self) -> str:
        """Returns the steps at work, each with its time where that is long, and what it logged last."""
        now, lines = time.monotonic(), []
        for step, (since, text) in tuple(self._at_work.items()):  # rich asks in a thread of its own
            took = f" {_rough(now - since)}" if now - since >= LONG_SECONDS else ""
            lines.append(f"{step}{took}{'  ' if text else ''}{text}")
        return "\n  ".join(lines)

    @contextlib.contextmanager
    def logging_to(self, file: Path) -> Iterator[None]:
        """Sends what libraries print, log or warn into `file`; the reporter's own lines still reach the screen.

        TensorFlow's C++ writes to the file descriptors 1 and 2, so these are redirected.
        """
        with _open_log(file) as log, _redirected(log) as screen:
            console, self._console = self._console, PlainConsole(file=screen)
            handler = logging.StreamHandler(log)
            handler.setFormatter(
                PrintableFormatter("%(asctime)s %(levelname)s %(name)s: %(of)s%(message)s", defaults={"of": ""})
            )
            details = _DetailHandler(self)
            level, propagate = LOGGER.level, LOGGER.propagate
            LOGGER.addHandler(handler)
            LOGGER.addHandler(details)
            LOGGER.setLevel(logging.INFO)
            LOGGER.propagate = False  # TensorFlow adds a handler to the root logger
            try:
                with warnings.catch_warnings():
                    warnings.showwarning = _warning_writer(log)
                    yield
            finally:
                self._console = console
                LOGGER.removeHandler(handler)
                LOGGER.removeHandler(details)
                LOGGER.setLevel(level)
                LOGGER.propagate = propagate


def _rough(seconds: float) -> str:
    """Returns a time as people say it: "45 s", "3 min", "2 h 10 min"."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class _Log(io.FileIO):
    """A log that a full disk cuts short, instead of failing whatever is logged."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return memoryview(data).nbytes


def _open_log(file: Path) -> TextIO:
    return io.TextIOWrapper(io.BufferedWriter(_Log(str(file), "a")), encoding="utf-8")


class _DetailHandler(logging.Handler):
    """Shows a step's log messages as its live detail."""

    def __init__(self, reporter: Reporter):
        super().__init__(logging.INFO)
        self.reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        self.reporter.detail(record.getMessage(), getattr(record, "share", None), getattr(record, "step", None))


def _warning_writer(log: TextIO):  # type: ignore[no-untyped-def]  # the signature is the warnings module's
    def write(message, category, filename, lineno, file=None, line=None):  # type: ignore[no-untyped-def]
        log.write(warnings.formatwarning(message, category, filename, lineno, line))

    return write


@contextlib.contextmanager
def _redirected(log: TextIO) -> Iterator[TextIO]:
    """Points the descriptors 1 and 2, and Python's own streams, at `log`; yields the real standard error."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):  # nobody reads it any more
                stream.flush()
    kept_out, kept_err = os.dup(1), os.dup(2)
    stdout, stderr = sys.stdout, sys.stderr
    try:
        # Where sys.stderr is not descriptor 2, as under a test's capture, the reporter's lines go to sys.stderr.
        own = stderr.fileno() == 2
    except (AttributeError, io.UnsupportedOperation):
        own = False
    screen = os.fdopen(os.dup(kept_err), "w", encoding="utf-8", buffering=1) if own else stderr
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    sys.stdout = sys.stderr = log
    try:
        yield screen
    finally:
        sys.stdout, sys.stderr = stdout, stderr
        log.flush()
        os.dup2(kept_out, 1)
        os.dup2(kept_err, 2)
        os.close(kept_out)
        os.close(kept_err)
        if own:
            with contextlib.suppress(OSError):
                screen.close()
