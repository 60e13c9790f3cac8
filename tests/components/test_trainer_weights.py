"""The step with rows that have weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from crossnet.components.artifacts.model import Model
from crossnet.components.errors import TrainingError
from crossnet.components.networks.interval import read_interval
from crossnet.components.params.networks import ARCHITECTURES, ModelParams
from crossnet.components.params.presets import preset_defaults
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.trainer import train_model
from crossnet.components.training import folds, rows, weighing
from crossnet.components.training.learned_rows import numbers_of
from support.training_fixtures import make_artifacts, mixed_table

Table = dict[str, list[Any]]
TABLE = {**preset_defaults("table")["trainer"], "epochs": 2, "members": 2, "warmup_records": 0}
PLAIN = {"epochs": 20, "optimizer": "sgd", "learning_rate": 0.02, "normalize": "zscore", "warmup_records": 0}


def weighed(rows: int = 120) -> Table:
    """Returns rows of which none weighs 0."""
    table = mixed_table(rows)
    return {**table, "w": [1.0 + i % 3 for i in range(rows)]}


def with_idle(table: Table) -> Table:
    """Returns the table with a row of weight 0 and an absurd label after every fourth row."""
    made: Table = {name: [] for name in table}
    for i in range(len(table["w"])):
        for repeat in range(2 if i % 4 == 3 else 1):
            for name, values in table.items():
                made[name].append({"w": 0.0, "y": 1e30}.get(name, values[i]) if repeat else values[i])
    return made


def train(artifacts: Any, folder: Path, settings: Any) -> Model:
    folder.mkdir(exist_ok=True)
    defaults = preset_defaults("table")["cross_layer"] if "members" in settings else {}
    model = ModelParams(kind="cross_layer", architecture=ARCHITECTURES["cross_layer"](**defaults))
    return train_model(*artifacts, output_dir=folder, params=TrainerParams(**settings), model=model)


def made(folder: Path, table: Table) -> Any:
    return make_artifacts(folder, table, {name: values[:40] for name, values in table.items()}, weight="w")


def weights(model: Model) -> list[Any]:
    return [value.numpy() for value in tf.saved_model.load(str(model.serving_path)).weights]


@pytest.mark.parametrize("settings", [TABLE, {**PLAIN, "shuffle": True, "batch_size": 50}], ids=["table", "plain"])
def test_a_row_of_weight_0_changes_nothing(settings: Any, tmp_path: Path) -> None:
    examples, schema, statistics = made(tmp_path / "a", weighed())
    alone = train((examples, schema, statistics), tmp_path / "1", settings)
    beside, _, _ = made(tmp_path / "b", with_idle(weighed()))
    assert beside.counts["train"] == 150
    model = train((beside, schema, statistics), tmp_path / "2", settings)
    assert model.checksum == alone.checksum
    for name in ("loss", "validation_loss"):
        assert model.history.get(name) == alone.history.get(name)
    if found := model.out_of_fold:
        expected = alone.out_of_fold
        assert expected is not None
        assert found["prediction"].tolist() == expected["prediction"].tolist()
        assert found["weight"].tolist() == expected["weight"].tolist()
        np.testing.assert_allclose(found["label"], np.array(with_idle(weighed())["y"])[found["row"]], rtol=1e-5)


def test_nothing_depends_on_whether_weights_lie_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifacts = made(tmp_path / "a", with_idle(weighed()))
    expected = train(artifacts, tmp_path / "1", TABLE)
    for module in (folds, rows, weighing):
        monkeypatch.setattr(module, "MANY_ROWS", 64)
    model = train(artifacts, tmp_path / "2", TABLE)
    assert model.checksum == expected.checksum
    assert model.history["loss"] == pytest.approx(expected.history["loss"], rel=1e-6)
    found, known = model.out_of_fold, expected.out_of_fold
    assert found is not None
    assert known is not None
    for name in ("row", "weight"):
        assert found[name].tolist() == known[name].tolist()


def test_a_row_of_weight_2_is_the_row_twice(tmp_path: Path) -> None:
    table = {**weighed(60), "w": [2.0 if i % 3 else 1.0 for i in range(60)]}
    twice = [i for i in range(60) for _ in range(int(table["w"][i]))]
    repeated = {name: [values[i] for i in twice] for name, values in table.items() if name != "w"}
    examples, schema, statistics = made(tmp_path / "a", table)
    heavy = train((examples, schema, statistics), tmp_path / "1", {**PLAIN, "batch_size": 60})
    plain = make_artifacts(tmp_path / "b", repeated, repeated)
    # The features' statistics count each row once, so both get the same; the label's are weighed.
    for_both = statistics.proto("train")
    numbers_of(for_both, "y").CopyFrom(numbers_of(plain[2].proto("train"), "y"))
    (plain[2].path / "Split-train" / "FeatureStats.pb").write_bytes(for_both.SerializeToString())
    doubled = train((plain[0], schema, plain[2]), tmp_path / "2", {**PLAIN, "batch_size": 100})
    for ours, theirs in zip(weights(heavy), weights(doubled), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)
    np.testing.assert_allclose(heavy.history["loss"], doubled.history["loss"], rtol=1e-4)


def test_only_the_ratios_of_weights_matter(tmp_path: Path) -> None:
    light = {**weighed(), "w": [weight / 1024 for weight in weighed()["w"]]}
    settings = {**TABLE, "interval_coverage": 0.8}
    both = [
        train(made(tmp_path / name, table), tmp_path / f"model {name}", settings)
        for name, table in (("1", weighed()), ("2", light))
    ]
    assert both[0].checksum == both[1].checksum
    interval = read_interval(both[0].serving_path)
    assert interval is not None
    assert interval.rows == len(both[0].out_of_fold["row"])  # type: ignore[index]


def test_rows_of_weight_0_do_not_count_as_rows_to_learn_from(tmp_path: Path) -> None:
    table = weighed(60)
    table["w"] = [1.0 if i < 29 else 0.0 for i in range(60)]
    with pytest.raises(TrainingError, match="Train has 29 rows whose weight is above 0, too few to hold some out"):
        train(made(tmp_path / "a", table), tmp_path / "1", TABLE)
    with pytest.raises(TrainingError, match="`trainer.batch_size` is 30, but train has only 29 rows"):
        train(made(tmp_path / "b", table), tmp_path / "2", {**PLAIN, "batch_size": 30})


def test_eval_rows_that_all_weigh_nothing_are_not_looked_at(tmp_path: Path) -> None:
    table = weighed(60)
    idle = {**{name: values[:5] for name, values in table.items()}, "w": [0.0] * 5}
    artifacts = make_artifacts(tmp_path / "a", table, idle, weight="w")
    model = train(artifacts, tmp_path / "1", {**PLAIN, "epochs": 1, "batch_size": 60})
    assert model.history["eval_loss"] == []
