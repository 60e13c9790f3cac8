"""Defines the command that converts a pushed model: export.

Imports inside the command keep `crossnet --help` fast.
"""

from __future__ import annotations

from pathlib import Path

import click

from crossnet.pipeline.cli.options import prints_errors, root_option, say


@click.command()
@root_option
@click.option(
    "--format",
    "kind",
    type=click.Choice(["onnx", "tflite"]),
    required=True,
    help="onnx: ONNX, which needs the extra `export`. tflite: LiteRT, formerly TensorFlow Lite.",
)
@click.option(
    "--model",
    metavar="NAME|FOLDER",
    help="A model's name; or a folder: of a model's versions, of one of them, or of a Model that was trained. "
    "[default: the one model that was pushed]",
)
@click.option("--version", type=int, help="This version. [default: the newest in service]")
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True, help="The file to write.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=1e-5,
    metavar="SHARE",
    help="By how much an answer may differ, as a share of the largest. [default: 0.00001]",
)
@prints_errors
def export(root: Path, kind: str, model: str | None, version: int | None, output: Path, tolerance: float) -> None:
    """Convert a pushed model to ONNX or LiteRT.

    The file is written only when it answers eval rows of the run that made the model as the Evaluator recorded them.
    """
    from crossnet.pipeline.export.write import Request, export_file
    from crossnet.pipeline.store import Store

    say(export_file(Store(root), Request(kind, output, model, version, tolerance)))
