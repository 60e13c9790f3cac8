"""Defines the command that searches for settings.

Imports inside the command keep `crossnet --help` fast.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from crossnet.components.params.networks import MODEL_KINDS
from crossnet.pipeline.called import program
from crossnet.pipeline.cli.options import chosen_root, config_options, json_option, prints_errors, root_option, say
from crossnet.serving.protocol.suggestions import did_you_mean


@click.command()
@config_options
@root_option
@click.option("--trials", type=click.IntRange(min=1), metavar="N", help="Configurations in all. [default: tune.trials]")
@click.option(
    "--model",
    "kind",
    metavar="KIND",
    shell_complete=lambda context, parameter, incomplete: [kind for kind in MODEL_KINDS if kind.startswith(incomplete)],
    help="Which kind to tune, ours or one of your `plugins`. [default: the first of `models`]",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the config of the best goes. [default: <config>.tuned.toml]",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Train up to N configurations at the same time, each in a process of its own.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print no progress.")
@json_option
@prints_errors
def tune(
    config_file: Path | None,
    overrides: tuple[str, ...],
    root: Path,
    trials: int | None,
    kind: str | None,
    output: Path | None,
    jobs: int,
    quiet: bool,
    as_json: bool,
) -> None:
    """Search for settings that suit the table, on held-out rows of train; write the best as a config.

    Called again, it goes on from the trials that are done.
    """
    from crossnet.components.files import json_value
    from crossnet.pipeline.config import config_values, load_config
    from crossnet.pipeline.console import Reporter
    from crossnet.pipeline.tune.search import tune as search
    from crossnet.pipeline.tune.search import write_config

    config = load_config(config_file, overrides)
    kinds = (*MODEL_KINDS, *config.plugins_loaded.kinds)
    if kind is not None and kind not in kinds:
        there = f"There are: {', '.join(kinds)}."
        raise click.BadParameter(f"no kind `{kind}`.{did_you_mean(kind, kinds)} {there}", param_hint="--model")
    name = config_file.stem if config_file else "default"
    path = output or (config_file.parent if config_file else Path()) / f"{name}.tuned.toml"
    if not path.absolute().parent.is_dir():
        raise click.BadParameter(f"the folder `{path.absolute().parent}` does not exist.", param_hint="--output")
    result = search(
        config,
        chosen_root(root, config),
        kind=kind or config.models[0],
        trials=config.tune.trials if trials is None else trials,
        jobs=jobs,
        reporter=Reporter(quiet=quiet),
        config_name=str(config_file or ""),
    )
    write_config(result, config_values(config_file, overrides), path, type(config))
    if as_json:
        click.echo(json.dumps(json_value({**result.to_json(), "config": str(path), "page": str(result.page)})))
        return
    say(result.text())
    say(f"Wrote {path}. Run it with: {program()} run --config {path}")
    say(f"All trials: {result.page}")
