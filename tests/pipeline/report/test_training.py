from pathlib import Path

import pytest

from crossnet.components.artifacts.model import Model
from crossnet.pipeline.report.run import Run, load_run
from crossnet.pipeline.report.training import setting_text, training
from crossnet.pipeline.run_record import RunRecord
from support.report_fixtures import FAILED, PUSHED, make_runs


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_runs(tmp_path_factory)


def test_training_has_curves_and_facts_of_every_model(store):
    found = training(load_run(store, PUSHED))
    assert [(model["name"], model["epochs"], model["updates"]) for model in found["models"]] == [
        ("cross_layer", 3, 18),
        ("dense", 3, 18),
    ]
    assert all(model["first"] > model["last"] > 0 for model in found["models"])
    assert (len(found["charts"]), found["has_eval"]) == (2, True)
    nothing = {"charts": [], "models": [], "chosen": {"models": [], "rows": []}, "has_eval": False, "held_out": False}
    assert training(load_run(store, FAILED)) == nothing


def test_training_shows_what_was_chosen_and_the_shares_of_members(tmp_path):
    properties = {"train_seconds": 1.0, "chosen": {"trainer.epochs": 12, "trainer.learning_rate": 0.003125}}
    models = {
        "trainer_dense": Model(tmp_path, {}, {**properties, "kind": "dense", "shares": [0.25, 0.75]}),
        "trainer_cross_layer": Model(tmp_path, {}, {"kind": "cross_layer", "chosen": {"cross_layer.rank": [2, 3]}}),
    }
    found = training(Run("one", RunRecord(run="one"), "", {}, artifacts=models))
    assert found["chosen"] == {
        "models": ["dense", "cross_layer"],
        "rows": [
            ("trainer.epochs", ["12", "–"]),
            ("trainer.learning_rate", ["0.003125", "–"]),
            ("cross_layer.rank", ["–", "[2, 3]"]),
        ],
    }
    shares = {model["name"]: model["shares"] for model in found["models"]}
    assert shares == {"dense": "25 %, 75 %", "cross_layer": ""}


@pytest.mark.parametrize(
    ("shares", "text"), [([0.0625] * 16, "6.25 % each"), ([0.0554, 0.0696] * 8, "5.54 % to 6.96 % each")]
)
def test_shares_of_many_members_are_one_phrase(shares, text):
    model = Model(Path("none"), {}, {"kind": "dense", "shares": shares})
    (found,) = training(Run("one", RunRecord(run="one"), "", {}, artifacts={"trainer_dense": model}))["models"]
    assert (found["members"], found["shares"]) == (16, text)


def test_members_without_a_share_are_counted_apart():
    model = Model(Path("none"), {}, {"kind": "dense", "shares": [0.125, 0.0] * 8})
    (found,) = training(Run("one", RunRecord(run="one"), "", {}, artifacts={"trainer_dense": model}))["models"]
    assert (found["members"], found["left_out"], found["shares"]) == (8, 8, "12.5 % each")


def test_where_a_linear_model_answers_alone_members_are_shown_all_the_same():
    model = Model(Path("none"), {}, {"kind": "dense", "shares": [0.0, 0.0], "linear_share": 1.0})
    (found,) = training(Run("one", RunRecord(run="one"), "", {}, artifacts={"trainer_dense": model}))["models"]
    assert (found["members"], found["left_out"]) == (2, 0)
    assert found["shares"] == "0 %, 0 %, and a linear model 100 %"


def test_the_share_of_a_linear_model_is_said_behind_those_of_the_networks():
    model = Model(Path("none"), {}, {"kind": "dense", "shares": [0.25, 0.35], "linear_share": 0.4})
    (found,) = training(Run("one", RunRecord(run="one"), "", {}, artifacts={"trainer_dense": model}))["models"]
    assert (found["members"], found["shares"]) == (2, "25 %, 35 %, and a linear model 40 %")


def test_settings_have_few_digits():
    assert setting_text([0.1, 1.6896648831315122]) == "[0.1, 1.69]"
    assert [setting_text(value) for value in (None, True, "auto", 31, {"a": 1})] == [
        "–",
        "true",
        "auto",
        "31",
        '{"a": 1}',
    ]
