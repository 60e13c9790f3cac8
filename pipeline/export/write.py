"""Writes a pushed model in another runtime's format, once it answers alike."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crossnet.components.errors import ExportError, PipelineError
from crossnet.components.files import write_file
from crossnet.pipeline.export.chosen import answers, choose
from crossnet.pipeline.store import Store

if TYPE_CHECKING:
    from crossnet.components.networks.exported import ExportedModel
    from crossnet.pipeline.export.compare import Predictor

FORMATS = {"onnx": "ONNX", "tflite": "LiteRT"}
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Request:
    """What to convert.

    Attributes:
      kind: A key of `FORMATS`.
      output: The file to write.
      model, version: As in `choose`.
      tolerance: By how much answers may differ, as a share of the largest.
    """

    kind: str
    output: Path
    model: str | None = None
    version: int | None = None
    tolerance: float = TOLERANCE


def export_file(store: Store, request: Request) -> str:
    """Writes the file, and returns sentences on what it is and by how much its answers differ.

    Raises:
      PipelineError: The model is not there or cannot be converted, or its answers differ by more than the tolerance;
        no file was written.
    """
    _check_place(request.output)
    chosen = choose(store, request.model, request.version)
    from crossnet.serving.embedded.quiet import import_tensorflow

    import_tensorflow()
    from crossnet.components.networks.export import TRAINING_FILE
    from crossnet.components.networks.exported import read_exported
    from crossnet.pipeline.export.compare import compare

    if not (chosen.path / TRAINING_FILE).is_file():
        raise ExportError(
            f"`{chosen.path}` was not trained here: it does not have {TRAINING_FILE}, from which it is converted. Use "
            "the converter of its own library."
        )
    exported = read_exported(chosen.path)
    known = answers(store, chosen, exported)
    content, model = _converted(request.kind, exported)
    result = compare(model, known.batches)
    sentence = result.sentence(known.words, request.tolerance)
    if not result.passes(request.tolerance):
        raise ExportError(
            f"`{request.output}` was not written: as {FORMATS[request.kind]}, {chosen.words} answers otherwise. "
            f"{sentence} Allow more with --tolerance, or serve the model as it is: `crossnet serve`."
        )
    write_file(request.output, content)
    return f"`{request.output}` is {chosen.words} as {FORMATS[request.kind]}, {len(content):,} bytes. {sentence}"


def _converted(kind: str, exported: ExportedModel) -> tuple[bytes, Predictor]:
    if kind == "onnx":
        from crossnet.pipeline.export.onnx_format import OnnxModel, convert_to_onnx

        content = convert_to_onnx(exported)
        return content, OnnxModel(content)
    from crossnet.pipeline.export.litert_format import LiteRTModel, convert_to_litert

    with tempfile.TemporaryDirectory() as folder:
        content = convert_to_litert(exported, Path(folder, "model"))
    return content, LiteRTModel(content)


def _check_place(output: Path) -> None:
    """Raises where no file can be written, before a minute of work."""
    if output.is_dir():
        raise PipelineError(f"`{output}` is a folder. Name a file to write with --output, such as model.onnx.")
    if not output.absolute().parent.is_dir():
        raise PipelineError(
            f"The folder of `{output}` is not there. Make it, or name a file in another folder with --output."
        )
