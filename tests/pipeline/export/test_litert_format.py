from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossnet.components.networks.exported import read_exported
from crossnet.pipeline.export.litert_format import SIGNATURE, LiteRTModel, convert_to_litert
from support.converted_models import CASES, assert_same_answers, export_case, rows_of


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_answers_are_equal_for_each_kind_of_column_and_network(tmp_path: Path, case: str) -> None:
    folder, rows = export_case(case, tmp_path / "exported"), rows_of(case)
    model = LiteRTModel(convert_to_litert(read_exported(folder), tmp_path / "scratch"))
    assert_same_answers(model, folder, rows)


@pytest.mark.slow
def test_litert_of_its_own_package_gives_the_same_answers(tmp_path: Path) -> None:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="the extra export is not installed")
    folder, rows = export_case("every", tmp_path / "exported"), rows_of("every")
    content = convert_to_litert(read_exported(folder), tmp_path / "scratch")
    run = interpreter.Interpreter(model_content=content).get_signature_runner(SIGNATURE)
    np.testing.assert_allclose(run(**rows)["prediction"], LiteRTModel(content).predict(rows), rtol=1e-6)
    features = {
        feature.name: np.dtype(object if feature.is_text else feature.dtype) for feature in CASES["every"][0].features
    }
    assert {*run.get_input_details()} == {*features}
