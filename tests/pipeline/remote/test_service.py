"""Tests serving from a root in a store, a rollback there, and the whole walk from rows to predictions beside S3."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from crossnet.components.errors import PipelineError
from crossnet.pipeline.cli import cli
from crossnet.pipeline.remote import places
from crossnet.pipeline.remote.service import flags_for, roll_back_there
from crossnet.pipeline.store import Store
from crossnet.serving.config.flags import ServerFlags, split_flags
from crossnet.serving.storage.folder import StoreError, StoreFolder
from support.s3_server import needs_s3


def push(store, number, model="rides"):
    folder = store.serving_models / model
    (folder / f"{number}" / "variables").mkdir(parents=True)
    for name in ("variables/variables.index", "saved_model.pb"):
        (folder / f"{number}" / name).write_text(f"{name} {number}")
    (folder / f"{number}.json").write_text(json.dumps({"model": "f1"}))


def there(uri):
    return sorted(path for path in StoreFolder(uri).entries(deep=True) or {} if not path.startswith(".claims"))


def test_a_server_is_told_where_the_models_are_in_the_store(uri, machine):
    store = machine()
    with pytest.raises(PipelineError, match=r"^There is not a model in `.*/serving_models` yet\. Push one with"):
        flags_for(store.remote, ["--port=0"])
    with store.locked():
        push(store, 1)
    place, _, query = uri.partition("?")
    path = f"{place}/serving_models/rides" + (f"?{query}" if query else "")
    assert flags_for(store.remote, ["--port=0"]) == ["--model_name=rides", f"--model_base_path={path}", "--port=0"]
    named = flags_for(store.remote, ["--model_name=rides"])
    assert named == [f"--model_base_path={path}", "--model_name=rides"]
    own = ["--model_base_path=/models/rides"]
    assert flags_for(store.remote, own) == own


def test_a_server_of_several_models_reads_a_list_of_them(machine):
    store = machine()
    with store.locked():
        push(store, 1), push(store, 1, "zones")
    (flag,) = flags_for(machine().remote, [])
    from crossnet.serving.config.messages import model_server_config, read_config

    listed = read_config(split_flags([flag])["model_config_file"], model_server_config()).model_config_list.config
    assert [entry.name for entry in listed] == ["rides", "zones"]
    assert listed[1].base_path.partition("?")[0].endswith("/serving_models/zones")


def test_a_rollback_takes_a_version_out_in_the_store_and_for_all_machines(uri, machine):
    one = machine()
    with one.locked():
        push(one, 1), push(one, 2)
    two = machine()
    done = roll_back_there(two, two.serving_models / "rides", "bad")
    assert (done.removed, done.restored) == (2, 1)
    below = [path.removeprefix("serving_models/rides/") for path in there(uri)]
    assert [path for path in below if path.startswith("2")] == [
        "2.json",
        "2.rolled_back/saved_model.pb",
        "2.rolled_back/variables/variables.index",
    ]
    three = machine().serving_models / "rides"
    assert json.loads((three / "2.json").read_text())["rolled_back"]["reason"] == "bad"
    assert sorted(path.name for path in three.iterdir() if path.is_dir()) == ["1", "2.rolled_back"]


def test_a_rollback_that_the_store_does_not_take_changes_nothing_and_can_be_called_again(uri, machine, monkeypatch):
    one = machine()
    with one.locked():
        push(one, 1), push(one, 2)
    before = there(uri)

    def fails(self, name):
        if name.startswith("serving_models"):
            raise StoreError("`s3://b` cannot be written: no.")
        return remove(self, name)

    remove, two = StoreFolder.remove, machine()
    with monkeypatch.context() as patch:
        patch.setattr(StoreFolder, "remove", fails)
        sentence = r"^`s3://b` cannot be written: no\. Version 2 may still be in service: look whether `.*/rides/2` is"
        with pytest.raises(PipelineError, match=sentence):
            roll_back_there(two, two.serving_models / "rides")
    assert there(uri) == before
    again = Store(two.root)
    assert roll_back_there(again, again.serving_models / "rides").removed == 2
    assert machine().serving_models.joinpath("rides", "2").exists() is False


@needs_s3
@pytest.mark.slow
def test_rows_become_predictions_with_nothing_but_a_bucket_between_the_machines(server, tmp_path, monkeypatch):
    """One machine trains and pushes, a second finds all done, a third serves, a fourth takes the version out."""
    from crossnet.serving.client import PredictionClient
    from crossnet.serving.server import Server

    bucket = server.bucket()
    root = bucket.uri("rides")
    config = tmp_path / "rides.toml"
    config.write_text(
        'models = ["cross_layer"]\nexample_gen.num_examples = 400\nexample_gen.num_shards = 2\n'
        "example_gen.test_fraction = 0.2\ntrainer.epochs = 3\ntrainer.batch_size = 50\nevaluator.max_rmse = 9.0\n"
        'evaluator.min_improvement = "none"\nevaluator.max_mean_ratio = "none"\nevaluator.max_linear_ratio = "none"\n'
    )

    def on_machine(name, *arguments):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))
        monkeypatch.setattr(places, "_roots", {})
        return CliRunner().invoke(cli, [*arguments, "--root", root])

    def copy_of(name):
        (folder,) = (tmp_path / name / "crossnet" / "roots").iterdir()
        return folder

    def address(serving):
        return "--target", f"127.0.0.1:{serving.port}", "--wait", "20"

    first = on_machine("one", "run", "--config", str(config))
    assert first.exit_code == 0, first.output
    made = bucket.files("rides")
    (pushed,) = [path for path in made if "/serving_models/" in path and path.endswith("saved_model.pb")]
    assert any("data_tfrecord-00001-of-00002" in path for path in made)
    assert [path for path in made if "/.tmp-" in path] == []

    again = on_machine("two", "run", "--config", str(config), "--json")
    assert again.exit_code == 0, again.output
    steps = json.loads(again.stdout)["steps"]
    assert {name for name, step in steps.items() if step["status"] == "ran"} <= {"pusher"}  # whose path is another
    scores = on_machine("two", "evaluate", "--json")
    assert json.loads(scores.stdout)["rows"] == 80

    monkeypatch.setattr(places, "_roots", {})
    remote = places.remote_of(places.folder_of(root))
    given = split_flags(flags_for(remote, []))
    flags = ServerFlags(
        port=0,
        model_name=given["model_name"],
        model_base_path=given["model_base_path"],
        model_cache_dir=str(tmp_path / "served"),
    )
    with Server(flags) as serving, PredictionClient(f"127.0.0.1:{serving.port}", model_name="crossnet") as client:
        answer = client.predict({"x0": [0.5], "x1": [0.5], "x2": [0.5]})
        assert answer.outputs["prediction"].shape == (1,)
        (tmp_path / "rows.jsonl").write_text('{"x0": 0.5, "x1": 9e9, "x2": 0.5}\n')
        asked = on_machine("three", "predict", "--rows", str(tmp_path / "rows.jsonl"), *address(serving))
        assert asked.exit_code == 0, asked.output
        assert "has a number beyond those of training" in " ".join(asked.output.split())
        assert [path.name for path in copy_of("three").iterdir() if path.is_dir()] == ["serving_models"]

    compared = on_machine("four", "compare", "--config", str(config), "--seeds", "1")
    assert compared.exit_code == 0, compared.output
    (table,) = [path for path in bucket.files("rides/compare") if path.endswith("compare.txt")]
    exported = on_machine("five", "export", "--format", "tflite", "--output", str(tmp_path / "model.tflite"))
    assert exported.exit_code == 0, exported.output
    assert "Evaluator's predictions for" in exported.output
    assert [path.parent.name for path in copy_of("five").glob("compare/*/compare.txt")] == [table.split("/")[-2]]

    refused = on_machine("four", "rollback")
    assert refused.exit_code == 1
    assert "is the last one of `crossnet` in service" in " ".join(refused.output.split())
    done = on_machine("four", "rollback", "--yes", "--reason", "a walk")
    assert done.exit_code == 0, done.output
    left = [path for path in bucket.files("rides/serving_models") if path.endswith("saved_model.pb")]
    assert left == [pushed.replace("/saved_model.pb", ".rolled_back/saved_model.pb")]


@needs_s3
@pytest.mark.slow
def test_a_search_goes_on_on_another_machine(server, tmp_path, monkeypatch):
    root = server.bucket().uri("rides")
    config = tmp_path / "rides.toml"
    config.write_text(
        'models = ["cross_layer"]\nexample_gen.num_examples = 300\ntrainer.epochs = 3\ntrainer.batch_size = 50\n'
        "trainer.early_stopping_patience = 3\n"
    )

    def on_machine(name, trials):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))
        monkeypatch.setattr(places, "_roots", {})
        done = CliRunner().invoke(
            cli, ["tune", "--config", str(config), "--root", root, "--trials", str(trials), "--json"]
        )
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)["trials"], done.stderr

    first, _ = on_machine("one", 1)
    both, said = on_machine("two", 2)
    assert "1 configuration was tried before." in said
    assert (both[0], len(both)) == (first[0], 2)
    again, said = on_machine("one", 2)
    assert again == both
    assert "2 configurations were tried before." in said
