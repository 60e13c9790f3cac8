"""Defines the commands that look at past runs.

Imports inside the commands keep `crossnet --help` fast.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from crossnet.pipeline.cli.completion import complete_runs
from crossnet.pipeline.cli.options import json_option, prints_errors, root_option, say
from crossnet.pipeline.run_record import STATUSES


@click.command()
@root_option
@click.option(
    "--status",
    type=click.Choice(STATUSES, case_sensitive=False),
    multiple=True,
    help="Only runs that ended so. Can be repeated.",
)
@click.option("--model", metavar="NAME", help="Only runs with this model, such as cross_layer; its RMSE is shown.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest N of them.")
@json_option
@prints_errors
def runs(root: Path, status: tuple[str, ...], model: str | None, limit: int | None, as_json: bool) -> None:
    """List past runs, the newest first: how each ended and why, its model and error, how long it took."""
    from crossnet.pipeline.cli import screen
    from crossnet.pipeline.run_list import chosen_runs
    from crossnet.pipeline.store import Store

    store = Store(root)
    records = chosen_runs(store, statuses=status, model=model, limit=limit)
    if as_json:
        click.echo(json.dumps({"runs": [record.to_json() for record in records]}))
    else:
        screen.print_runs(records, store, model=model, filtered=bool(status or model))


@click.command()
@click.argument("names", metavar="[RUN [RUN]]", nargs=-1, shell_complete=complete_runs)
@root_option
@click.option("--page", is_flag=True, help="Also write a page into the second run's folder, and print its path.")
@json_option
@prints_errors
def diff(names: tuple[str, ...], root: Path, page: bool, as_json: bool) -> None:
    """Compare two runs: settings, data, metrics, and what was made again and why.

    The first is the one before. [default: the newest, and the one before it]
    """
    from crossnet.pipeline.diff.runs import diff_runs
    from crossnet.pipeline.diff.text import render_diff
    from crossnet.pipeline.run_list import two_runs
    from crossnet.pipeline.store import Store

    if len(names) > 2:
        raise click.UsageError(f"Name two runs. Received {len(names)}.")
    store = Store(root)
    facts = diff_runs(store, *two_runs(store, names))
    written = None
    if page:
        from crossnet.pipeline.diff.page import write_diff

        written = write_diff(store, facts)
    if as_json:
        click.echo(json.dumps({**facts, "page": str(written)} if written else facts))
        return
    say(render_diff(facts))
    if written:
        say(f"Page: {written}")


@click.command()
@click.argument("name", metavar="[RUN]", required=False, shell_complete=complete_runs)
@root_option
@click.option("--settings", "only_settings", is_flag=True, help="Print every setting that the run used, as TOML.")
@click.option("--card", "only_card", is_flag=True, help="Print the model card, as Markdown.")
@json_option
@prints_errors
def show(name: str | None, root: Path, only_settings: bool, only_card: bool, as_json: bool) -> None:
    """Show one run: steps, artifacts, times, verdict. [default: the newest]"""
    from crossnet.pipeline.cli import screen
    from crossnet.pipeline.store import Store

    prints = {
        "--settings prints TOML": only_settings,
        "--card prints Markdown": only_card,
        "--json prints JSON": as_json,
    }
    if sum(prints.values()) > 1:
        raise click.UsageError(f"{' and '.join(words for words, given in prints.items() if given)}: give one of them.")
    store = Store(root)
    record = store.read_run(name)
    if only_settings:
        from crossnet.pipeline.run_settings import settings_text

        say(settings_text(record, store))
    elif only_card:
        from crossnet.pipeline.report.card_text import run_card
        from crossnet.pipeline.report.run import load_run

        say(run_card(load_run(store, record.run)).rstrip())
    elif as_json:
        click.echo(json.dumps(record.to_json()))
    else:
        screen.print_run(record, store)


@click.command()
@click.argument("name", metavar="[RUN]", required=False, shell_complete=complete_runs)
@root_option
@prints_errors
def report(name: str | None, root: Path) -> None:
    """Write the HTML report of one run, and the index of all runs. [default: the newest]"""
    from crossnet.pipeline.report.pages import write_index, write_report
    from crossnet.pipeline.store import Store

    store = Store(root)
    say(write_report(store, store.read_run(name).run))
    say(write_index(store))
