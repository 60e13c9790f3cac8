"""Boosted trees beside the models: what they are trained on, and what they predict."""

import dataclasses
import sys

import numpy as np
import pytest

from crossnet.components.artifacts.model import OUT_OF_FOLD_FILE
from crossnet.components.errors import PipelineError
from crossnet.components.params.networks import CrossLayerParams, ModelParams
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.reference import _learned, train_reference
from crossnet.components.trainer import train_model
from support.training_fixtures import make_artifacts


def table(rows, seed):
    """Returns rows whose label is 10 in "a", else 5 times whether x is above 0.5; one of ten x is missing."""
    draw = np.random.default_rng(seed)
    x, place = draw.random(rows).astype(np.float32), draw.choice(["a", "b"], rows)
    y = np.where(place == "a", 10.0, np.where(x > 0.5, 5.0, 0.0)) + draw.normal(0, 0.01, rows)
    holes = draw.random(rows) < 0.1
    return {
        "x": [None if hole else float(value) for value, hole in zip(x, holes, strict=True)],
        "place": place.tolist(),
        "y": y.tolist(),
    }


HOLDING_OUT = TrainerParams(early_stopping_patience=3, epochs=1, batch_size=50, members=1, warmup_records=0)
TRAIN, EVAL = table(400, 1), table(100, 2)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_artifacts(tmp_path_factory.mktemp("reference"), TRAIN, EVAL)


@pytest.fixture
def train(data, tmp_path):
    def call(held_out=None):
        params = TrainerParams() if held_out is None else dataclasses.replace(HOLDING_OUT, validation_fraction=held_out)
        return train_reference(*data, output_dir=tmp_path, kind="lightgbm", params=params)

    return call


def eval_rmse(reference):
    predictions = np.load(reference.predictions_path)
    assert predictions.dtype == np.float32
    known = np.array([x is not None or place == "a" for x, place in zip(EVAL["x"], EVAL["place"], strict=True)])
    return float(np.sqrt(np.mean(np.square(predictions - EVAL["y"])[known])))


def test_it_reads_numbers_text_and_holes_and_learns_the_table(train):
    pytest.importorskip("lightgbm", reason="the extra lightgbm is not installed")
    reference = train()
    assert eval_rmse(reference) < 0.5  # the label's deviation is 4
    assert reference.counts["rounds"] == 100  # LightGBM's default
    assert reference.counts["held_out"] == 0
    assert 0 < reference.metrics["train_rmse"] < 4
    assert reference.metrics["num_parameters"] > 100


def test_it_stops_early_on_an_eighth_of_train(train):
    pytest.importorskip("lightgbm", reason="the extra lightgbm is not installed")
    reference = train(0.125)
    assert reference.counts["held_out"] == 50
    assert reference.counts["rounds"] < 1000
    assert eval_rmse(reference) < 0.5


def test_two_trainings_give_the_same_bytes(train):
    pytest.importorskip("lightgbm", reason="the extra lightgbm is not installed")
    first = train(0.125).predictions_path.read_bytes()
    assert train(0.125).predictions_path.read_bytes() == first


def test_a_missing_package_is_one_sentence_with_its_extra(train, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    wanted = "`reference` 'lightgbm' needs the package lightgbm, which is not installed. Install the extra `lightgbm`: "
    with pytest.raises(PipelineError, match=rf'^{wanted}pip install "crossnet-pipeline\[lightgbm\]"\.$'):
        train()


def test_a_package_that_does_not_load_names_the_library_of_the_system(train, monkeypatch, tmp_path):
    (tmp_path / "lightgbm.py").write_text("raise OSError('libgomp.so.1: cannot open shared object file')")
    monkeypatch.delitem(sys.modules, "lightgbm", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PipelineError, match=r"does not load \(libgomp.so.1: .*\). Install OpenMP's library: apt"):
        train()


def test_it_holds_out_the_rows_that_a_model_holds_out(data, tmp_path):
    held_out = np.flatnonzero(_learned(*data, HOLDING_OUT, tmp_path).held_out)
    model = ModelParams(kind="cross_layer", architecture=CrossLayerParams())
    train_model(*data, output_dir=tmp_path, params=HOLDING_OUT, model=model)
    with np.load(tmp_path / OUT_OF_FOLD_FILE) as found:
        assert found["row"].tolist() == held_out.tolist()


def test_rows_weigh_what_they_weigh_and_rows_of_weight_0_do_not_count(tmp_path):
    pytest.importorskip("lightgbm", reason="the extra lightgbm is not installed")
    weight = [0.0 if place == "a" and i % 2 else 1.0 + i % 3 for i, place in enumerate(TRAIN["place"])]
    noisy = [100.0 if not w else y for y, w in zip(TRAIN["y"], weight, strict=True)]
    weighed = {**TRAIN, "y": noisy, "w": weight}, {**EVAL, "w": [1.0] * len(EVAL["y"])}
    for name in ("weighed", "alone", "model"):
        (tmp_path / name).mkdir()
    artifacts = make_artifacts(tmp_path / "weighed", *weighed, weight="w")
    learned = _learned(*artifacts, TrainerParams(), tmp_path)
    assert learned.place.tolist() == np.flatnonzero(weight).tolist()
    ratio = learned.weight / np.array(weight)[learned.place]
    assert ratio == pytest.approx(ratio[0])
    reference = train_reference(*artifacts, output_dir=tmp_path / "model", kind="lightgbm", params=TrainerParams())
    assert eval_rmse(reference) < 0.5
