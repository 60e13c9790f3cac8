"""Commands to begin with: init, doctor."""

from __future__ import annotations

from pathlib import Path

import click

from crossnet.pipeline.cli.options import fails_in_words


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--label", required=True, help="The column to predict.")
@click.option("--output", type=click.Path(path_type=Path), help="[default: the file's name with .toml, here]")
@fails_in_words
def init(file: Path, label: str, output: Path | None) -> None:
    """Look at a CSV and write a commented config for it."""
    from crossnet.pipeline.init import look_at, write_config

    output = output or Path(f"{file.name.partition('.')[0]}.toml")
    write_config(file, look_at(file, label), output)
    click.echo(f"Wrote {output}. Next: crossnet run --config {output}")


@click.command()
@fails_in_words
def doctor() -> int:
    """Show what is installed, what is missing and how to mend it."""
    from crossnet.pipeline.cli import screen
    from crossnet.pipeline.doctor import examine

    findings = examine()
    screen.print_findings(findings)
    return int(any(finding.ok is False for finding in findings))
