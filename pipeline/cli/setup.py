"""Defines the commands that come before a first run: init, doctor."""

from __future__ import annotations

from pathlib import Path

import click

from crossnet.pipeline.cli.options import prints_errors, say


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--label", required=True, help="The column to predict.")
@click.option("--output", type=click.Path(path_type=Path), help="[default: the file's name with .toml, here]")
@prints_errors
def init(file: Path, label: str, output: Path | None) -> None:
    """Read the start of a CSV file and write a commented config for it."""
    from crossnet.pipeline.init import profile_csv, write_config

    output = output or Path(f"{file.name.partition('.')[0]}.toml")
    write_config(file, profile_csv(file, label), output)
    say(f"Wrote {output}. Next: crossnet run --config {output}")


@click.command()
@prints_errors
def doctor() -> int:
    """Show what is installed, what is missing and how to fix it."""
    from crossnet.pipeline.cli import screen
    from crossnet.pipeline.doctor import examine

    findings = examine()
    screen.print_findings(findings)
    return int(any(finding.ok is False for finding in findings))
