"""Defines the command that an orchestrator calls for each step.

Imports inside the command keep `crossnet --help` fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crossnet.pipeline.cli.options import config_options, in_utf8, json_option, prints_errors, root_option
from crossnet.pipeline.cli.runs import check_reason, tell_result

if TYPE_CHECKING:
    from crossnet.pipeline.recording import RunResult


@click.command()
@click.argument("step_name", metavar="STEP")
@config_options
@root_option
@click.option("--run", "name", metavar="NAME", help="Name of the run that this is recorded as. [default: the time]")
@click.option(
    "--force", metavar="REASON", callback=in_utf8, help="Push although the gate is closed. The reason is recorded."
)
@click.option("--quiet", "-q", is_flag=True, help="Print no progress.")
@click.option("--verbose", "-v", is_flag=True, help="Also show what the step logs.")
@json_option
@prints_errors
def step(
    step_name: str,
    config_file: Path | None,
    overrides: tuple[str, ...],
    root: Path,
    name: str | None,
    force: str | None,
    quiet: bool,
    verbose: bool,
    as_json: bool,
) -> int:
    """Run STEP alone, from what the steps before it have made.

    For orchestrators, which call the steps in their order. Steps that do not need each other, such as the trainers, may
    run at the same time, each in a process of its own. Exits with 3 at the gate, as `run` does.
    """
    from crossnet.pipeline.config import load_config
    from crossnet.pipeline.console import Reporter
    from crossnet.pipeline.runner import run_step

    check_reason(force)

    def work() -> RunResult:
        return run_step(
            load_config(config_file, overrides),
            root,
            step_name,
            name=name,
            force=force or "",
            reporter=Reporter(quiet=quiet, verbose=verbose),
        )

    return tell_result(work, root, as_json=as_json)
