"""What commands share: options, and errors that end in words."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

ROOT = "crossnet_root"


def fails_in_words(command: Callable[..., int | None]) -> Callable[..., None]:
    """Makes a command exit with its return value, and with one sentence where an error was to be expected."""

    @functools.wraps(command)
    def wrapper(*args: Any, **options: Any) -> None:
        try:
            code = command(*args, **options) or 0
        except Exception as error:
            # ServingError is no PipelineError: `serving` knows nothing of `components`. Both carry an exit code.
            code = getattr(error, "exit_code", None) or 0
            if not code or isinstance(error, click.ClickException):
                raise
            if options.get("as_json"):
                click.echo(json.dumps({"error": str(error)}))
            click.echo(str(error), err=True)
        sys.exit(code)

    return wrapper


def root_option(command: Callable[..., None]) -> Callable[..., None]:
    """Adds --root."""
    return click.option(
        "--root",
        type=click.Path(path_type=Path, file_okay=False),
        default=ROOT,
        envvar="CROSSNET_ROOT",
        show_default=True,
        show_envvar=True,
        help="Folder for artifacts, runs and pushed models.",
    )(command)


def config_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds --config and --set."""
    command = click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Override one setting, such as trainer.epochs=20. May be repeated.",
    )(command)
    return click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path),
        help="A TOML file, or a shipped one: default, article, csv.",
    )(command)


def json_option(command: Callable[..., None]) -> Callable[..., None]:
    """Adds --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON object.")(command)
