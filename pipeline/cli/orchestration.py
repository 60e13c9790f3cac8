"""Defines the commands for orchestrators: step, compile.

Imports inside the commands keep `crossnet --help` fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crossnet.pipeline.cli.completion import complete_steps
from crossnet.pipeline.cli.options import (
    chosen_root,
    config_options,
    in_utf8,
    json_option,
    prints_errors,
    root_option,
    say,
)
from crossnet.pipeline.cli.runs import check_reason, tell_result

if TYPE_CHECKING:
    from crossnet.pipeline.recording import RunResult


@click.command()
@click.argument("step_name", metavar="STEP", shell_complete=complete_steps)
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
    run at the same time, each in a process of its own. Exits with 3 at the gate, as `run` does. A trainer whose
    trainer.strategy is multi_worker runs on every worker at the same time.
    """
    from crossnet.pipeline.config import load_config
    from crossnet.pipeline.console import Reporter
    from crossnet.pipeline.runner import run_step

    check_reason(force)

    def work() -> RunResult:
        config = load_config(config_file, overrides)
        return run_step(
            config,
            chosen_root(root, config),
            step_name,
            name=name,
            force=force or "",
            reporter=Reporter(quiet=quiet, verbose=verbose),
            config_name=str(config_file or ""),
        )

    return tell_result(work, root, as_json=as_json)


@click.command("compile")
@config_options
@click.option(
    "--target",
    type=click.Choice(["kfp"]),
    default="kfp",
    show_default=True,
    help="The orchestrator: Kubeflow Pipelines 2.",
)
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True, help="The .yaml file to write.")
@click.option("--image", required=True, help="The container image, with the package and its extra kfp.")
@click.option(
    "--root",
    required=True,
    metavar="DIRECTORY",
    callback=in_utf8,
    help="Folder for artifacts, runs and pushed models as containers see it, on a volume that all of them mount; or "
    "its URI in a store.",
)
@click.option("--volume", default="", metavar="CLAIM:PATH", help="Mount this PersistentVolumeClaim in each container.")
@click.option("--cpu", default="", metavar="CORES", help="What each step asks for and may use, such as 2 or 500m.")
@click.option("--memory", default="", metavar="SIZE", help="What each step asks for and may use, such as 4Gi.")
@click.option(
    "--retries",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="How often a failed step is repeated.",
)
@prints_errors
def compile_(
    config_file: Path | None,
    overrides: tuple[str, ...],
    target: str,
    output: Path,
    image: str,
    root: str,
    volume: str,
    cpu: str,
    memory: str,
    retries: int,
) -> None:
    """Write the pipeline for an orchestrator. Needs the extra kfp.

    Paths in the config, too, are those that containers see.
    """
    from crossnet.pipeline.config import load_config
    from crossnet.pipeline.helping_worker import refuse_compiling
    from crossnet.pipeline.kubeflow.deployment import Deployment
    from crossnet.pipeline.kubeflow.tasks import refuse_plugins

    config = load_config(config_file, overrides)
    deployment = Deployment(image=image, root=root, volume=volume, cpu=cpu, memory=memory, retries=retries)
    deployment.check()
    refuse_plugins(config)
    refuse_compiling(config)
    from crossnet.pipeline.kubeflow.compiler import compile_pipeline

    compile_pipeline(config, deployment, output)
    say(output)
