"""What lies outside the graph: the model in service, the last blessed run, a warm start."""

import pytest

from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.errors import SettingsError
from crossnet.components.files import folder_checksum, write_json
from crossnet.pipeline.blessed import chain
from crossnet.pipeline.config import load_config
from crossnet.pipeline.plan import make_plan
from crossnet.pipeline.references import LastBlessed, ServedModel, WarmStart
from crossnet.pipeline.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "root")


def push(store, version, model):
    folder = store.serving_models / "crossnet"
    (folder / str(version)).mkdir(parents=True)
    (folder / str(version) / "saved_model.pb").write_text(str(version))
    if model:
        write_json(folder / f"{version}.json", {"version": version, "model": model})
    return folder / str(version)


def test_plan_compares_with_the_newest_version_that_is_not_its_own(store):
    own = make_plan(load_config(), store)["trainer_cross_layer"].fingerprint
    before = push(store, 5, "another")
    assert make_plan(load_config(), store)["evaluator"].references["served"] == before
    planned = make_plan(load_config(), store)["evaluator"].fingerprint
    push(store, 7, own)  # the push of this very plan
    again = make_plan(load_config(), store)["evaluator"]
    assert (again.references["served"], again.fingerprint) == (before, planned)
    by_hand = push(store, 9, None)
    assert make_plan(load_config(), store)["evaluator"].references["served"] == by_hand


def test_plan_compares_with_no_version_that_is_damaged(store):
    folder = store.serving_models / "crossnet"
    whole, rotten = push(store, 5, "another"), push(store, 6, "a third")
    for version in (5, 6):
        record = {"model": "another", "checksum": folder_checksum(folder / str(version))}
        write_json(folder / f"{version}.json", record)
    assert make_plan(load_config(), store)["evaluator"].references["served"] == rotten
    (rotten / "saved_model.pb").write_text("?")
    assert make_plan(load_config(), store)["evaluator"].references["served"] == whole
    with pytest.raises(SettingsError, match=r"`trainer.warm_start` names version 6, which is damaged: its files are"):
        make_plan(load_config(None, ["trainer.warm_start=6"]), store)


def test_plan_refuses_a_warm_start_from_a_damaged_artifact(store):
    with store.working_folder("trainer_dense") as folder:
        (folder / "Format-Serving").mkdir()
        (folder / "Format-Serving" / "saved_model.pb").write_text("a")
        path = store.finish(Model(folder), "trainer_dense", "ab", {})
    for start in (path, path / "Format-Serving"):
        config = load_config(None, [f"trainer.warm_start={start}"])
        (path / "Format-Serving" / "saved_model.pb").write_text("a")
        assert make_plan(config, store)["trainer_dense"].references == {"warm_start": path / "Format-Serving"}
        (path / "Format-Serving" / "saved_model.pb").write_text("b")
        with pytest.raises(SettingsError, match="which is damaged: `Format-Serving/saved_model.pb` has SHA-256"):
            make_plan(config, store)


def finish(store, kind, step, fingerprint):
    with store.working_folder(step) as folder:
        return store.finish(kind(folder), step, fingerprint, {"inputs": {}})


def blessed_run(store, name, examples, **facts):
    steps = {step: {"fingerprint": f"{step}-{name}"} for step in ("statistics_gen", "schema_gen")} | {
        "example_gen": {"fingerprint": examples}
    }
    run = {"run": name, "started": f"2026-01-0{name}", "verdict": "BLESSED", "steps": steps, **facts}
    write_json(store.new_run(name) / "run.json", run)
    finish(store, Statistics, "statistics_gen", f"statistics_gen-{name}")
    finish(store, Schema, "schema_gen", f"schema_gen-{name}")


def test_plan_measures_drift_from_the_newest_blessed_run_on_other_rows(store):
    config = load_config(None, ["schema_gen.reference=last_blessed"])
    plan = make_plan(config, store)
    assert plan["example_validator"].references == {"previous": None}
    blessed_run(store, "1", "other rows")
    blessed_run(store, "2", plan["example_gen"].fingerprint)
    plan = make_plan(config, store)
    assert plan["example_validator"].references["previous"].name == "statistics_gen-1"
    assert plan["schema_gen"].references["reference"].name == "schema_gen-1"


def test_plan_measures_drift_from_a_run_of_the_same_model(store):
    blessed_run(store, "1", "other rows", number=1, model_name="rides")
    blessed_run(store, "2", "still other rows", number=2, model_name="trips")

    def previous(name):
        config = load_config(None, [f"pusher.model_name={name}", "schema_gen.reference=last_blessed"])
        plan = make_plan(config, store)
        found = plan["example_validator"].references["previous"], plan["schema_gen"].references["reference"]
        return tuple(path and path.name for path in found)

    assert previous("rides") == ("statistics_gen-1", "schema_gen-1")
    assert previous("trips") == ("statistics_gen-2", "schema_gen-2")
    assert previous("crossnet") == (None, None)


def test_plan_measures_drift_from_the_later_run_also_where_the_clock_was_set_back(store):
    blessed_run(store, "1", "other rows", number=1, started="2031-01-01")
    blessed_run(store, "2", "still other rows", number=2, started="2020-01-01")
    assert make_plan(load_config(), store)["example_validator"].references["previous"].name == "statistics_gen-2"


def test_plan_takes_a_warm_start_by_content(store, tmp_path):
    model = tmp_path / "model" / "Format-Serving"
    model.mkdir(parents=True)
    (model / "saved_model.pb").write_text("a")
    config = load_config(None, [f"trainer.warm_start={tmp_path / 'model'}"])
    plan = make_plan(config, store)
    assert plan["trainer_dense"].references == {"warm_start": model}
    (model / "saved_model.pb").write_text("b")
    assert make_plan(config, store)["trainer_dense"].fingerprint != plan["trainer_dense"].fingerprint


@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        ("7", r"`trainer\.warm_start` names version 7, which is not in service in .*There are: 5\."),
        (
            "missing",
            r"`trainer\.warm_start` is '.*missing', which holds no saved_model\.pb\. Name a version",
        ),
    ],
)
def test_plan_refuses_a_warm_start_that_is_not_there(store, start, sentence):
    push(store, 5, None)
    with pytest.raises(SettingsError, match=sentence):
        make_plan(load_config(None, [f"trainer.warm_start={start}"]), store)


def test_references_are_loaded_as_the_component_takes_them(store, tmp_path):
    folder = finish(store, Schema, "schema_gen", "ab")
    assert LastBlessed("schema_gen", Schema, "crossnet").load(folder) == Schema.load(folder)
    assert ServedModel(tmp_path).load(tmp_path / "7") == tmp_path / "7"
    assert WarmStart("7", tmp_path).load(tmp_path / "7") == tmp_path / "7"


def blessed_model(store, number, rmse, fingerprint):
    models = {"cross_layer": {"eval_rmse": rmse}, "mean_predictor": {"eval_rmse": 1.0}}
    steps = {"trainer_cross_layer": {"fingerprint": fingerprint}}
    run = {"run": str(number), "number": number, "verdict": "BLESSED", "champion": "cross_layer"}
    write_json(store.new_run(str(number)) / "run.json", {**run, "models": models, "steps": steps})
    with store.working_folder("trainer_cross_layer") as folder:
        (folder / "Format-Serving").mkdir()
        (folder / "Format-Serving" / "saved_model.pb").write_text(fingerprint)
        facts = {"inputs": {}, "params": {"model": {"model_name": "crossnet"}}}
        store.finish(Model(folder), "trainer_cross_layer", fingerprint, facts)


def anchor_of(store, *settings):
    return make_plan(load_config(None, [*settings]), store)["evaluator"].references["anchor"]


def test_plan_compares_with_the_best_blessed_model_that_is_not_its_own(store):
    assert anchor_of(store) is None
    own = make_plan(load_config(), store)["trainer_cross_layer"].fingerprint
    blessed_model(store, 1, 0.2, "good")
    blessed_model(store, 2, 0.3, "worse")
    before = make_plan(load_config(), store)["evaluator"]
    artifact = store.artifact_path("trainer_cross_layer", "good")
    assert before.references["anchor"] == artifact / "Format-Serving"
    assert before.parts["references"]["anchor"] == "good"
    blessed_model(store, 3, 0.1, own)  # the run of this very plan
    assert make_plan(load_config(), store)["evaluator"].fingerprint == before.fingerprint


def test_plan_compares_with_the_best_as_it_is_in_service(store):
    blessed_model(store, 1, 0.2, "good")
    version = push(store, 5, "good")
    assert anchor_of(store) == version
    version.rename(version.with_name("5.rolled_back"))
    assert anchor_of(store) is None


def test_plan_compares_with_the_next_best_where_the_best_is_damaged(store):
    blessed_model(store, 1, 0.2, "good")
    blessed_model(store, 2, 0.3, "worse")
    (store.artifact_path("trainer_cross_layer", "good") / "Format-Serving" / "saved_model.pb").write_text("?")
    assert anchor_of(store).parent.name == "worse"


def test_plan_compares_with_the_version_that_is_named(store):
    blessed_model(store, 1, 0.2, "good")
    version = push(store, 5, None)
    assert anchor_of(store, "evaluator.anchor=5") == version
    with pytest.raises(SettingsError, match=r"`evaluator.anchor` names version 7, which is not in .*There are: 5\."):
        anchor_of(store, "evaluator.anchor=7")
    with pytest.raises(SettingsError, match=r"`evaluator.anchor` is 'bset'. Expected best, or a version in service"):
        anchor_of(store, "evaluator.anchor=bset")
    assert "anchor" not in make_plan(load_config(None, ["evaluator.total_margin=none"]), store)["evaluator"].references


def test_why_shows_the_models_that_candidates_are_compared_with(store):
    def lines(*settings):
        return [*chain(make_plan(load_config(None, [*settings]), store)["evaluator"], store)]

    assert lines() == []
    blessed_model(store, 1, 0.2, "good")
    blessed_model(store, 2, 0.3, "worse")
    push(store, 5, "worse")
    good = ": blessed in run 1 with eval rmse 0.2, 20 % of the mean predictor's"
    worse = "  version 5, in service: blessed in run 2 with eval rmse 0.3, 30 % of the mean predictor's"
    assert lines() == ["Candidates are compared with", worse, f"  Model good, the best{good}"]
    push(store, 6, "good")
    assert lines() == ["Candidates are compared with", f"  version 6, in service, the best{good}"]
    push(store, 7, None)
    assert lines("evaluator.anchor=7")[1] == (
        "  version 7, in service, which evaluator.anchor names: no run of this root has blessed it"
    )
