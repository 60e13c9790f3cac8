from __future__ import annotations

import dataclasses
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from crossnet.components.artifacts.model import Model
from crossnet.components.errors import TrainingError
from crossnet.components.features import read_schema
from crossnet.components.files import folder_checksum
from crossnet.components.networks.interval import read_interval
from crossnet.components.params.networks import ARCHITECTURES, MODEL_KINDS, CrossLayerParams, ModelParams
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.trainer import train_model
from crossnet.serving.offline import recorded_format, recorded_rules, recorded_values
from crossnet.serving.protocol.csv_format import FORMAT_FILE, CsvFormat
from support.training_fixtures import article_table, make_artifacts, mixed_table

PARAMS = TrainerParams(epochs=2, batch_size=50, warmup_records=20)


def cut(table: Any, rows: int = 200) -> Any:
    return {k: v[:rows] for k, v in table.items()}, {k: v[rows:] for k, v in table.items()}


@pytest.fixture(scope="module")
def article(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_artifacts(tmp_path_factory.mktemp("article"), *cut(article_table(250)))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_artifacts(tmp_path_factory.mktemp("mixed"), *cut(mixed_table(250)))


def train(artifacts: Any, folder: Path, kind: str = "cross_layer", architecture: Any = None, **settings: Any) -> Model:
    folder.mkdir(parents=True, exist_ok=True)
    arguments = {key: settings.pop(key) for key in ("checkpoint_dir", "warm_start") if key in settings}
    architecture = architecture or ARCHITECTURES.get(kind, CrossLayerParams)()
    params = dataclasses.replace(PARAMS, **settings)
    model = ModelParams(kind=kind, architecture=architecture)
    return train_model(*artifacts, output_dir=folder, params=params, model=model, **arguments)


def predict(model: Model, columns: dict[str, Any]) -> Any:
    loaded = tf.saved_model.load(str(model.serving_path))
    return loaded.signatures["serving_default"](**columns)["prediction"].numpy()


def mixed_columns() -> dict[str, Any]:
    nan = float("nan")
    return {
        "length": tf.constant([41.0, nan, 38.5]),
        "year": tf.constant([2007, 2009, 2008], tf.int64),
        "age": tf.constant([nan, 2.0, 3.0]),
        "species": tf.constant(["Gentoo", "Adelie", "never seen"]),
        "island": tf.constant(["Dream", "", "Biscoe"]),
    }


@pytest.mark.parametrize(("kind", "parameters"), [("cross_layer", 16), ("tfrs_cross", 16), ("dense", 40)])
def test_trainer_makes_a_model_of_the_article(kind: str, parameters: int, article: Any, tmp_path: Path) -> None:
    model = train(article, tmp_path, kind)
    assert (model.kind, model.num_parameters, model.properties["updates"]) == (kind, parameters, 8)
    assert model.checksum == folder_checksum(model.serving_path)
    assert {len(series) for series in model.history.values()} == {2}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Format-Serving", "history.json"]


def test_model_says_what_it_sees_of_each_column_and_what_not(tmp_path: Path) -> None:
    table = {
        "size": [float(i % 40) for i in range(250)],
        "hour": [i % 24 for i in range(250)],
        "at": [1_700_006_400 + 86_400 * i for i in range(250)],
        "name": [f"name {i}" for i in range(250)],
        "y": [float(i % 40 + i % 24) for i in range(250)],
    }
    settings = {"normalize": "robust", "number_bins": 4, "number_dim": 2, "embed_whole_numbers": True, "min_count": 2}
    artifacts = make_artifacts(tmp_path, *cut(table), times={"at": "s"})
    model = train(artifacts, tmp_path / "model", date_parts=True, clip_predictions=True, **settings)
    sentence = "`name` is left out: nearly all of its values occur once in train. Name it in `example_gen.exclude`"
    assert model.outcome().warnings == (sentence,)
    facts = model.properties["preprocessing"]
    assert facts["bins"] == {"size": 4, "hour": 4, "at": 4}
    assert (facts["keys"], facts["cycles"]) == ({"hour": [24, 5]}, {"at": ["week"]})
    rows = {"size": [39.0, 1e30], "hour": [3, 2**63 - 1], "at": [0, -(2**63)]}
    columns = {name: tf.constant(values, tf.float32 if name == "size" else tf.int64) for name, values in rows.items()}
    found = predict(model, columns | {"name": tf.constant(["Ann", ""])})
    assert (found >= 0).all()
    assert (found <= max(table["y"]) + 2).all()


@pytest.fixture(scope="module")
def ten_batches(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_artifacts(tmp_path_factory.mktemp("ten_batches"), *cut(article_table(10_500), 10_000))


# From these seeds, features in [0, 1] as they are end above the floor.
SLOW_SEEDS = [pytest.param(seed, marks=pytest.mark.slow) for seed in (5, 7)]


@pytest.mark.parametrize("seed", [2, *SLOW_SEEDS])
def test_default_settings_reach_float32s_floor_in_a_fifth_of_the_articles_updates(
    seed: int, ten_batches: Any, tmp_path: Path
) -> None:
    params = TrainerParams(epochs=180, seed=seed)
    cross_layer = ModelParams(kind="cross_layer", architecture=CrossLayerParams())
    model = train_model(*ten_batches, output_dir=tmp_path, params=params, model=cross_layer)
    assert model.properties["updates"] == 1800
    _, held_out = cut(article_table(10_500), 10_000)
    label = np.float64(held_out.pop("y"))
    predictions = predict(model, {name: tf.constant(values) for name, values in held_out.items()})
    assert np.sqrt(np.mean((predictions - label) ** 2)) <= 1.5e-7


@pytest.mark.parametrize("kind", MODEL_KINDS)
def test_trainer_takes_text_whole_numbers_and_holes(kind: str, mixed: Any, tmp_path: Path) -> None:
    model = train(mixed, tmp_path, kind, epochs=20)
    predictions = predict(model, mixed_columns())
    assert predictions.shape == (3,)
    assert np.all((predictions > 2000) & (predictions < 7000))  # grams: the label's unit
    assert model.properties["preprocessing"]["may_be_missing"] == ["length", "age", "island"]


def test_same_seed_gives_the_same_bytes_of_the_whole_export(mixed: Any, tmp_path: Path) -> None:
    first, second = train(mixed, tmp_path / "1"), train(mixed, tmp_path / "2")
    assert first.checksum == second.checksum
    assert not (first.serving_path / FORMAT_FILE).exists()
    assert train(mixed, tmp_path / "3", seed=1).checksum != first.checksum


def test_model_records_the_format_of_the_csv_that_it_was_trained_on_and_its_values(
    article: Any, tmp_path: Path
) -> None:
    examples = dataclasses.replace(
        article[0], properties={**article[0].properties, "settings": {"delimiter": ";", "label": "y"}}
    )
    model = train((examples, *article[1:]), tmp_path, epochs=1)
    assert recorded_format(model.serving_path) == CsvFormat(delimiter=";")
    values = recorded_values(model.serving_path)
    assert values is not None
    assert values.ranges.keys() == values.complete == {"x0", "x1", "x2"}
    assert 0 <= values.ranges["x0"][0] < 0.1 < 0.9 < values.ranges["x0"][1] <= 1


def test_model_records_the_columns_that_have_another_name_in_the_source(article: Any, tmp_path: Path) -> None:
    columns = [
        {**column, "source_name": column["name"].replace("x0", "X 0")} for column in article[0].properties["columns"]
    ]
    examples = dataclasses.replace(article[0], properties={**article[0].properties, "columns": columns})
    model = train((examples, *article[1:]), tmp_path, epochs=1)
    assert recorded_rules(model.serving_path).rename == {"X 0": "x0"}
    assert recorded_rules(train(article, tmp_path / "2", epochs=1).serving_path).rename == {}


@pytest.mark.parametrize("settings", [{}, {"shuffle": True}, {"shuffle": True, "early_stopping_patience": 2}])
def test_rows_that_do_not_fit_in_memory_give_the_same_model(settings: Any, mixed: Any, tmp_path: Path) -> None:
    held = train(mixed, tmp_path / "1", **settings)
    streamed = train(mixed, tmp_path / "2", cache_mib=0, **settings)
    assert streamed.checksum == held.checksum
    assert {path.name for path in (tmp_path / "2").iterdir()} <= {"Format-Serving", "history.json", "out_of_fold.npz"}


def test_trainer_goes_on_from_a_checkpoint_of_its_own(article: Any, tmp_path: Path) -> None:
    whole = train(article, tmp_path / "1", epochs=4)
    train(article, tmp_path / "2", epochs=4, checkpoint_every=2, checkpoint_dir=tmp_path / "checkpoints")
    resumed = train(article, tmp_path / "3", epochs=4, checkpoint_dir=tmp_path / "checkpoints")
    assert resumed.checksum == whole.checksum


def test_trainer_refuses_a_checkpoint_of_another_architecture(article: Any, tmp_path: Path) -> None:
    train(article, tmp_path / "1", checkpoint_every=1, checkpoint_dir=tmp_path / "checkpoints")
    with pytest.raises(TrainingError, match="comes from another training: `num_layers` is 1 there, 2 here"):
        train(
            article,
            tmp_path / "2",
            architecture=CrossLayerParams(num_layers=2),
            checkpoint_dir=tmp_path / "checkpoints",
        )


def test_trainer_refuses_a_checkpoint_of_another_initializer(article: Any, tmp_path: Path) -> None:
    train(article, tmp_path / "1", checkpoint_every=1, checkpoint_dir=tmp_path / "checkpoints")
    message = '`kernel_initializer` is "glorot_uniform" there, "he_normal" here'
    with pytest.raises(TrainingError, match=message):
        train(
            article,
            tmp_path / "2",
            architecture=CrossLayerParams(kernel_initializer="he_normal"),
            checkpoint_dir=tmp_path / "checkpoints",
        )


def test_trainer_refuses_a_checkpoint_of_as_many_other_rows(article: Any, tmp_path: Path) -> None:
    table = article_table(250)
    table["y"][199] += 1e-3
    others = (make_artifacts(tmp_path / "others", *cut(table))[0], *article[1:])
    train(article, tmp_path / "1", checkpoint_every=1, checkpoint_dir=tmp_path / "checkpoints")
    with pytest.raises(TrainingError, match=r"comes from another training: `examples` is .* there, .* here\. Remove"):
        train(others, tmp_path / "2", checkpoint_dir=tmp_path / "checkpoints")


@pytest.mark.slow
def test_warm_start_predicts_as_the_model_before_until_it_learns(mixed: Any, tmp_path: Path) -> None:
    before = train(mixed, tmp_path / "1", epochs=5)
    started = train(mixed, tmp_path / "2", learning_rate=1e-12, epochs=1, warm_start=before.serving_path)
    np.testing.assert_allclose(predict(started, mixed_columns()), predict(before, mixed_columns()), rtol=1e-6)


def test_warm_start_keeps_the_vocabulary_and_learns_new_tokens(tmp_path: Path) -> None:
    def table(tokens: str) -> Any:
        return {"s": [tokens[i % len(tokens)] for i in range(60)], "y": [float(i % len(tokens)) for i in range(60)]}

    first = make_artifacts(tmp_path / "a", table("ab"), table("ab"))
    second = make_artifacts(tmp_path / "b", table("bcd"), table("bcd"))
    # Chosen, not derived: the tables' widths must agree for the weights to fit.
    before = train(first, tmp_path / "1", embedding_dim=2)
    started = train(second, tmp_path / "2", embedding_dim=2, learning_rate=1e-12, epochs=1, warm_start=before.path)
    facts = json.loads((started.serving_path / "assets.extra" / "training.json").read_text())
    assert facts["preprocessing"]["texts"][0]["vocabulary"] == ["a", "b", "c", "d"]
    columns = {"s": tf.constant(["a", "b", "zz"])}
    np.testing.assert_allclose(predict(started, columns), predict(before, columns), atol=1e-6)


def test_warm_start_refuses_other_architectures_features_and_folders(article: Any, mixed: Any, tmp_path: Path) -> None:
    before = train(article, tmp_path / "1")
    with pytest.raises(TrainingError, match='its architecture differs: `kind` is "cross_layer" there, "dense" here'):
        train(article, tmp_path / "2", "dense", warm_start=before.path)
    with pytest.raises(TrainingError, match='its features differ: .*`x0` is "FLOAT" there, null here'):
        train(mixed, tmp_path / "3", warm_start=before.path)
    with pytest.raises(TrainingError, match="Cannot start from .*it has no assets.extra/training.json"):
        train(article, tmp_path / "4", warm_start=tmp_path)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"batch_size": 1000}, r"`trainer.batch_size` is 1,000, but train has only 200 rows\. Set it to at most 200"),
        ({"epochs": 0}, r"`trainer.epochs` must be at least 1\. Received 0"),
        ({"batch_size": 0}, r"`trainer.batch_size` must be at least 1\. Received 0"),
        (
            {"optimizer": "adm"},
            r"Unknown optimizer `adm`\. Did you mean `adam`\? There are: adam, adamw, adagrad, sgd, rmsprop\.",
        ),
        ({"epochs": 0, "optimizer": "sdg"}, r"`trainer.epochs` must .* Unknown optimizer `sdg`\. Did you mean `sgd`\?"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_training(
    settings: Any, sentence: str, article: Any, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=sentence):
        train(article, tmp_path, **settings)
    assert not list(tmp_path.iterdir())


def test_unknown_kind_and_a_rank_too_high_are_refused_before_training(article: Any, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"Unknown model kind `denes`\. Did you mean `dense`\?"):
        train(article, tmp_path, "denes")
    with pytest.raises(TrainingError, match="`projection_dim` must be at most half the features' width"):
        train(article, tmp_path, architecture=CrossLayerParams(projection_dim=2))


def test_early_stopping_needs_no_eval_rows(tmp_path: Path) -> None:
    table = article_table(60)
    artifacts = make_artifacts(tmp_path / "a", table, {name: [] for name in table})
    model = train(artifacts, tmp_path / "1", early_stopping_patience=3)
    assert (model.history["eval_loss"], len(model.history["validation_loss"])) == ([], 2)


def test_model_with_an_interval_coverage_answers_with_intervals(article: Any, tmp_path: Path) -> None:
    model = train(article, tmp_path / "1", early_stopping_patience=2, interval_coverage=0.8)
    interval = read_interval(model.serving_path)
    assert interval is not None
    assert (interval.coverage, interval.rows) == (0.8, 25)  # an eighth of 200
    columns = {name: tf.constant([0.5, 0.25]) for name in ("x0", "x1", "x2")}
    loaded = tf.saved_model.load(str(model.serving_path))
    found = loaded.signatures["interval"](**columns)
    np.testing.assert_array_equal(found["prediction"], predict(model, columns))
    np.testing.assert_array_equal(found["upper"], found["prediction"] + np.float32(interval.half_width))
    assert read_interval(train(article, tmp_path / "2", early_stopping_patience=2).serving_path) is None


def test_tensorboard_writes_logs_or_asks_for_its_package(
    article: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("tensorboard"):
        train(article, tmp_path / "1", tensorboard=True)
        assert list((tmp_path / "1" / "logs").glob("events.out.tfevents.*"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TrainingError, match="needs the package tensorboard, which is not installed. Install the extra"):
        train(article, tmp_path / "2", tensorboard=True)


def test_exploding_gradient_stops_training_and_says_so(article: Any, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"the gradient has exploded.*Lower `trainer.learning_rate` \(it was"):
        train(article, tmp_path, optimizer="sgd", learning_rate=1e6, epochs=20)


def test_row_with_a_value_that_is_not_finite_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = article_table(200)
    table["x1"][130] = float("nan")
    artifacts = make_artifacts(tmp_path / "a", table, table)
    monkeypatch.setattr(
        "crossnet.components.sources.provenance.locate", lambda examples, split, record: f"rides.csv:{record + 2}"
    )
    with pytest.raises(TrainingError, match=r"loss is nan in epoch 1, batch 3 \(rows 100 to 149\): `x1` of row 130"):
        train(artifacts, tmp_path / "1", normalize="none")


def test_collapsed_network_is_diagnosed(article: Any, tmp_path: Path) -> None:
    model = train(article, tmp_path, "dense", learning_rate=50.0, epochs=10)
    assert "The model has collapsed: its predictions have no spread" in model.properties["diagnosis"][0]
    dead = r"3 of 3 units in layer `dense_\d` are dead: 0 on all of 200 rows"
    assert any(re.match(dead, sentence) for sentence in model.properties["diagnosis"])
    schema = article[1].proto()
    assert [feature.name for feature in read_schema(schema)[0]] == ["x0", "x1", "x2"]
