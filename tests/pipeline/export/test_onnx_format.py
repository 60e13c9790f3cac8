from __future__ import annotations

from pathlib import Path

import pytest

from crossnet.components.errors import ExportError
from crossnet.components.networks.export import export_model
from crossnet.components.networks.exported import read_exported
from crossnet.components.networks.models import build_network, describe
from crossnet.components.networks.preprocessing import Transform
from crossnet.components.params.networks import CrossLayerParams
from crossnet.pipeline.export.onnx_format import OnnxModel, convert_to_onnx
from support.converted_models import CASES, NUMBERS, assert_same_answers, export_case, rows_of

onnx = pytest.importorskip("onnx", reason="the extra export is not installed")
pytest.importorskip("onnxruntime", reason="the extra export is not installed")


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_answers_are_equal_for_each_kind_of_column_and_network(tmp_path: Path, case: str) -> None:
    folder, rows = export_case(case, tmp_path / "exported"), rows_of(case)
    content = convert_to_onnx(read_exported(folder))
    model = OnnxModel(content)
    assert_same_answers(model, folder, rows)
    kinds = {"float32": 1, "int64": 7, "string": 8}  # onnx.TensorProto.DataType
    graph = onnx.load_from_string(content).graph
    found = {value.name: value.type.tensor_type.elem_type for value in graph.input}
    assert found == {feature.name: kinds[feature.dtype] for feature in CASES[case][0].features}
    assert [value.name for value in graph.output] == ["prediction"]


@pytest.mark.slow
def test_an_activation_that_onnx_lacks_is_refused_in_a_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    architecture = CrossLayerParams(preactivation="gelu")
    network = build_network("cross_layer", architecture, num_numbers=2)
    description = describe("cross_layer", architecture, network)
    export_model(network, Transform(NUMBERS), tmp_path / "exported", description=description)
    capfd.readouterr()
    with pytest.raises(
        ExportError, match="ONNX does not have what a `cross_layer` network .*: No Op registered for Erfc"
    ):
        convert_to_onnx(read_exported(tmp_path / "exported"))
    assert capfd.readouterr().err == ""
