"""The step with the settings of preset "table": members, their blend, and rows that were held out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from crossnet.components.artifacts.model import OUT_OF_FOLD_FILE, Model
from crossnet.components.files import read_json
from crossnet.components.networks.export import TRAINING_FILE
from crossnet.components.params.networks import ARCHITECTURES, ModelParams
from crossnet.components.params.presets import preset_defaults
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.trainer import train_model
from crossnet.components.training import folds, rows
from support.training_fixtures import make_artifacts, mixed_table


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    table = mixed_table(250)
    parts = {k: v[:200] for k, v in table.items()}, {k: v[200:] for k, v in table.items()}
    return make_artifacts(tmp_path_factory.mktemp("mixed"), *parts)


def train(artifacts: Any, folder: Path, kind: str = "cross_layer", **settings: Any) -> Model:
    warm_start = settings.pop("warm_start", None)
    params = TrainerParams(**{**preset_defaults("table")["trainer"], "epochs": 3, "members": 4, **settings})
    model = ModelParams(kind=kind, architecture=ARCHITECTURES[kind](**preset_defaults("table")[kind]))
    params = dataclasses.replace(params, warmup_records=0)
    return train_model(*artifacts, output_dir=folder, params=params, model=model, warm_start=warm_start)


def predict(model: Model) -> Any:
    columns = {
        "length": tf.constant([41.0, float("nan"), 38.5]),
        "year": tf.constant([2007, 2009, 2008], tf.int64),
        "age": tf.constant([float("nan"), 2.0, 3.0]),
        "species": tf.constant(["Gentoo", "Adelie", "never seen"]),
        "island": tf.constant(["Dream", "", "Biscoe"]),
    }
    return tf.saved_model.load(str(model.serving_path)).signatures["serving_default"](**columns)["prediction"].numpy()


@pytest.fixture(scope="module")
def of_members(mixed: Any, tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("members")
    return train(mixed, folder)


def test_table_trains_members_and_records_what_it_chose(of_members: Model) -> None:
    properties = of_members.properties
    assert properties["chosen"]["batch_size"] == 32
    assert {"learning_rate", "weight_decay", "deep_units", "projection_dim"} <= set(properties["chosen"])
    assert "members" not in properties["chosen"]  # it was set
    assert sum(properties["shares"]) + properties["linear_share"] == pytest.approx(1, abs=1e-5)
    assert len(properties["shares"]) == 4
    assert {len(series) for series in of_members.history.values()} == {3}


def test_members_answer_with_their_blend(of_members: Model, mixed: Any) -> None:
    predictions = predict(of_members)
    assert predictions.shape == (3,)
    assert np.all(np.isfinite(predictions))
    label = mixed_table(250)["y"][:200]
    low, high = min(label), max(label)
    assert np.all((predictions > low - 0.11 * (high - low)) & (predictions < high + 0.11 * (high - low)))


def test_rows_that_were_held_out_are_written_with_their_predictions(of_members: Model) -> None:
    found = of_members.out_of_fold
    assert found is not None
    assert 40 <= len(found["row"]) <= 60  # two of eight folds of 200 rows
    label = np.array(mixed_table(250)["y"])[found["row"]]
    np.testing.assert_allclose(found["label"], label, rtol=1e-5)
    assert np.isfinite(found["prediction"]).all()


def test_a_label_that_is_a_sum_is_predicted_by_the_linear_model(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    x, z = random.normal(size=(2, 240)) * 3
    zone = random.choice(["a", "b", "c"], 240)
    y = 2 * x - z + np.select([zone == "a", zone == "b"], [5.0, -5.0], 0.0)
    table = {"x": x.tolist(), "z": z.tolist(), "zone": zone.tolist(), "y": y.tolist()}
    parts = {k: v[:200] for k, v in table.items()}, {k: v[200:] for k, v in table.items()}
    rows_folder, with_folder, without_folder = (tmp_path / name for name in ("rows", "with", "without"))
    for folder in (rows_folder, with_folder, without_folder):
        folder.mkdir()
    artifacts = make_artifacts(rows_folder, *parts)
    with_linear = train(artifacts, with_folder)
    without = train(artifacts, without_folder, blend_linear=False)
    assert with_linear.properties["linear_share"] > 0.98
    assert without.properties["linear_share"] is None
    assert with_linear.num_parameters == without.num_parameters + 2 + 3 + 1
    assert sum(without.properties["shares"]) == pytest.approx(1, abs=1e-5)
    rows = {"x": x[200:].astype(np.float32), "z": z[200:].astype(np.float32), "zone": zone[200:]}
    for model, error in ((with_linear, 0.1), (without, np.inf)):
        answer = tf.saved_model.load(str(model.serving_path)).signatures["interval"]
        found = answer(**{name: tf.constant(values) for name, values in rows.items()})
        rmse = float(np.sqrt(np.mean((found["prediction"].numpy() - y[200:]) ** 2)))
        assert (rmse < 0.1) == (error < 1)
        assert np.isfinite(found["spread"].numpy()).all()
        far = answer(x=tf.constant([2 * max(x)], tf.float32), z=tf.constant([0.0]), zone=tf.constant(["c"]))
        reached = float(far["prediction"][0])
        low, high = model.properties["preprocessing"]["label_range"]
        assert low <= reached <= high + 1e-3
        assert (reached > max(y[:200]) + np.std(y)) == (error < 1)  # beyond train only where the label is linear
    assert "linear" not in exported_description(without)
    assert len(exported_description(with_linear)["shares"]) == 5


def exported_description(model: Model) -> Any:
    return read_json(model.serving_path / TRAINING_FILE)["network"]


def test_members_give_the_same_bytes_again(of_members: Model, mixed: Any, tmp_path: Path) -> None:
    again = train(mixed, tmp_path)
    assert again.checksum == of_members.checksum
    assert (again.path / OUT_OF_FOLD_FILE).read_bytes() == (of_members.path / OUT_OF_FOLD_FILE).read_bytes()


def test_nothing_depends_on_whether_what_each_row_has_lies_in_files(
    of_members: Model, mixed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (folds, rows):
        monkeypatch.setattr(module, "MANY_ROWS", 64)
    again = train(mixed, tmp_path)
    assert again.checksum == of_members.checksum
    with np.load(again.path / OUT_OF_FOLD_FILE) as found, np.load(of_members.path / OUT_OF_FOLD_FILE) as expected:
        assert found.files == expected.files
        for name in found.files:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)


@pytest.mark.parametrize("kind", ["dense", "tfrs_cross", "cross_mix"])
def test_every_kind_trains_with_the_settings_of_table(kind: str, mixed: Any, tmp_path: Path) -> None:
    model = train(mixed, tmp_path, kind, members="auto" if kind in ("dense", "tfrs_cross") else 2, epochs=1)
    assert np.all(np.isfinite(predict(model)))
    assert (model.properties["shares"] is None) == (kind in ("dense", "tfrs_cross"))


def test_a_training_of_members_goes_on_from_an_exported_model(of_members: Model, mixed: Any, tmp_path: Path) -> None:
    model = train(mixed, tmp_path, warm_start=of_members.path, epochs=1, learning_rate=1e-9)
    # The members are the same; how they are blended is chosen again.
    assert model.properties["shares"] == pytest.approx(of_members.properties["shares"], abs=0.02)
    np.testing.assert_allclose(predict(model), predict(of_members), rtol=0.01)


def test_members_say_how_far_they_lie_apart_in_signature_interval_alone(of_members: Model) -> None:
    columns = {
        "length": tf.constant([41.0, 38.5]),
        "year": tf.constant([2007, 2008], tf.int64),
        "age": tf.constant([1.0, 3.0]),
        "species": tf.constant(["Gentoo", "Adelie"]),
        "island": tf.constant(["Dream", "Biscoe"]),
    }
    loaded = tf.saved_model.load(str(of_members.serving_path))
    assert list(loaded.signatures["serving_default"](**columns)) == ["prediction"]
    found = loaded.signatures["interval"](**columns)
    assert sorted(found) == ["lower", "prediction", "spread", "upper"]
    assert (found["spread"].numpy() > 0).all()
    np.testing.assert_array_equal(
        found["prediction"], loaded.signatures["serving_default"](**columns)["prediction"].numpy()
    )
