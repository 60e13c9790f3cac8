"""Defines the options and the error handling that commands share."""

from __future__ import annotations

import contextlib
import datetime
import functools
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from crossnet.components import interrupts
from crossnet.components.errors import PipelineError
from crossnet.pipeline import notices
from crossnet.pipeline.called import as_typed
from crossnet.pipeline.cli.completion import complete_configs, complete_settings
from crossnet.pipeline.cli.output import discard_output, output_problem
from crossnet.pipeline.wrapping import fitted
from crossnet.serving.protocol.printable import printable
from crossnet.serving.storage.uris import is_uri

if TYPE_CHECKING:
    from crossnet.pipeline.config import Config

DEFAULT_ROOT = "crossnet_root"


def say(text: object, *, err: bool = False) -> None:
    """Prints a line for people: a name in it may hold what would move a terminal's cursor.

    A command in it is printed as it can be typed here. On standard error a terminal gets it wrapped at words; what
    standard output gets may be kept in a file.
    """
    line = as_typed(printable(str(text)))
    with contextlib.suppress(OSError) if err else contextlib.nullcontext():  # then the exit code says it
        click.echo(fitted(line, sys.stderr) if err else line, err=err)


def prints_errors(command: Callable[..., int | None]) -> Callable[..., None]:
    """Makes a command exit with the code that it returns, and print an expected error as one sentence."""
    words = interrupts.Words(f"Interrupted in `crossnet {command.__name__}`.")

    @functools.wraps(command)
    def wrapper(*args: Any, **options: Any) -> None:
        notices.forget()
        try:
            with interrupts.last_words(lambda number: words):
                code = command(*args, **options) or 0
                interrupts.settle(code)
        except interrupts.Interrupted as error:
            code = error.exit_code
            print_interruption(error, as_json=options.get("as_json", False))
        except BrokenPipeError:  # click ends quietly; Python 3.13 would complain of what it still holds
            discard_output()
            raise
        except Exception as error:
            if isinstance(error, click.ClickException):  # click knows what to do
                raise
            code = print_error(error, command.__name__, options)
        sys.exit(code)

    return wrapper


def print_error(error: Exception, command: str, options: Mapping[str, Any]) -> int:
    """Prints an error that a user or the system has caused, and returns the exit code. Raises any other.

    Args:
      error: What was raised.
      command: The command's name.
      options: Its options.
    """
    if (problem := output_problem(error)) is not None:
        say(problem, err=True)
        return 1
    # PipelineError or ServingError: these share no base class, because `serving` imports nothing of `components`, but
    # both have an exit code.
    code, sentence = getattr(error, "exit_code", None) or 0, str(error)
    if not code:
        from crossnet.pipeline.faults import explain

        explained = explain(error, f"`crossnet {command}`", Path(options.get("root") or "."))
        if explained is None:
            raise error
        code, sentence = 1, explained
    if options.get("as_json"):
        click.echo(json.dumps({"error": sentence}))
    say(sentence, err=True)
    return code


def print_interruption(error: interrupts.Interrupted, *, as_json: bool) -> None:
    """Prints the words of an interruption, where they are not printed yet and the process does not exit with 0."""
    words = error.words or interrupts.Words()
    if error.exit_code and interrupts.may_print():
        if as_json:
            click.echo(words.json)
        say(words.sentence, err=True)


def in_utf8(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Refuses, as an option's callback, what no file of a run could hold: text with bytes that are not UTF-8."""
    try:
        str(value).encode()
    except UnicodeEncodeError:
        raise click.BadParameter(f"expected text in UTF-8; received '{value}'.", context, parameter) from None
    return value


def root_option(command: Callable[..., None]) -> Callable[..., None]:
    """Adds --root."""
    return click.option(
        "--root",
        type=_Root(path_type=Path, file_okay=False),
        default=DEFAULT_ROOT,
        envvar="CROSSNET_ROOT",
        callback=in_utf8,
        show_default=True,
        show_envvar=True,
        help="Folder for artifacts, runs and pushed models, or its URI in a store.",
    )(command)


class _Root(click.Path):
    """A folder; of a URI the folder of its copy, which commands fetch and put back."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        if not is_uri(str(value)):
            return super().convert(value, parameter, context)
        try:
            return _of_uri(str(value))
        except PipelineError as error:
            self.fail(str(error), parameter, context)


def _of_uri(uri: str) -> Path:
    from crossnet.pipeline.remote.places import folder_of

    return folder_of(uri)


def chosen_root(root: Path, config: Config) -> Path:
    """Returns --root or CROSSNET_ROOT where one of them is given, else the config's `root`, else the default."""
    context = click.get_current_context()
    if not config.root or context.get_parameter_source("root") is not ParameterSource.DEFAULT:
        return root
    return _of_uri(config.root) if is_uri(config.root) else Path(config.root)


def config_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds --config and --set."""
    command = click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        shell_complete=complete_settings,
        help="Override one setting, such as trainer.epochs=20. Can be repeated.",
    )(command)
    return click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path),
        shell_complete=complete_configs,
        help="A TOML file, or the name of a shipped one: default, article or csv.",
    )(command)


def json_option(command: Callable[..., None]) -> Callable[..., None]:
    """Adds --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON object.")(command)


def process_start() -> datetime.datetime:
    """Returns when this process began, UTC, to the hundredth of a second in which it did."""
    now = datetime.datetime.now(datetime.UTC)
    try:
        facts = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace")
        ticks = int(facts.rpartition(")")[2].split()[19])  # field 22 of proc(5): `starttime`, since the machine started
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - (ticks + 1) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return now
    return now - datetime.timedelta(seconds=max(age, 0.0))
