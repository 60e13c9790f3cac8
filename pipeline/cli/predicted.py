"""Says what became of the rows that `predict` sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from crossnet.components.errors import PipelineError
from crossnet.components.formats import counted, duration, percent
from crossnet.pipeline.cli.options import say
from crossnet.serving.protocol.printable import MAX_NAME_SHOWN, listed, shown
from crossnet.serving.protocol.suggestions import did_you_mean
from crossnet.serving.status import NotFoundError

if TYPE_CHECKING:
    from crossnet.serving.predict import PredictSummary
    from crossnet.serving.rows.unusual import Unusual

_MAX_COLUMNS = 20


def say_summary(summary: PredictSummary, *, quiet: bool, strict: bool = False) -> None:
    """Prints how many rows were answered and, also where that is to be quiet, what is doubtful about them."""
    if not quiet:
        versions = ", ".join(map(str, summary.versions))
        answered = f", answered by version {versions}" if versions else ""
        say(f"{counted(summary.rows, 'row')} in {duration(summary.seconds)}{answered}.", err=True)
    if summary.repeats:
        lines = counted(len(summary.repeats), "line")
        be, have = ("is", "has") if len(summary.repeats) == 1 else ("are", "have")
        say(f"{lines} {be} the header again and {have} no answer (first: {summary.repeats[0]}).", err=True)
    if summary.unstated:
        names = listed(summary.unstated)
        say(
            f"Times in {names} were sent as whole seconds since 1970 (UTC). Was the model trained on another "
            "unit? Give --config, or --time-unit NAME=ms.",
            err=True,
        )
    if summary.not_finite:
        say(f"{counted(summary.not_finite, 'row')} got no finite number.", err=True)
    for item in summary.unusual[:_MAX_COLUMNS]:
        say(_sentence(item, summary.rows), err=True)
    if len(summary.unusual) > _MAX_COLUMNS:
        say(f"So it is with {len(summary.unusual) - _MAX_COLUMNS} more columns.", err=True)
    if summary.recorded_in and any(item.kind != "infinite" for item in summary.unusual):
        say(f"What training had is recorded in `{summary.recorded_in}`.", err=True)
    if strict and not summary.recorded_in and summary.rows:
        say(
            "What training had is not known here, so that no number was compared with it. Name the folder below which "
            "the model was pushed: --root, or the --config of its run.",
            err=True,
        )


@contextmanager
def naming_models(pushed: Path) -> Iterator[None]:
    """Adds to the error of a server that does not serve a model the names of those that were pushed beside it.

    Args:
      pushed: The folder of the model's versions, which may not be there.
    """
    try:
        yield
    except NotFoundError as error:
        names = model_names(pushed.parent)
        if error.code is None or not names or pushed.name in names:  # None: no server was asked
            raise
        known = f"`{pushed.parent}` has {listed(names)}: name one with --model, or give --config."
        raise NotFoundError(f"{error}{did_you_mean(pushed.name, names)} {known}", error.code) from None


def model_names(folder: Path) -> list[str]:
    """Returns the models of which versions were pushed below a folder; none where it cannot be read."""
    try:
        return sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    except OSError:
        return []


def what_became_of(output: Path | None, of_stream: str) -> str:
    """Returns what is to be said of an output that is not complete: of a pipe, a device or the screen, `of_stream`."""
    is_stream = output is None or (output.exists() and not output.is_file())
    return of_stream if is_stream else f"`{output}` was not written"


def strict_judge(output: Path | None, *, quiet: bool) -> Callable[[PredictSummary], None]:
    """Returns the judge of `--strict`, which raises PipelineError, and prints the summary before."""

    def judge(summary: PredictSummary) -> None:
        if problem := strict_problem(summary):
            say_summary(summary, quiet=quiet, strict=True)
            kept = what_became_of(output, "The answers are written all the same")
            raise PipelineError(f"{problem} {kept}. Fix the rows, or leave `--strict` out.")

    return judge


def strict_problem(summary: PredictSummary) -> str:
    """Returns what `--strict` does not let pass, as a sentence; "" for nothing."""
    columns = dict.fromkeys(item.column for item in summary.unusual if item.kind != "category")
    found = [f"numbers in {listed(columns)} are missing, infinite or beyond those of training"] if columns else []
    if summary.not_finite:
        found.append(f"{counted(summary.not_finite, 'row')} got no finite number")
    return f"`--strict`: {', and '.join(found)}." if found else ""


def _sentence(item: Unusual, rows: int) -> str:
    """Returns what is unusual in a column."""
    has = "has" if item.rows == 1 else "have"
    what = {
        "infinite": f"{has} an infinite number, such as {item.example}",
        "missing": f"{has} no number, and no row of training lacks it",
        "outside": f"{has} a number beyond those of training, {item.expected}, such as {item.example}",
        "category": f"{has} a category that training never had, or too rarely to learn from, such as {item.example}",
    }[item.kind]
    count = f"{counted(item.rows, 'row')} ({percent(item.rows / rows)})"
    return f"`{shown(item.column, MAX_NAME_SHOWN)}`: {count} {what} ({item.place})."
