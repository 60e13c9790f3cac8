"""Prints results as tables and sentences on standard output."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.errors import NotBlessedError
from crossnet.components.formats import aligned, counted, number
from crossnet.pipeline.called import program
from crossnet.pipeline.cli.options import DEFAULT_ROOT
from crossnet.pipeline.cli.prose import print_text
from crossnet.pipeline.console import LiveLine, PlainConsole
from crossnet.pipeline.remote.places import remote_of
from crossnet.pipeline.run_record import RunRecord, in_steps
from crossnet.pipeline.run_state import FINISHED
from crossnet.pipeline.store import Store
from crossnet.serving.protocol.printable import printable
from crossnet.serving.storage.uris import shown_uri

if TYPE_CHECKING:
    from crossnet.pipeline.config import Config
    from crossnet.pipeline.doctor import Finding
    from crossnet.pipeline.plan import Plan
    from crossnet.pipeline.recording import RunResult
    from crossnet.pipeline.sbom import Distribution

REASONS_SHOWN = 4
MAX_WHY = 118  # characters of a reason in a list
_COLOURS = {"BLESSED": "green", "DONE": "", "RUNNING": ""}  # of how runs end; red where nothing is said


def _console() -> Console:
    console = PlainConsole(soft_wrap=True)
    if not console.is_terminal:
        console.width = 200  # without a terminal, rich would squeeze tables into 80 columns
    return console


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        right = heading in ("parameters", "train RMSE", "eval RMSE", "seconds")
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    return table


def print_result(result: RunResult) -> None:
    """Prints the table of models, the verdict and where the pushed model is."""
    console = _console()
    for warning in result.warnings:
        print_text(console, warning)
    evaluation = result.artifacts.get("evaluator")
    if isinstance(evaluation, Evaluation):
        from crossnet.components.evaluation.verdict import render_verdict

        # What is said at the end is not said twice.
        told = result.reasons[:REASONS_SHOWN] if result.exit_code == NotBlessedError.exit_code else ()
        print_text(console, render_verdict(evaluation, told, console.width if console.is_terminal else None))
    run = Path(result.root) / "runs" / result.run
    pushed = result.artifacts.get("pusher")
    if isinstance(pushed, PushedModel):
        folder = Path(result.serving_dir) / pushed.model_name
        console.print(f"In service: `{pushed.model_name}` version {pushed.version}, {from_here(folder)}")
    if result.up_to_date:
        console.print(f"Up to date: nothing has changed since run {result.run}.")
    elif (report := run / "report.html").is_file():
        console.print(f"Report: {from_here(report)}")
    if result.exit_code == NotBlessedError.exit_code:
        status = "NOT_BLESSED" if result.verdict != "BLESSED" else "NOT_PUSHED"
        for reason in result.reasons[:REASONS_SHOWN]:
            print_text(console, f"{status}: {reason}")
        if (hidden := len(result.reasons) - REASONS_SHOWN) > 0:
            console.print(f"{status}: {counted(hidden, 'more rule')} failed.")
        console.print(f"Nothing was pushed. Table: {from_here(run / 'evaluator' / 'verdict.json')}")
    elif isinstance(pushed, PushedModel) and not result.up_to_date:
        console.print(f"Next: {_serve_command(Path(result.root), folder)}")


def from_here(path: Path) -> str:
    """Returns a path as it can be typed in this folder: relative where it lies below it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _serve_command(root: Path, folder: Path) -> str:
    """Returns the command that serves the model in `folder`; of a root in a store, without what may be secret."""
    where, remote = "", remote_of(root)
    if remote is not None and folder.parent == root / "serving_models":
        if shown_uri(remote.uri) != remote.uri:
            return f"{program()} serve --port=8500, with --root or CROSSNET_ROOT as it is now"
        if os.environ.get("CROSSNET_ROOT") != remote.uri:
            where = f" --root {shlex.quote(remote.uri)}"
    elif folder.parent != root / "serving_models":
        where = f" --model_name={shlex.quote(folder.name)} --model_base_path={shlex.quote(from_here(folder))}"
    elif root != Path(os.environ.get("CROSSNET_ROOT") or DEFAULT_ROOT).absolute():
        where = f" --root {shlex.quote(from_here(root))}"
    return f"{program()} serve{where} --port=8500"


def _model_table(models: Mapping[str, Mapping[str, Any]], champion: str | None) -> Table:
    table = _table("model", "parameters", "train RMSE", "eval RMSE", "")
    for kind, facts in models.items():
        table.add_row(
            kind,
            f"{facts['num_parameters']:,}",
            number(facts["train_rmse"], 4),
            number(facts["eval_rmse"], 4),
            "champion" if kind == champion else "",
        )
    return table


def print_snapshot(config: Config, store: Store) -> None:
    """Prints, for a query, of when the rows are that a plan was made with."""
    from crossnet.pipeline.snapshots import newest

    if snapshot := newest(config, store):
        _console().print(f"Query: {snapshot}. `crossnet run` takes a new one.")


def print_plan(plan: Plan, store: Store) -> None:
    """Prints, for each step, whether it would run and the first reason."""
    from crossnet.pipeline.plan import blocked_steps, differences

    table = _table("step", "would", "because")
    waiting: set[str] = set()
    blocked = blocked_steps(plan)
    for name, planned in plan.items():
        if name in blocked:
            table.add_row(name, "skip", f"{blocked[name]} did not pass")
            continue
        changed = [source for source in planned.step.input_steps if source in waiting]
        if planned.done:
            table.add_row(name, "reuse", "")
            continue
        waiting.add(name)
        reasons = [f"{changed[0]} runs"] if changed else differences(planned, store)
        table.add_row(name, "run", reasons[0] if reasons else "")
    _console().print(table)


def print_why(plan: Plan, step: str, store: Store) -> None:
    """Prints all that differs from the step's newest artifact, and the models of before that it compares with."""
    from crossnet.pipeline.blessed import chain
    from crossnet.pipeline.plan import differences

    console = _console()
    planned = plan[step]
    if planned.done:
        console.print(f"`{step}` would be reused: {planned.path.relative_to(store.root)}")
    else:
        console.print(f"`{step}` would run:")
        for reason in differences(planned, store):
            console.print(f"  {reason}")
    for line in chain(planned, store):
        console.print(line)


def print_runs(runs: Sequence[RunRecord], store: Store, *, model: str | None = None, filtered: bool = False) -> None:
    """Prints one line per run, and below it why it did not push.

    Args:
      runs: The runs.
      store: Their root.
      model: The model whose error is shown; None: of each run the champion or, where there is none, the first model.
      filtered: Whether these are not all runs.
    """
    console = _console()
    if not runs:
        nothing = f"No such run in `{store.root}`. `crossnet runs` lists all."
        console.print(nothing if filtered else f"No run in `{store.root}` yet. Start one with `crossnet run`.")
        return
    rows = [("run", "status", "model", "eval RMSE", "pushed", "seconds", "config")]
    for run in runs:
        shown = model or run.champion or next(iter(run.models), "")
        rmse = number(run.models[shown]["eval_rmse"], 4) if shown in run.models else ""
        facts = run.run, run.status, shown, rmse, str(run.pushed_version or ""), f"{run.seconds:.1f}"
        rows.append(tuple(map(printable, (*facts, Path(run.config).name))))  # type: ignore[arg-type]
    head, *lines = aligned(rows, left=(0, 1, 2, 6))
    console.print(head[2:])
    for line, run in zip(lines, runs, strict=True):
        text = Text(line[2:])
        text.highlight_words([run.status], _COLOURS.get(run.status, "red"))
        console.print(text)
        if run.why:
            console.print(f"  {shortened(run.why, MAX_WHY)}")


def shortened(text: str, most: int) -> str:
    """Returns the first line of a text, cut at a word where it has more than `most` characters."""
    line = text.partition("\n")[0]
    return line if len(line) <= most else f"{line[: most - 1].rpartition(' ')[0]} …"


def print_run(run: RunRecord, store: Store) -> None:
    """Prints one run: its steps and their artifacts, the models, the verdict."""
    console = _console()
    console.print(f"Run {run.run} in {store.root}")
    if run.state == FINISHED:
        console.print(f"started {run.started}, finished {run.finished}, exit code {run.exit_code}")
    else:
        where = in_steps(run.stopped_in)
        code = f", exit code {run.exit_code}" if run.has_exit_code else ""
        console.print(f"started {run.started}, {run.state.upper()}{where}{code}")
    table = _table("step", "status", "seconds", "artifact")
    for name, step in run.steps.items():
        table.add_row(name, step.status, f"{step.seconds:.1f}", step.artifact or "")
    console.print(table)
    if run.models:
        console.print(_model_table(run.models, run.champion))
    for text in (*run.warnings, *run.reasons, run.error):
        if text:
            console.print(text)
    if run.pushed_version:
        console.print(f"{run.verdict}, pushed as version {run.pushed_version} to {run.serving_dir}")
    elif run.verdict:
        console.print(f"{run.verdict}, nothing was pushed")


@contextlib.contextmanager
def counting(what: str, *, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """Yields a function that shows, on a terminal, how many of `what` are done."""
    console = PlainConsole(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda done: None
        return
    with LiveLine(console, what) as line:
        yield lambda done: line.update(f"{done:,} {what}")


def print_findings(findings: Sequence[Finding]) -> None:
    """Prints what `crossnet doctor` found."""
    table = _table("", "what", "state", "to do")
    for finding in findings:
        mark = {True: "ok", False: "MISSING", None: "-"}[finding.ok]
        table.add_row(mark, finding.name, finding.state, finding.fix)
    _console().print(table)


def print_licences(distributions: Sequence[Distribution]) -> None:
    """Prints one line per installed distribution."""
    from crossnet.pipeline.sbom import NOT_DECLARED

    table = _table("distribution", "version", "licence")
    for item in distributions:
        table.add_row(item.name, item.version, ", ".join(item.licences) or NOT_DECLARED)
    _console().print(table)
