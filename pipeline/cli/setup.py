"""Defines the commands that need no run: init, doctor, sbom."""

from __future__ import annotations

import shlex
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crossnet.pipeline.cli.options import prints_errors, say

if TYPE_CHECKING:
    from crossnet.pipeline.init.tables import Table


@click.command()
@click.argument("table", required=False, type=click.Path(path_type=Path))
@click.option("--label", help="The column to predict; without it, the columns are listed.")
@click.option("--source", help="The table's format, where its name and first bytes do not tell it.")
@click.option("--query", help="In place of TABLE: one SELECT, or the path of a .sql file that holds one.")
@click.option("--connection", help="With --query: the database; without: DuckDB over files.")
@click.option("--output", type=click.Path(path_type=Path), help="[default: the table's name with .toml, here]")
@prints_errors
def init(
    table: Path | None,
    label: str | None,
    source: str | None,
    query: str | None,
    connection: str | None,
    output: Path | None,
) -> int:
    """Look at all rows of a table and write a commented config for it.

    TABLE is a file, a folder, or a glob in quotes.
    """
    if (table is None) == (query is None):
        raise click.UsageError("Name a table or a --query, one of them.")
    if connection and not query:
        raise click.UsageError("--connection is for --query.")
    from crossnet.components import interrupts
    from crossnet.pipeline.init.config_text import table_name
    from crossnet.pipeline.init.tables import find_query, find_table

    output = output or Path(f"{table_name(table) if table else 'query'}.toml")
    was_there = output.exists()

    def words(number: signal.Signals) -> interrupts.Words:
        kept = "is written" if output.exists() and not was_there else "was not written"
        return interrupts.Words(f"Interrupted in `crossnet init`; `{output}` {kept}.")

    with interrupts.last_words(words):
        if table:
            return _propose(find_table(table, source or ""), label, output)
        folder = output.absolute().parent
        with tempfile.TemporaryDirectory() as work:
            return _propose(find_query(query or "", connection or "", folder, Path(work)), label, output)


def _propose(found: Table, label: str | None, output: Path) -> int:
    from crossnet.pipeline.called import program
    from crossnet.pipeline.cli import init_screen
    from crossnet.pipeline.init.config_text import config_text, refuse_existing, write_config
    from crossnet.pipeline.init.propose import list_columns, propose
    from crossnet.pipeline.init.tables import column_names, resolve_label

    if label is None:
        init_screen.print_names(list_columns(found))
        say("Name the column to predict with --label.", err=True)
        return 2
    label = resolve_label(found, label, column_names(found))
    refuse_existing(output)  # before all rows are read
    proposal = propose(found, label)
    write_config(config_text(found, proposal, output), output)
    init_screen.print_proposal(proposal)
    say(f"Wrote {output}. Next: {program()} run --config {shlex.quote(str(output))}")
    return 0


@click.command()
@prints_errors
def doctor() -> int:
    """Show what is installed, what is missing and how to fix it."""
    from crossnet.pipeline.cli import screen
    from crossnet.pipeline.doctor import examine

    findings = examine()
    screen.print_findings(findings)
    return int(any(finding.ok is False for finding in findings))


@click.command()
@click.option("--licences", is_flag=True, help="Print a table of names, versions and licences instead.")
@prints_errors
def sbom(licences: bool) -> None:
    """Print a bill of materials: what is installed here, with its licences, as CycloneDX JSON.

    The licence is what a distribution's metadata declare: nobody has checked it.
    """
    from crossnet.pipeline.sbom import cyclonedx_json, installed

    distributions = installed()
    if licences:
        from crossnet.pipeline.cli import screen

        screen.print_licences(distributions)
    else:
        click.echo(cyclonedx_json(distributions))
