"""Says what a file is that its source cannot read."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa

from crossnet.components.errors import DataError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.csv_lines import open_bytes
from crossnet.serving.protocol.csv_bytes import START_BYTES, OtherFile, other_file
from crossnet.serving.protocol.memory_limits import is_refusal
from crossnet.serving.protocol.printable import shown

_SOURCES = ExampleGenParams.__dataclass_fields__["source"].metadata["choices"]
_WORDS = {"parquet": "Parquet", "sql": "Parquet", "arrow": "Arrow", "jsonl": "JSON lines"}
_UNPACKED = ("arrow", "jsonl")  # sources that read compressed files


def advice_for(other: OtherFile) -> str:
    """Returns a sentence that says how a file is read which is not of its source."""
    if other.source in _SOURCES:
        return f"Set `example_gen.source = {json.dumps(other.source)}`."
    return other.advice or "Write its rows as CSV."


def unreadable(path: Path, form: str, error: BaseException) -> BaseException:
    """Returns the error for a file that could not be read; `error` itself where the system refused memory.

    Args:
      path: The file.
      form: The source that it was read as, in the settings' words.
      error: What a reader raised.
    """
    if is_refusal(error):
        return error
    if (other := _other_kind(path, form)) and other.source != form:
        return DataError(f"`{path}` is {other.what}, and `example_gen.source` is '{form}'. {advice_for(other)}")
    words = _WORDS[form]
    reason = shown((str(error) or type(error).__name__).splitlines()[0].rstrip("."), 200)
    return DataError(
        f"`{path}` cannot be read as {words}: {reason}. Name {words} files in `example_gen.input`, or set "
        "`example_gen.source` to the files' format."
    )


def _other_kind(path: Path, form: str) -> OtherFile | None:
    try:
        with open_bytes(path) if form in _UNPACKED else pa.OSFile(str(path)) as stream:
            return other_file(stream.read(START_BYTES))
    except (OSError, EOFError):
        return None
