"""Which Models were blessed, in which order, and how `why` tells of them."""

import pytest

from crossnet.components.artifacts.model import Model
from crossnet.components.files import write_json
from crossnet.pipeline.blessed import in_service, ranked, rolled_back
from crossnet.pipeline.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "root")


def bless(store, run, rmse, mean=1.0, *, fingerprint=None, verdict="BLESSED", name="crossnet"):
    fingerprint = fingerprint or f"model-{run}"
    models = {"cross_layer": {"eval_rmse": rmse}, "dense": {"eval_rmse": 0.5}, "mean_predictor": {"eval_rmse": mean}}
    steps = {"trainer_cross_layer": {"fingerprint": fingerprint}, "trainer_dense": {"fingerprint": f"dense-{run}"}}
    facts = {"run": run, "number": int(run), "verdict": verdict, "champion": "cross_layer", "models": models}
    write_json(store.new_run(run) / "run.json", {**facts, "steps": steps})
    if not store.artifact_path("trainer_cross_layer", fingerprint).exists():
        with store.working_folder("trainer_cross_layer") as folder:
            params = {"inputs": {}, "params": {"model": {"model_name": name}}}
            store.finish(Model(folder), "trainer_cross_layer", fingerprint, params)


def order(store, name=None):
    return [model.fingerprint for model in ranked(store, store.run_records(), name)]


def test_champions_are_ranked_by_their_error_beside_the_mean_predictors(store):
    bless(store, "1", 0.2, mean=1.0)
    bless(store, "2", 0.3, mean=3.0)
    bless(store, "3", 0.01, verdict="NOT_BLESSED")
    bless(store, "4", 0.4, mean=4.0)  # level with the second, and later
    assert order(store) == ["model-2", "model-4", "model-1"]


def test_only_models_of_one_name_are_compared(store):
    bless(store, "1", 0.2, name="rides")
    bless(store, "2", 0.1, name="other")
    assert order(store, "rides") == ["model-1"]


def test_a_model_that_is_gone_or_whose_error_was_not_recorded_is_not_ranked(store):
    bless(store, "1", 0.2)
    bless(store, "2", None)
    bless(store, "3", 0.1, mean=0.0)
    assert order(store) == ["model-1"]
    store.artifact_path("trainer_cross_layer", "model-1").rename(store.root / "gone")
    assert order(store) == []


def test_a_model_of_two_runs_has_its_lowest_ratio(store):
    bless(store, "1", 0.3, fingerprint="a")
    bless(store, "2", 0.2)
    bless(store, "3", 0.1, fingerprint="a")
    assert order(store) == ["a", "model-2"]


def test_a_model_taken_out_of_service_counts_unless_it_is_there_again(store):
    folder = store.serving_models / "crossnet"
    (folder / "5.rolled_back").mkdir(parents=True)
    (folder / "6").mkdir()
    for version, model in ((5, "a"), (6, "b")):
        write_json(folder / f"{version}.json", {"version": version, "model": model})
    assert rolled_back(folder) == {"a"}
    assert in_service(folder, "b") == [(6, folder / "6")]
    (folder / "7").mkdir()
    write_json(folder / "7.json", {"version": 7, "model": "a"})
    assert rolled_back(folder) == set()
