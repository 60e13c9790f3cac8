from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from crossnet.components.artifacts.evaluation import LINEAR, MEAN_PREDICTOR
from crossnet.components.artifacts.examples import Examples
from crossnet.components.errors import MissingArtifactError, SettingsError
from crossnet.components.records.dataset import read_columns
from crossnet.pipeline.config import load_config
from crossnet.pipeline.evaluate import evaluate_split, render_scores, run_of_model
from crossnet.pipeline.report.run import load_run
from crossnet.pipeline.runner import run_pipeline
from crossnet.pipeline.store import Store

SETTINGS = [
    "example_gen.num_examples=600",
    "example_gen.test_fraction=0.3",
    'models=["cross_layer"]',
    "trainer.epochs=5",
    "trainer.batch_size=50",
    "evaluator.max_rmse=9",
    'evaluator.min_improvement="none"',
    "evaluator.max_mean_ratio=none",
    "evaluator.max_linear_ratio=none",
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = tmp_path_factory.mktemp("evaluate")
    assert run_pipeline(load_config(None, SETTINGS), root, name="one").exit_code == 0
    return Store(root)


def labels(store: Store, split: str) -> np.ndarray:
    examples = load_run(store, "one").get(Examples, "example_gen")
    assert examples is not None
    batches = read_columns(examples, split, batch_size=1000, columns=["y"])
    return np.concatenate([batch["y"].values for batch in batches]).astype(float)


def test_the_test_split_is_measured_beside_the_mean_of_train(store: Store) -> None:
    facts = evaluate_split(store, "one", "test")
    assert {name: model["role"] for name, model in facts["models"].items()} == {
        "cross_layer": "champion",
        LINEAR: "reference",
        MEAN_PREDICTOR: "baseline",
    }
    assert (facts["rows"], facts["split"]) == (180, "test")
    mean, actual = labels(store, "train").mean(), labels(store, "test")
    rmse = facts["models"][MEAN_PREDICTOR]["rmse"]
    assert rmse == pytest.approx(math.sqrt(np.square(actual - mean).mean()))
    for model in facts["models"].values():
        low, high = model["interval"]
        assert low < model["rmse"] < high
    text = render_scores(facts)
    assert text.startswith("The test split of run one has 180 rows, label's standard deviation ")
    assert "95 % interval" in text


def test_the_eval_split_gives_what_the_evaluator_measured(store: Store) -> None:
    evaluation = load_run(store, "one").evaluation
    assert evaluation is not None
    facts = evaluate_split(store, "one", "eval")
    for name, model in facts["models"].items():
        assert model["rmse"] == pytest.approx(evaluation.metrics[name]["eval_rmse"])


def test_each_model_of_a_run_is_measured_and_missing_intervals_have_a_reason() -> None:
    model = {"rmse": 0.5, "interval": None, "mae": 0.4, "r2": 0.1, "role": "candidate"}
    facts = {"run": "one", "split": "eval", "confidence": 0.95, "label_std": 1.0}
    few = {"extent": "180 rows in 12 groups of `user`", "few": "fewer than 20 groups"}
    text = render_scores({**facts, **few, "models": {"cross_layer": model, "cross_mix": model}})
    assert text.splitlines() == [
        "The eval split of run one has 180 rows in 12 groups of `user`, label's standard deviation 1",
        "  model        rmse  mae   r2",
        "  cross_layer   0.5  0.4  0.1  candidate",
        "  cross_mix     0.5  0.4  0.1  candidate",
        "There is not an interval: fewer than 20 groups.",
    ]


def test_all_candidates_and_boosted_trees_are_measured_on_eval(store: Store, tmp_path: Path) -> None:
    pytest.importorskip("lightgbm")
    settings = [*SETTINGS, 'models=["cross_layer", "cross_mix", "dense"]', "reference=lightgbm", "trainer.epochs=1"]
    run_pipeline(load_config(None, settings), tmp_path, name="all")
    facts = evaluate_split(Store(tmp_path), "all", "eval")["models"]
    roles = {"cross_mix": "candidate", "dense": "baseline", "lightgbm": "reference", LINEAR: "reference"}
    assert {name: facts[name]["role"] for name in roles} == roles
    evaluation = load_run(Store(tmp_path), "all").evaluation
    assert evaluation is not None
    assert facts["lightgbm"]["rmse"] == pytest.approx(evaluation.metrics["lightgbm"]["eval_rmse"])
    assert "lightgbm" not in evaluate_split(Store(tmp_path), "all", "test")["models"]


def test_no_step_has_read_the_test_split(store: Store) -> None:
    run = load_run(store, "one")
    for artifact in run.artifacts.values():
        if not isinstance(artifact, Examples):
            assert not list(artifact.path.rglob("Split-test"))
    assert json.loads((store.runs / "one" / "run.json").read_text())["steps"]["evaluator"]["counts"]["rows"] == 60


def test_the_model_in_service_leads_to_its_run(store: Store) -> None:
    assert run_of_model(store, store.root / "serving_models" / "crossnet") == "one"
    with pytest.raises(MissingArtifactError, match="no version in service. Did you mean `crossnet`?"):
        run_of_model(store, store.root / "serving_models" / "crosnet")


def test_a_run_without_such_a_split_or_without_rows_is_refused(store: Store, tmp_path: Path) -> None:
    load = load_config(None, [setting for setting in SETTINGS if "test_fraction" not in setting])
    run_pipeline(load, tmp_path, name="two", until="schema_gen")
    other = Store(tmp_path)
    with pytest.raises(SettingsError, match="Run `two` has no split `test`. Set `example_gen.test_fraction`, such as"):
        evaluate_split(other, "two", "test")
    with pytest.raises(MissingArtifactError, match="Run `two` cannot be evaluated: it has no trained model"):
        evaluate_split(other, "two", "eval")
    shutil.rmtree(tmp_path / "artifacts" / "example_gen")
    with pytest.raises(MissingArtifactError, match="Run `two` cannot be evaluated: The artifact of `example_gen` is"):
        evaluate_split(other, "two", "eval")
