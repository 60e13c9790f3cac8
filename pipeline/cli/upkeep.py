"""Defines the commands that look after a root: verify, gc.

Imports inside the commands keep `crossnet --help` fast.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from crossnet.components import interrupts
from crossnet.pipeline.cli.completion import complete_runs
from crossnet.pipeline.cli.options import json_option, prints_errors, root_option, say


@click.command()
@click.argument("name", metavar="[RUN]", required=False, shell_complete=complete_runs)
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


@click.command()
@root_option
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Newest runs to keep.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@prints_errors
def gc(root: Path, keep: int, dry_run: bool) -> None:
    """Remove artifacts that no kept run and no version in service needs."""
    from crossnet.components.formats import counted
    from crossnet.components.model_folder import record_problems
    from crossnet.pipeline.gc import collect_garbage, served_folders
    from crossnet.pipeline.store import Store

    store = Store(root)
    if not store.run_folders():
        store.read_run()  # raises, before the lock is written: a folder without runs is not a root
    words = interrupts.Words("Interrupted. What is removed is removed; run `crossnet gc` again for the rest.")
    with store.locked(), interrupts.last_words(lambda number: words):
        removed, size = collect_garbage(store, keep=keep, dry_run=dry_run)
        problems = [problem for folder in sorted(served_folders(store)) for problem in record_problems(folder)]
    for problem in problems:
        say(problem, err=True)
    for path in removed:
        say(path.relative_to(store.root))
    say(f"{'Would remove' if dry_run else 'Removed'} {counted(len(removed), 'folder')}, {size / 2**20:.1f} MiB.")
