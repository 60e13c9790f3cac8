"""Imports a converter, keeps it quiet, and puts its failures in words."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any

from crossnet.components.errors import ExportError, PipelineError
from crossnet.components.networks.exported import ExportedModel
from crossnet.serving.protocol.bounded_text import cut

_LOGGERS = ("tensorflow", "absl", "tf2onnx")


def import_package(name: str) -> Any:
    """Returns a module of the extra `export`.

    Raises:
      PipelineError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise PipelineError(
            f"`crossnet export --format onnx` needs the package {name}, which is not installed. Install the extra "
            '`export`: pip install "crossnet-pipeline[export]".'
        ) from None


@contextlib.contextmanager
def converting(exported: ExportedModel, runtime: str) -> Iterator[None]:
    """Shows nothing of what a converter writes, and turns its failure into a sentence.

    Raises:
      ExportError: It failed: the runtime lacks an operation of the network.
    """
    try:
        with quiet():
            yield
    except (PipelineError, OSError, MemoryError):
        raise
    except Exception as error:  # converters raise what they like
        kind = exported.network["kind"]
        raise ExportError(
            f"`{exported.path}` cannot be converted: {runtime} does not have what a `{kind}` network with these "
            f"settings needs: {_reason(error)}. Nothing was written. Choose another activation or another format, or "
            "serve the model as it is: `crossnet serve`."
        ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drops what is written to standard error: converters also write to file descriptor 2, from C++."""
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as dropped, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        os.dup2(dropped.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


def _reason(error: Exception) -> str:
    """Returns what a converter complains of, in a few words: the operations, where it names them."""
    text = str(error)
    if operations := sorted({*re.findall(r"'tf\.(\w+)' op is neither", text)}):
        return f"the operation {', '.join(operations)}"
    first = (text.splitlines() or [type(error).__name__])[0]
    return cut(first.removeprefix("make_sure failure: ").rstrip("."))
