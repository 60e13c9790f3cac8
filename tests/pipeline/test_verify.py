"""Verifies a real run of the steps that need no TensorFlow, and versions beside it."""

import shutil

import pytest

from crossnet.components.artifacts.integrity import Damage
from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.errors import MissingArtifactError
from crossnet.components.files import folder_checksum, read_json, write_json
from crossnet.pipeline import runner
from crossnet.pipeline.config import load_config
from crossnet.pipeline.runner import run_pipeline
from crossnet.pipeline.store import Store
from crossnet.pipeline.verify import describe, set_aside_damaged, verify
from crossnet.pipeline.wholeness import set_aside

SHARD = "Split-eval/data_tfrecord-00000-of-00001"


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A run of three steps, a Model, its version 7, and a version 8 that was put there by hand."""
    monkeypatch.setattr(runner, "_write_pages", lambda *arguments: None)
    store = Store(tmp_path / "root")
    run_pipeline(load_config(None, ["example_gen.num_examples=300"]), store.root, name="one", until="schema_gen")
    with store.working_folder("trainer_dense") as folder:
        (folder / "Format-Serving" / "variables").mkdir(parents=True)
        (folder / "Format-Serving" / "saved_model.pb").write_text("model")
        (folder / "Format-Serving" / "variables" / "variables.index").write_text("index")
        model = store.finish(Model(folder), "trainer_dense", "0" * 16, {})
    versions = store.serving_models / "crossnet"
    shutil.copytree(model / "Format-Serving", versions / "7")
    (versions / "8").mkdir()
    (versions / "8" / "saved_model.pb").write_text("by hand")
    facts = {"version": 7, "model": model.name, "checksum": folder_checksum(versions / "7")}
    write_json(versions / "7.json", facts)
    with store.working_folder("pusher") as folder:
        properties = {"destination": str(versions / "7"), "model": model.name}
        store.finish(PushedModel(folder, {}, properties), "pusher", "1" * 16, {})
    return store


def found(store, **options):
    return [(path.relative_to(store.root).as_posix(), damage) for path, damage in verify(store, **options).damaged]


def artifact(store, step):
    return store.root / store.read_run().steps[step].artifact


def test_verify_hashes_a_runs_artifacts_and_what_is_in_service(store):
    result = verify(store)
    assert (result.artifacts, result.versions, result.records) == (3, 2, 0)
    assert result.size > 10_000
    assert (result.damaged, result.set_aside) == ([], [])
    assert result.unverifiable == [store.serving_models / "crossnet" / "8"]
    everything = verify(store, everything=True)
    assert (everything.artifacts, everything.versions, everything.records) == (5, 2, 1)
    with pytest.raises(MissingArtifactError, match="No run `two` in"):
        verify(store, "two")


def test_verify_finds_a_flipped_bit_in_a_shard(store):
    shard = artifact(store, "example_gen") / SHARD
    content = bytearray(shard.read_bytes())
    content[100] ^= 1
    shard.write_bytes(content)
    ((path, damage),) = found(store)
    assert path == store.read_run().steps["example_gen"].artifact
    assert (damage.file, damage.found[:11]) == (SHARD, "has SHA-256")


def test_verify_names_an_artifact_of_the_run_that_is_gone(store):
    set_aside(artifact(store, "schema_gen"))
    damage = Damage("artifact.json", "is not there", "the record of the artifact")
    assert found(store) == [(store.read_run().steps["schema_gen"].artifact, damage)]
    assert [path.name[:9] for path in verify(store).set_aside] == [".damaged-"]


def test_verify_names_the_damaged_file_of_a_version_where_its_model_is_whole(store):
    index = store.serving_models / "crossnet" / "7" / "variables" / "variables.index"
    index.write_text("inde")
    version = "serving_models/crossnet/7"
    assert found(store) == [(version, Damage("variables/variables.index", "has 4 bytes", "5 bytes"))]
    (store.artifacts / "trainer_dense" / ("0" * 16) / "Format-Serving" / "saved_model.pb").unlink()
    ((path, damage),) = found(store)
    assert (path, damage.file, damage.expected.endswith("…, which was pushed")) == (version, "./", True)


def test_verify_of_everything_finds_damaged_records_and_artifacts_of_other_runs(store):
    model = store.artifacts / "trainer_dense" / ("0" * 16)
    (model / "artifact.json").unlink()
    (store.runs / "two").mkdir()
    (store.runs / "two" / "run.json").write_text("{")
    assert found(store) == []
    assert [(path, damage.file) for path, damage in found(store, everything=True)] == [
        ("runs/two", "run.json"),
        (f"artifacts/trainer_dense/{model.name}", "artifact.json"),
    ]


def test_verify_says_what_holds_no_checksums(store):
    file = artifact(store, "schema_gen") / "artifact.json"
    facts = read_json(file)
    write_json(file, {name: facts[name] for name in facts.keys() - {"files", "folders", "seal"}})
    result = verify(store)
    assert (result.damaged, len(result.unverifiable)) == ([], 2)
    assert list(describe(result, store))[-1] == "2 folders could not be verified: no checksum was kept."


def test_what_is_set_aside_is_made_again_by_the_next_run(store):
    shard = artifact(store, "example_gen") / SHARD
    before = shard.read_bytes()
    shard.write_bytes(before[:-1] + b"?")
    result = verify(store)
    (aside,) = set_aside_damaged(store, result)
    assert aside.name == f".damaged-{shard.parent.parent.name}"
    again = run_pipeline(load_config(None, ["example_gen.num_examples=300"]), store.root, until="schema_gen")
    assert [step.status for step in again.steps.values()] == ["ran", "reused", "reused"]
    assert shard.read_bytes() == before
    assert verify(store).damaged == []
