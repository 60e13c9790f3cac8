"""Defines the commands that make, show and remove runs.

Imports inside the commands keep `crossnet --help` fast.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crossnet.components import interrupts
from crossnet.components.errors import PipelineError
from crossnet.pipeline.cli.completion import complete_runs, complete_steps
from crossnet.pipeline.cli.options import (
    chosen_root,
    config_options,
    in_utf8,
    json_option,
    prints_errors,
    root_option,
    say,
)

if TYPE_CHECKING:
    from crossnet.pipeline.recording import RunResult


@click.command()
@config_options
@root_option
@click.option("--run", "name", metavar="NAME", help="Name of the run. [default: the time]")
@click.option("--until", metavar="STEP", shell_complete=complete_steps, help="Stop after this step.")
@click.option(
    "--force", metavar="REASON", callback=in_utf8, help="Push although the gate is closed. The reason is recorded."
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Run up to N trainers at the same time, each in a process of its own: for each 3 CPU s and 0.7 GB more. No "
    "result depends on it.",
    metavar="N",
)
@click.option("--quiet", "-q", is_flag=True, help="Print no progress.")
@click.option("--verbose", "-v", is_flag=True, help="Also show what the steps log.")
@json_option
@prints_errors
def run(
    config_file: Path | None,
    overrides: tuple[str, ...],
    root: Path,
    name: str | None,
    until: str | None,
    force: str | None,
    jobs: int,
    quiet: bool,
    verbose: bool,
    as_json: bool,
) -> int:
    """Run the pipeline, reusing finished artifacts."""
    from crossnet.pipeline.config import load_config
    from crossnet.pipeline.console import Reporter
    from crossnet.pipeline.runner import run_pipeline

    check_reason(force)

    def work() -> RunResult:
        config = load_config(config_file, overrides)
        return run_pipeline(
            config,
            chosen_root(root, config),
            name=name,
            until=until,
            force=force or "",
            jobs=jobs,
            reporter=Reporter(quiet=quiet, verbose=verbose),
            config_name=str(config_file or ""),
        )

    return tell_result(work, root, as_json=as_json)


def check_reason(force: str | None) -> None:
    """Refuses a --force without a reason."""
    if force is not None and not force.strip():
        raise click.BadParameter(
            f"expected a reason, which is recorded with the version; received '{force}'.", param_hint="--force"
        )


def tell_result(work: Callable[[], RunResult], root: Path, *, as_json: bool) -> int:
    """Does the work of a run, prints what has come of it, and returns the exit code."""
    from crossnet.pipeline.cli import screen
    from crossnet.pipeline.recording import RunResult

    try:
        result = work()
    except PipelineError as error:
        if not as_json:
            raise
        result = RunResult(root=str(root.absolute()), exit_code=error.exit_code, error=str(error))
    if as_json:
        click.echo(json.dumps(result.summary()))
    elif result.run:
        screen.print_result(result)
    if result.error:
        say(result.error, err=True)
    return result.exit_code


@click.command()
@config_options
@root_option
@click.option("--until", metavar="STEP", shell_complete=complete_steps, help="Stop after this step.")
@prints_errors
def plan(config_file: Path | None, overrides: tuple[str, ...], root: Path, until: str | None) -> None:
    """Show which steps `run` would run, and why."""
    from crossnet.pipeline.cli import screen
    from crossnet.pipeline.config import load_config
    from crossnet.pipeline.plan import make_plan
    from crossnet.pipeline.store import Store

    config = load_config(config_file, overrides)
    store = Store(chosen_root(root, config))
    steps = make_plan(config, store, until=until)
    screen.print_snapshot(config, store)
    screen.print_plan(steps, store)


@click.command()
@click.argument("step", shell_complete=complete_steps)
@config_options
@root_option
@prints_errors
def why(step: str, config_file: Path | None, overrides: tuple[str, ...], root: Path) -> None:
    """Show why STEP would run: what differs from its newest artifact."""
    from crossnet.pipeline.cli import screen
    from crossnet.pipeline.config import load_config
    from crossnet.pipeline.plan import make_plan
    from crossnet.pipeline.store import Store

    config = load_config(config_file, overrides)
    store = Store(chosen_root(root, config))
    steps = make_plan(config, store, until=step)
    screen.print_snapshot(config, store)
    screen.print_why(steps, step, store)


@click.command()
@config_options
@root_option
@click.option(
    "--seeds", type=click.IntRange(min=1), default=10, show_default=True, help="Number of trainings per model."
)
@click.option("--strong-dense", metavar="N,N,...", default="", help="Also train a dense net of these widths.")
@click.option("--quiet", "-q", is_flag=True, help="Print no progress.")
@json_option
@prints_errors
def compare(
    config_file: Path | None,
    overrides: tuple[str, ...],
    root: Path,
    seeds: int,
    strong_dense: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train every model from several seeds and print the article's table."""
    from crossnet.components.files import json_value
    from crossnet.pipeline.compare import WORK_FOLDER
    from crossnet.pipeline.compare import compare as compare_models
    from crossnet.pipeline.config import load_config
    from crossnet.pipeline.console import Reporter
    from crossnet.pipeline.remote.shared_folder import alone_in
    from crossnet.pipeline.remote.units import COMPARISONS
    from crossnet.pipeline.run_state import LOG_FILE, at_work, is_at_work
    from crossnet.pipeline.snapshots import taken
    from crossnet.pipeline.store import Store, utc_now

    try:
        units = [int(part) for part in strong_dense.split(",") if part]
        if any(count < 1 for count in units):
            raise ValueError
    except ValueError:
        raise click.BadParameter(
            f"expected whole numbers of at least 1, separated by commas, such as 64,64; received '{strong_dense}'.",
            param_hint="--strong-dense",
        ) from None
    reporter = Reporter(quiet=quiet)
    config = load_config(config_file, overrides)
    root = chosen_root(root, config)
    store = Store(root)
    config = taken(config, store, reporter.line)
    folder = root / COMPARISONS / utc_now()[:19].replace("-", "").replace(":", "")
    folder.mkdir(parents=True, exist_ok=True)
    for left in root.glob(f"compare/*/{WORK_FOLDER}"):  # by a comparison that was killed
        if not is_at_work(left.parent):
            shutil.rmtree(left, ignore_errors=True)
    words = interrupts.Words("Interrupted. A comparison is kept when it is whole; run `crossnet compare` again.")
    with interrupts.last_words(lambda number: words), alone_in(store.remote, folder.absolute(), "comparison"):
        with at_work(folder), reporter.logging_to(folder / LOG_FILE):
            done = compare_models(config, seeds=seeds, output_dir=folder, strong_units=units, progress=reporter.line)
        if store.remote:
            store.remote.publish(kind=f"{COMPARISONS}/{folder.name}", removes=False)
    if as_json:
        click.echo(json.dumps(json_value(done.rows)))
    else:
        say(done.text)


@click.command()
@click.argument("name", metavar="[RUN]", required=False, shell_complete=complete_runs)
@root_option
@click.option("--split", type=click.Choice(["test", "eval"]), default="test", show_default=True, help="Which rows.")
@click.option("--model", "model_name", help="Instead of RUN: the run that made the version in service of this model.")
@click.option("--serving-dir", type=click.Path(path_type=Path), help="Of --model. [default: <root>/serving_models]")
@json_option
@prints_errors
def evaluate(
    name: str | None, root: Path, split: str, model_name: str | None, serving_dir: Path | None, as_json: bool
) -> None:
    """Measure the champion and the baselines of one run over a split. [default: the newest run]

    The test split is for one look when all choices are made: no rule sees it, and nothing is written.
    """
    from crossnet.components.files import json_value
    from crossnet.pipeline.evaluate import evaluate_split, render_scores, run_of_model
    from crossnet.pipeline.store import Store
    from crossnet.serving.embedded.quiet import import_tensorflow

    if name is not None and model_name is not None:
        raise click.UsageError(f"Name a run or --model, not both. Received `{name}` and --model `{model_name}`.")
    store = Store(root)
    if model_name is not None:
        name = run_of_model(store, (serving_dir or root / "serving_models") / model_name)
    run = store.read_run(name).run
    import_tensorflow()
    facts = evaluate_split(store, run, split)
    if as_json:
        click.echo(json.dumps(json_value(facts)))
    else:
        say(render_scores(facts))
