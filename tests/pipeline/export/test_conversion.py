from __future__ import annotations

import logging
import os
import warnings

import pytest

from crossnet.components.errors import ExportError, PipelineError
from crossnet.pipeline.export.conversion import converting, import_package, quiet
from support.converted_models import in_memory


def test_a_missing_package_names_the_extra() -> None:
    with pytest.raises(
        PipelineError, match=r"the package not_there, which is not installed. Install the extra `export`"
    ):
        import_package("not_there")


def test_what_a_converter_writes_is_dropped_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        os.write(2, b"loc(callsite(fused")
        logging.getLogger("tensorflow").warning("batch sizes")
        warnings.warn("deprecated", UserWarning, stacklevel=1)
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"
    assert logging.getLogger("tf2onnx").level == logging.NOTSET


def test_a_converters_failure_is_a_sentence_with_the_operations() -> None:
    exported, _ = in_memory("numbers")
    message = "loc(x): 'tf.Softsign' op is neither a custom op\nloc(y): 'tf.Selu' op is neither a flex op"
    expected = "LiteRT does not have what .*: the operation Selu, Softsign. Nothing was"
    with pytest.raises(ExportError, match=expected), converting(exported, "LiteRT"):
        raise RuntimeError(message)
    with pytest.raises(ExportError, match="these settings needs: no such table. Nothing"), converting(exported, "ONNX"):
        raise ValueError("make_sure failure: no such table.\nmore")
    with (
        pytest.raises(OSError, match="disk"),
        converting(exported, "ONNX"),
    ):  # the system's errors have words of their own
        raise OSError("disk")
