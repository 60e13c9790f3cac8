"""Defines the commands about config files.

Imports inside the commands keep `crossnet --help` fast.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from crossnet.pipeline.cli.completion import complete_configs, complete_settings
from crossnet.pipeline.cli.options import prints_errors, say

BELOW = ("schema", "check")  # commands of `config`


@click.group()
def config() -> None:
    """Check a config file, or print the schema by which editors complete one."""


@config.command()
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    shell_complete=complete_configs,
    help="Describe the settings of this config's `plugins` too.",
)
@prints_errors
def schema(file: Path | None) -> None:
    """Print the JSON Schema of a config: every setting with its meaning, type, range and default.

    `init` writes it beside the config that it proposes, whose first line names it.
    """
    from crossnet.pipeline.config import load_config
    from crossnet.pipeline.config_schema import config_schema

    config = load_config(file) if file else None
    click.echo(json.dumps(config_schema(config), indent=2, ensure_ascii=False))


@config.command()
@click.argument("file", type=click.Path(path_type=Path), shell_complete=complete_configs)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    shell_complete=complete_settings,
    help="Override one setting, such as trainer.epochs=20. Can be repeated.",
)
@prints_errors
def check(file: Path, overrides: tuple[str, ...]) -> None:
    """List every mistake in FILE at once; exits with 2 where there is one. No data is read."""
    from crossnet.components.formats import counted
    from crossnet.pipeline.config import as_values, changed_settings, load_config

    found = load_config(file, overrides)
    changed = changed_settings(as_values(found), type(found))
    differ = "setting differs" if len(changed) == 1 else "settings differ"
    say(f"`{file}` has no mistake; {counted(len(changed), differ, differ)} from the defaults of the code.")
    for name, value in changed:
        say(f"  {name} = {json.dumps(value, ensure_ascii=False)}")
