"""Defines the commands that need no run: init, doctor, sbom."""

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
