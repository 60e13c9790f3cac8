"""Defines the command that looks for damage: verify.

Imports inside the command keep `crossnet --help` fast.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from crossnet.pipeline.cli.options import json_option, prints_errors, root_option, say


@click.command()
@click.argument("name", metavar="[RUN]", required=False)
@root_option
@click.option(
    "--all", "everything", is_flag=True, help="Verify all artifacts, records and pushed versions of the root."
)
@click.option(
    "--set-aside", "sets_aside", is_flag=True, help="Set damaged artifacts aside: the next run makes them again."
)
@json_option
@prints_errors
def verify(name: str | None, root: Path, everything: bool, sets_aside: bool, as_json: bool) -> int:
    """Hash a run's artifacts and what is in service, and name each damaged file. [default: the newest run]

    Exits with 1 where anything is damaged.
    """
    from crossnet.pipeline.store import Store
    from crossnet.pipeline.verify import describe, set_aside_damaged, verify

    store = Store(root)
    result = verify(store, name, everything=everything)
    if sets_aside and result.damaged:
        with store.locked():
            result.set_aside += set_aside_damaged(store, result)
    if as_json:
        click.echo(json.dumps(result.to_json()))
    else:
        for line in describe(result, store, was_set_aside=sets_aside):
            say(line)
    return int(bool(result.damaged))
