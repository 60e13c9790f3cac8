"""Damages finished artifacts of real runs and sees the next run repair them."""

import os

import pytest

from crossnet.components.files import folder_checksum
from crossnet.components.pusher import versions_in_service
from crossnet.pipeline.config import load_config
from crossnet.pipeline.runner import run_pipeline
from crossnet.pipeline.store import Store
from crossnet.serving.client import PredictionClient
from crossnet.serving.launcher import running_server
from support.serving_fixtures import wait_until

SETTINGS = (
    "example_gen.num_examples=600",
    'models=["cross_layer", "dense"]',
    "trainer.epochs=3",
    "trainer.batch_size=100",
    "evaluator.max_rmse=9",
    "evaluator.min_improvement=none",
    "evaluator.max_mean_ratio=none",
    "evaluator.max_linear_ratio=none",
)
SHARD = "Split-train/data_tfrecord-00000-of-00001"
# A file of each step's artifact, one that later steps read.
FILES = {
    "example_gen": SHARD,
    "statistics_gen": "Split-train/FeatureStats.pb",
    "schema_gen": "schema.pbtxt",
    "example_validator": "anomalies.json",
    "trainer_cross_layer": "Format-Serving/variables/variables.data-00000-of-00001",
    "trainer_dense": "history.json",
    "evaluator": "predictions/cross_layer.npy",
    "infra_validator": "report.json",
    "pusher": "pushed.json",
}


def run(root, *settings, **options):
    return run_pipeline(load_config(None, [*SETTINGS, *settings]), root, **options)


def statuses(result):
    return {name: step.status for name, step in result.steps.items()}


def flip(file):
    """Changes one bit in the middle; the size stays."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def cut(file):
    os.truncate(file, file.stat().st_size - 1)


def add(file):
    file.with_name("extra").write_text("not ours")


CHANGES = {"flip": flip, "cut": cut, "remove": lambda file: file.unlink(), "add": add}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root with one pushed model; every test leaves it whole."""
    root = tmp_path_factory.mktemp("rot") / "root"
    assert run(root).exit_code == 0
    return root


@pytest.fixture
def pushed(root):
    """Checks, at the end, that the same content is in service as before, and that there is nothing to do."""
    folder = root / "serving_models" / "crossnet"
    before = {version: folder_checksum(path) for version, path in versions_in_service(folder).items()}
    yield before
    assert {version: folder_checksum(path) for version, path in versions_in_service(folder).items()} == before
    assert run(root).up_to_date


def damage(root, step, change):
    """Damages the newest artifact of a step; returns its folder."""
    path = root / Store(root).read_run().steps[step].artifact
    CHANGES[change](path / FILES[step])
    return path


@pytest.mark.parametrize("change", ["flip", *(pytest.param(name, marks=pytest.mark.slow) for name in [*CHANGES][1:])])
@pytest.mark.usefixtures("pushed")
def test_run_makes_every_damaged_artifact_again_and_serves_the_same(root, change):
    wanted = {step for step in FILES if (step, change) != ("example_gen", "flip")}  # a flip in a shard shows on reading
    for step in wanted:
        damage(root, step, change)
    result = run(root)
    assert (result.exit_code, result.error) == (0, None)
    assert {name for name, status in statuses(result).items() if status == "ran"} == wanted
    for step in wanted:
        assert any(f"The artifact of `{step}` was damaged: `" in sentence for sentence in result.warnings)
        assert list((root / "artifacts" / step).glob(".damaged-*"))


def in_service(root):
    return versions_in_service(root / "serving_models" / "crossnet")


def test_run_pushes_a_version_again_that_was_damaged_in_service(root):
    (version, path), *_ = in_service(root).items()
    before = folder_checksum(path)
    flip(path / "saved_model.pb")
    result = run(root)
    assert {name for name, status in statuses(result).items() if status == "ran"} == {"pusher"}
    assert result.warnings[0].startswith(f"Version {version} of `crossnet`, which is in service, is damaged: ")
    ((newest, new_path),) = in_service(root).items()
    assert newest == result.pushed_version > version
    assert folder_checksum(new_path) == before
    assert (path.parent / f"{version}.damaged").is_dir()
    assert run(root).up_to_date


def test_run_makes_the_model_again_where_its_artifact_and_its_version_are_both_damaged(root):
    (version, path), *_ = in_service(root).items()
    before = folder_checksum(path)
    flip(path / "saved_model.pb")
    damage(root, "trainer_cross_layer", "cut")
    result = run(root)
    assert {name for name, status in statuses(result).items() if status == "ran"} == {"trainer_cross_layer", "pusher"}
    ((newest, new_path),) = in_service(root).items()
    assert newest > version
    assert folder_checksum(new_path) == before
    assert run(root).up_to_date


def test_run_says_that_what_is_in_service_is_damaged_where_it_pushes_nothing(root):
    (version, path), *_ = in_service(root).items()
    whole = (path / "saved_model.pb").read_bytes()
    flip(path / "saved_model.pb")
    for up_to_date in (False, True):
        result = run(root, "evaluator.max_rmse=1e-12")
        assert (result.exit_code, result.up_to_date) == (3, up_to_date)
        assert f"Version {version} of `crossnet`, which is in service, is damaged" in result.warnings[0]
    (path / "saved_model.pb").write_bytes(whole)
    assert run(root).exit_code == 0


@pytest.mark.slow
def test_a_polling_server_goes_over_to_the_version_that_replaces_a_damaged_one(root):
    (version, path), *_ = in_service(root).items()
    rows = {"x0": [0.5, 1.0], "x1": [0.2, 0.0], "x2": [0.1, 0.5]}
    with (
        running_server(path.parent, "crossnet", server="embedded", timeout_seconds=60) as server,
        PredictionClient(server.target, model_name="crossnet") as client,
    ):
        before = client.predict(rows)
        assert before.version == version
        flip(path / "variables" / "variables.data-00000-of-00001")
        result = run(root)
        wait_until(lambda: client.predict(rows).version == result.pushed_version, seconds=30)
        assert client.predict(rows).values.tolist() == before.values.tolist()
    assert list(in_service(root)) == [result.pushed_version]
