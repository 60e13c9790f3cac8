"""Tests a root in a store: what two machines see of each other's work, and what stands where one of them breaks off.

The store is a folder behind a `file://` URI and, in `make scale`, a bucket of an S3 server.
"""

from __future__ import annotations

import shutil

import pytest

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.errors import PipelineError
from crossnet.pipeline.remote import places
from crossnet.pipeline.remote.root import RemoteRoot
from crossnet.pipeline.run_record import RunRecord, StepRecord
from crossnet.pipeline.store import Store
from crossnet.serving.storage.folder import StoreError, StoreFolder

ROWS = "Split-train/data_tfrecord-00000-of-00001"


def make_examples(store, fingerprint="f1", rows="rows"):
    with store.working_folder("example_gen") as folder:
        (folder / "Split-train").mkdir()
        (folder / ROWS).write_text(rows)
        return store.finish(Examples(folder, {"train": 1}, {"label": "y"}), "example_gen", fingerprint, {"inputs": {}})


def make_model(store):
    with store.working_folder("trainer_dense") as folder:
        (folder / "Format-Serving" / "assets").mkdir(parents=True)  # empty, as TensorFlow leaves it
        (folder / "Format-Serving" / "saved_model.pb").write_text("graph")
        return store.finish(Model(folder, {}, {}), "trainer_dense", "f2", {"inputs": {}})


def make_run(store, name="a"):
    folder = store.new_run(name)
    record = StepRecord(status="ran", artifact="artifacts/example_gen/f1", fingerprint="f1")
    RunRecord(run=name, number=1, root=str(store.root), steps={"example_gen": record}).write(folder)
    return folder


def there(uri):
    return sorted(path for path in StoreFolder(uri).entries(deep=True) or {} if not path.startswith(".claims"))


def test_another_machine_sees_what_was_made_and_fetches_rows_when_they_are_read(uri, machine):
    one = machine()
    with one.locked():
        make_examples(one), make_model(one), make_run(one)
    two = machine()
    path = two.artifact_path("example_gen", "f1")
    assert [*two.run_records()] == ["a"]
    assert (two.runs / "a" / "example_gen").resolve() == path
    assert two.is_finished("example_gen", "f1")
    assert not (path / ROWS).exists()
    assert two.checks.damage(path, shards=False) == []  # their size is known
    assert not (path / ROWS).exists()
    assert two.checks.damage(two.artifact_path("trainer_dense", "f2")) == []
    assert two.fetch_rows(path)
    assert (path / ROWS).read_text() == "rows"
    assert not two.fetch_rows(path)
    assert two.checks.damage(path) == []


def test_an_artifact_is_there_as_soon_as_it_is_finished_and_its_record_is_last(uri, machine, monkeypatch):
    put, upload = [], StoreFolder.upload
    monkeypatch.setattr(StoreFolder, "upload", lambda self, file, name: (put.append(name), upload(self, file, name)))
    one = machine()
    with one.locked():
        make_examples(one)
        assert put == [f"artifacts/example_gen/f1/{ROWS}", "artifacts/example_gen/f1/artifact.json"]
        assert machine().is_finished("example_gen", "f1")


def test_a_store_that_fails_before_the_record_leaves_nothing_finished_and_the_next_run_finishes(
    uri, machine, monkeypatch
):
    upload = StoreFolder.upload

    def fails(self, file, name):
        if name.endswith("artifact.json"):
            raise StoreError("`s3://b` cannot be written: no.")
        upload(self, file, name)

    one = machine()
    with monkeypatch.context() as patch:
        patch.setattr(StoreFolder, "upload", fails)
        with (
            pytest.raises(
                PipelineError, match=r"^`s3://b` cannot be written: no\. .*What was made is kept in `.*`, and"
            ),
            one.locked(),
        ):
            make_examples(one)
    assert there(uri) == [f"artifacts/example_gen/f1/{ROWS}"]
    assert not machine().is_finished("example_gen", "f1")
    with machine(one.root).locked():
        pass
    assert machine().is_finished("example_gen", "f1")


def test_a_comparison_is_seen_by_all_when_it_is_whole_and_a_folder_alone_can_be_fetched(machine):
    one = machine()
    (one.root / "compare" / "now" / ".tmp-work").mkdir(parents=True)
    (one.root / "compare" / "now" / "compare.json").write_text("{}")
    with one.locked():
        make_model(one)
    assert not (machine().root / "compare").exists()
    (one.root / "compare" / "now" / "compare.txt").write_text("table")
    one.remote.publish(kind="compare/now", removes=False)
    folder = machine().root / "compare" / "now"
    assert sorted(path.name for path in folder.iterdir()) == ["compare.json", "compare.txt"]
    two = machine(folder.parents[1])
    shutil.rmtree(one.artifacts)
    with machine(one.root).locked():
        shutil.rmtree(one.artifacts)
    (folder / "compare.json").unlink()
    two.remote.pull("compare/")
    assert (folder / "compare.json").exists()
    assert two.artifact_path("trainer_dense", "f2").exists()  # removed there, and not asked for


def test_what_is_removed_here_is_removed_there_and_on_other_machines(uri, machine):
    one = machine()
    with one.locked():
        path = make_examples(one)
        make_model(one)
    two = machine()
    with machine(one.root).locked():
        shutil.rmtree(path)
    assert there(uri) == [
        f"artifacts/trainer_dense/f2/{name}" for name in ("Format-Serving/saved_model.pb", "artifact.json")
    ]
    again = machine(two.root)
    assert not again.artifact_path("example_gen", "f1").exists()
    assert again.is_finished("trainer_dense", "f2")


def test_an_artifact_that_was_made_again_replaces_the_one_there(uri, machine):
    one = machine()
    with one.locked():
        path = make_examples(one)
        (path / "extra").touch()
    shutil.rmtree(path)
    again = machine(one.root)
    with again.locked():
        shutil.rmtree(path)
        make_examples(again, rows="other rows")
    assert "artifacts/example_gen/f1/extra" not in there(uri)
    two = machine()
    assert two.checks.damage(two.artifact_path("example_gen", "f1")) == []
    assert (two.artifact_path("example_gen", "f1") / ROWS).read_text() == "other rows"


def test_a_copy_that_lost_files_fetches_them_and_removes_nothing(uri, machine):
    one = machine()
    with one.locked():
        make_examples(one), make_model(one)
    before = there(uri)
    shutil.rmtree(one.artifacts)
    again = machine(one.root)
    with again.locked():
        assert again.is_finished("trainer_dense", "f2")
    assert there(uri) == before


def test_a_second_run_is_kept_out_and_different_steps_are_not(machine):
    one, two = machine(), machine()
    with one.locked("trainer_dense"):
        with two.locked("trainer_cross_layer"):
            pass
        with pytest.raises(PipelineError, match=r"^Another `trainer_dense` \(process "), two.locked():
            pass


def test_of_two_pushes_one_is_refused_and_a_version_is_whole_where_a_server_looks(uri, machine):
    one, two = machine(), machine()
    with one.locked():
        version = one.serving_models / "rides" / "12"
        version.mkdir(parents=True)
        (version / "saved_model.pb").write_text("graph")
        version.with_name("12.json").write_text('{"checksum": "0"}')
        with pytest.raises(PipelineError, match="^Another run"), two.locked():
            pass
        with one.working_folder("pusher") as folder:
            pushed = PushedModel(folder, {"pushed": 1}, {"destination": str(version), "version": 12})
            one.finish(pushed, "pusher", "f3", {"inputs": {}})
        assert {"serving_models/rides/12.json", "serving_models/rides/12/saved_model.pb"} <= set(there(uri))
    three = machine()
    record = three.artifact_path("pusher", "f3")
    shutil.rmtree(one.root)  # another machine, which has no such path
    assert PushedModel.load(record).destination == three.serving_models / "rides" / "12"


def test_a_store_that_is_not_there_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    uri = "s3://bucket/root?endpoint_override=127.0.0.1:1&scheme=http"
    monkeypatch.setitem(places._roots, tmp_path / "copy", RemoteRoot(uri, tmp_path / "copy"))
    with pytest.raises(PipelineError, match=r"^`s3://bucket/root` cannot be read: .* Check the store and the credenti"):
        Store(tmp_path / "copy")


def test_a_copy_that_cannot_be_written_is_one_sentence(uri, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "copy"
    monkeypatch.setitem(places._roots, folder, RemoteRoot(uri, folder))
    with pytest.raises(PipelineError, match=r"^Cannot keep the copy of `.*` in `.*/file/copy`: Not a directory\. Name"):
        Store(folder)
