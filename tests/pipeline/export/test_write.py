from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from crossnet.components.errors import ExportError, PipelineError
from crossnet.components.model_folder import versions_in_service
from crossnet.pipeline.config import load_config
from crossnet.pipeline.export.write import Request, export_file
from crossnet.pipeline.report.run import load_run
from crossnet.pipeline.runner import run_pipeline
from crossnet.pipeline.store import Store

SETTINGS = [
    "example_gen.num_examples=600",
    'models=["cross_layer", "dense"]',
    "trainer.epochs=2",
    "trainer.batch_size=50",
    "evaluator.max_rmse=9",
    'evaluator.min_improvement="none"',
    "evaluator.max_mean_ratio=none",
    "evaluator.max_linear_ratio=none",
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = tmp_path_factory.mktemp("export")
    assert run_pipeline(load_config(None, SETTINGS), root, name="one").exit_code == 0
    return Store(root)


@pytest.mark.slow
def test_the_pushed_model_is_compared_with_what_the_evaluator_recorded(store: Store, tmp_path: Path) -> None:
    said = export_file(store, Request("tflite", tmp_path / "m.tflite"))
    assert "`crossnet` as LiteRT" in said
    assert "from the Evaluator's predictions for 60 eval rows of run one is" in said
    assert (tmp_path / "m.tflite").read_bytes()[4:8] == b"TFL3"
    pytest.importorskip("onnxruntime", reason="the extra export is not installed")
    assert "as ONNX" in export_file(store, Request("onnx", tmp_path / "m.onnx"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.onnx", "m.tflite"]


@pytest.mark.slow
def test_any_model_of_a_run_is_compared_with_its_own_predictions(store: Store, tmp_path: Path) -> None:
    dense = load_run(store, "one").models["dense"].path
    said = export_file(store, Request("tflite", tmp_path / "m.tflite", model=str(dense)))
    assert f"Model {dense.name} as LiteRT" in said
    assert "Evaluator's predictions for 60 eval rows" in said


@pytest.mark.slow
def test_without_a_run_the_warm_up_requests_are_asked(store: Store, tmp_path: Path) -> None:
    (version,) = versions_in_service(store.root / "serving_models" / "crossnet").values()
    copy = shutil.copytree(version, tmp_path / "copy")
    said = export_file(Store(tmp_path), Request("tflite", tmp_path / "m.tflite", model=str(copy)))
    assert "from the exported model's answers to the 100 rows of its warm-up requests is" in said


@pytest.mark.slow
def test_other_answers_are_refused_and_nothing_is_written(store: Store, tmp_path: Path) -> None:
    root, output = shutil.copytree(store.root, tmp_path / "root"), tmp_path / "m.tflite"
    (file,) = root.glob("artifacts/evaluator/*/predictions/cross_layer.npy")
    np.save(file, np.load(file) + np.float32(0.5))
    said = (
        r"m.tflite` was not written: as LiteRT, version \d+ .* answers otherwise. The largest difference .* is 0.5 \("
    )
    with pytest.raises(ExportError, match=said):
        export_file(Store(root), Request("tflite", output))
    assert [*tmp_path.iterdir()] == [root]


def test_a_place_without_room_for_a_file_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="is a folder. Name a file to write with --output"):
        export_file(Store(tmp_path), Request("onnx", tmp_path))
    with pytest.raises(PipelineError, match="The folder of .* is not there. Make it, or name"):
        export_file(Store(tmp_path), Request("onnx", tmp_path / "none" / "m.onnx"))


def test_a_model_of_elsewhere_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "saved_model.pb").touch()
    with pytest.raises(ExportError, match="theirs` was not trained here: it does not have assets.extra/training.json"):
        export_file(Store(tmp_path), Request("onnx", tmp_path / "m.onnx", model=str(folder)))
