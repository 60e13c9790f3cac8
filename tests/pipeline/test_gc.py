import dataclasses

import pytest

from crossnet.components.artifacts.anomalies import Anomalies
from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.files import write_json
from crossnet.pipeline import gc, notices
from crossnet.pipeline.gc import collect_garbage
from crossnet.pipeline.run_record import StepRecord
from crossnet.pipeline.store import Store
from crossnet.pipeline.wholeness import set_aside
from support.damage import DAMAGES


@pytest.fixture(autouse=True)
def _begin_anew():
    notices.forget()


@pytest.fixture
def store(tmp_path):
    """Three runs, each with its own examples, model and evaluation; only the first is blessed, pushed and served."""
    store = Store(tmp_path)
    for number in range(3):
        steps = {}
        parents = {}
        for step, kind in (("example_gen", Examples), ("trainer_dense", Model), ("evaluator", Evaluation)):
            fingerprint = f"{step}-{number}"
            with store.working_folder(step) as folder:
                store.finish(kind(folder), step, fingerprint, {"inputs": dict(parents)})
            parents[step] = fingerprint
            steps[step] = {"fingerprint": fingerprint}
        if number == 0:
            with store.working_folder("pusher") as folder:
                facts = {"model": "trainer_dense-0", "destination": str(tmp_path / "outside" / "crossnet" / "7")}
                store.finish(PushedModel(folder, {}, facts), "pusher", "p", {"inputs": {"e": "evaluator-0"}})
        run = {"run": str(number), "started": f"2026-01-0{number + 1}", "steps": steps, "verdict": "NOT_BLESSED"}
        write_json(store.new_run(str(number)) / "run.json", run)
    folder = store.serving_models / "crossnet"
    (folder / "7").mkdir(parents=True)
    write_json(folder / "7.json", {"version": 7, "model": "trainer_dense-0"})
    return store


def names(store):
    return sorted(path.name for path in store.artifacts.glob("*/*"))


def test_gc_keeps_the_newest_runs_and_what_is_in_service_with_its_lineage(store):
    removed, size = collect_garbage(store, keep=1)
    assert sorted(path.name for path in removed) == ["evaluator-1", "example_gen-1", "trainer_dense-1"]
    assert size > 0
    assert names(store) == [
        *("evaluator-0", "evaluator-2", "example_gen-0", "example_gen-2"),
        *("p", "trainer_dense-0", "trainer_dense-2"),
    ]


def test_gc_keeps_what_is_in_service_outside_the_root(store, tmp_path):
    (tmp_path / "outside").mkdir()
    (store.serving_models / "crossnet").rename(tmp_path / "outside" / "crossnet")
    removed, _ = collect_garbage(store, keep=1)
    assert sorted(path.name for path in removed) == ["evaluator-1", "example_gen-1", "trainer_dense-1"]


def test_gc_keeps_what_a_kept_step_was_compared_with(store):
    with store.working_folder("example_validator") as folder:
        facts = {"inputs": {}, "references": {"previous_statistics": "example_gen-1", "previous_schema": None}}
        store.finish(Anomalies(folder), "example_validator", "v", facts)
    run = store.read_run("2")
    steps = {**run.steps, "example_validator": StepRecord(fingerprint="v")}
    dataclasses.replace(run, steps=steps).write(store.runs / "2")
    removed, _ = collect_garbage(store, keep=1)
    assert sorted(path.name for path in removed) == ["evaluator-1", "trainer_dense-1"]


def test_gc_keeps_the_later_runs_also_where_the_clock_was_set_back(store):
    for name, number in (("0", 3), ("1", 2), ("2", 1)):
        dataclasses.replace(store.read_run(name), number=number).write(store.runs / name)
    removed, _ = collect_garbage(store, keep=1)
    assert sorted(path.name for path in removed) == [
        *("evaluator-1", "evaluator-2", "example_gen-1", "example_gen-2", "trainer_dense-1", "trainer_dense-2")
    ]


def test_gc_dry_run_removes_nothing(store):
    before = names(store)
    removed, _ = collect_garbage(store, keep=1, dry_run=True)
    assert len(removed) == 3
    assert names(store) == before


def test_gc_keeps_the_last_blessed_run(store):
    dataclasses.replace(store.read_run("1"), verdict="BLESSED").write(store.runs / "1")
    assert collect_garbage(store, keep=1)[0] == []


@pytest.mark.parametrize(("newest", "removed"), [("trips", 0), ("rides", 3)])
def test_gc_keeps_the_last_blessed_run_of_each_model(store, newest, removed):
    for run, model in (("1", "rides"), ("2", newest)):
        dataclasses.replace(store.read_run(run), verdict="BLESSED", model_name=model).write(store.runs / run)
    assert len(collect_garbage(store, keep=1)[0]) == removed


def test_gc_keeps_checkpoints_of_models_that_are_not_finished(store):
    for name in ("trainer_dense-2", "unfinished"):
        (store.checkpoints / name).mkdir(parents=True)
    removed, _ = collect_garbage(store, keep=3)
    assert [path.name for path in removed] == ["trainer_dense-2"]
    assert (store.checkpoints / "unfinished").exists()


def test_gc_leaves_alone_what_this_program_did_not_make(store):
    foreign = store.artifacts / "photos" / "2025"
    foreign.mkdir(parents=True)
    (foreign / "cat.jpg").write_text("cat")
    (store.artifacts / "notes").mkdir()
    (store.artifacts / "notes" / "todo.txt").write_text("milk")
    removed, _ = collect_garbage(store, keep=1)
    assert sorted(path.name for path in removed) == ["evaluator-1", "example_gen-1", "trainer_dense-1"]
    assert (foreign / "cat.jpg").exists()


def test_gc_keeps_what_is_in_service_where_its_record_cannot_be_read(store, tmp_path):
    (tmp_path / "outside").mkdir()
    (store.serving_models / "crossnet").rename(tmp_path / "outside" / "crossnet")
    (tmp_path / "outside" / "crossnet" / "7.json").write_text("")
    removed, _ = collect_garbage(store, keep=1)
    assert sorted(path.name for path in removed) == ["evaluator-1", "example_gen-1", "trainer_dense-1"]


@pytest.mark.parametrize("damage", [DAMAGES["empty"], DAMAGES["folder"]], ids=["empty", "folder"])
def test_gc_keeps_what_the_links_of_an_unreadable_run_point_to(store, damage, capsys):
    damage.apply(store.runs / "1" / "run.json")
    (store.runs / "1" / "trainer_dense").symlink_to("../../artifacts/trainer_dense/trainer_dense-1")
    removed, _ = collect_garbage(store, keep=1)
    assert [path.name for path in removed] == ["evaluator-1"]
    assert "trainer_dense-1" in names(store)
    assert "example_gen-1" in names(store), "what it was made from stays too"
    assert capsys.readouterr().err.startswith("Skipped a run: ")


@pytest.mark.parametrize(
    "file",
    [
        "runs/1/run.json",  # without links
        "artifacts/evaluator/evaluator-2/artifact.json",
        "artifacts/pusher/p/artifact.json",
        "serving_models/crossnet/7.json",
    ],
)
def test_gc_removes_nothing_while_it_cannot_read_what_must_stay(store, file, capsys):
    before = names(store)
    DAMAGES["half"].apply(store.root / file)
    assert collect_garbage(store, keep=1) == ([], 0)
    assert names(store) == before
    assert f"Nothing is removed while it is not known what must stay: `{store.root / file}` " in capsys.readouterr().err


def test_gc_removes_an_unreadable_artifact_that_no_record_needs(store):
    DAMAGES["half"].apply(store.artifacts / "evaluator" / "evaluator-1" / "artifact.json")
    removed, _ = collect_garbage(store, keep=1)
    assert "evaluator-1" in [path.name for path in removed]


def test_artifact_that_is_half_removed_when_gc_is_stopped_is_no_longer_an_artifact(store, monkeypatch):
    def stopped(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(gc.shutil, "rmtree", stopped)
    with pytest.raises(KeyboardInterrupt):
        collect_garbage(store, keep=1)
    assert not store.is_finished("evaluator", "evaluator-1")
    monkeypatch.undo()
    with store.locked():
        assert ".tmp-removed-evaluator-1" not in names(store)


def test_gc_removes_what_was_set_aside_as_damaged(store):
    aside = set_aside(store.artifact_path("evaluator", "evaluator-2"))
    removed, size = collect_garbage(store, keep=3)
    assert (removed, size > 0) == ([aside], True)
    assert not aside.exists()


def test_gc_keeps_the_best_blessed_model_of_each_name(store):
    facts = {"inputs": {}, "params": {"model": {"model_name": "crossnet"}}}
    with store.working_folder("trainer_dense") as folder:
        store.finish(Model(folder), "trainer_dense", "best", facts)
    models = {"dense": {"eval_rmse": 0.1}, "mean_predictor": {"eval_rmse": 1.0}}
    for name, fingerprint, rmse in (("0", "best", 0.1), ("1", "trainer_dense-1", 0.2)):
        run = store.read_run(name)
        models = {"dense": {"eval_rmse": rmse}, "mean_predictor": {"eval_rmse": 1.0}}
        steps = {**run.steps, "trainer_dense": StepRecord(fingerprint=fingerprint)}
        found = dataclasses.replace(run, verdict="BLESSED", champion="dense", models=models, steps=steps)
        found.write(store.runs / name)
    removed, _ = collect_garbage(store, keep=1)
    assert removed == []  # run 1 is the last blessed one
    dataclasses.replace(store.read_run("2"), verdict="BLESSED").write(store.runs / "2")
    assert "best" not in [path.name for path in collect_garbage(store, keep=1)[0]]
    rolled = store.serving_models / "crossnet" / "6.rolled_back"
    rolled.mkdir()
    write_json(rolled.parent / "6.json", {"version": 6, "model": "best"})
    with store.working_folder("trainer_dense") as folder:
        store.finish(Model(folder), "trainer_dense", "other", facts)
    assert "other" in [path.name for path in collect_garbage(store, keep=1)[0]]
