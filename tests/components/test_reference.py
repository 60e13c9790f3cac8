"""Boosted trees beside the models: what they are trained on, and what they predict."""

import sys

import numpy as np
import pytest

from crossnet.components.errors import PipelineError
from crossnet.components.reference import train_reference
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


TRAIN, EVAL = table(400, 1), table(100, 2)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_artifacts(tmp_path_factory.mktemp("reference"), TRAIN, EVAL)[:2]


@pytest.fixture
def train(data, tmp_path):
    def call(held_out=None):
        return train_reference(*data, output_dir=tmp_path, kind="lightgbm", held_out=held_out)

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
