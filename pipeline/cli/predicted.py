"""Says what became of the rows that `predict` sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossnet.components.errors import PipelineError
from crossnet.components.formats import counted, duration, percent
from crossnet.pipeline.cli.options import say
from crossnet.serving.protocol.printable import MAX_NAME_SHOWN, listed, shown
from crossnet.serving.protocol.suggestions import did_you_mean
from crossnet.serving.status import NotFoundError, ServingError

if TYPE_CHECKING:
    from crossnet.serving.predict import PredictSummary
    from crossnet.serving.rows.unusual import Unusual

_MAX_COLUMNS = 20

# What the client advises -> what a shell has for it; `{url}` is the model's over REST, on the port that is usual.
_OPTIONS = {
    "`status()` lists the versions of a model.": "`curl {url}` lists the versions that a server has, if it answers "
    "REST on port 8501.",
    "`metadata()` lists the signatures, `status()` the state of each version.": "`curl {url}/metadata` lists the "
    "signatures, `curl {url}` the state of each version, if the server answers REST on port 8501.",
    "Compare them with `metadata()`.": "Compare them with what `curl {url}/metadata` lists, if the server answers REST "
    "on port 8501.",
    "Give a longer `timeout_seconds` or send fewer rows at once.": "Give a longer `--timeout` or a smaller "
    "`--batch-size`.",
    "Lower `max_rows_per_call`, or": "Lower `--batch-size`, or",
    "Give `tls` a client certificate, or `headers` the token that it expects.": "Give a client certificate: "
    "`--tls-cert` and `--tls-key`.",
    "leave `tls` out": "leave the options `--tls-...` out",
    "If the server uses TLS, give `tls`, with a client certificate if it requires one;": "If the server uses TLS, give "
    "`--tls-ca`, and `--tls-cert` and `--tls-key` if it requires a client certificate;",
    "give `tls`, or check the port": "give `--tls-ca`, or check the port",
    "give it as `server_name` (`--tls-server-name`)": "give it as `--tls-server-name`",
    "an authority in `ca` (`--tls-ca`)": "an authority in `--tls-ca`",
}


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
def naming_options(address: Mapping[str, Any]) -> Iterator[None]:
    """Names, in errors of a server, options in place of Python calls, and models that were pushed beside one it lacks.

    Args:
      address: Of `ModelAddress`, among others `target`, `model_name` and `pushed`, a folder that may not be there.
    """
    pushed: Path = address["pushed"]
    try:
        yield
    except ServingError as error:
        if error.code is None:  # no server was asked
            raise
        text = in_options(str(error), address["target"], address["model_name"])
        names = model_names(pushed.parent) if isinstance(error, NotFoundError) else []
        if names and pushed.name not in names:
            known = f"`{pushed.parent}` has {listed(names)}: name one with --model, or give --config."
            text = f"{text}{did_you_mean(pushed.name, names)} {known}"
        raise type(error)(text, error.code) from None


def in_options(text: str, target: str, model_name: str) -> str:
    """Returns an error of the client with the options of a command for what it says of Python."""
    host = "localhost" if target.startswith("unix:") else target.rpartition(":")[0]
    url = f"http://{host}:8501/v1/models/{shown(model_name, MAX_NAME_SHOWN)}"
    for python, option in _OPTIONS.items():
        text = text.replace(python, option.format(url=url))
    return text


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
