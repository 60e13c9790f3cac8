"""Two processes run one trainer: what they make, and what they say when one of them is missing or lost."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest

from crossnet.components.artifacts.model import HISTORY_FILE, Model
from crossnet.components.errors import PipelineError, SettingsError
from crossnet.components.networks.exported import read_exported
from crossnet.components.training.checkpoints import CHECKPOINT_FILE
from crossnet.components.training.cluster import TF_CONFIG
from crossnet.pipeline.config import load_config
from crossnet.pipeline.helping_worker import cluster_of
from crossnet.pipeline.runner import run_pipeline, run_step
from support.arena import wait_until
from support.forked_commands import Commands, Watch
from support.s3_server import CREDENTIALS, needs_s3, s3_server
from support.training_workers import DATA, STEP, Workers, model_of, write_project


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    with Commands(tmp_path_factory.mktemp("commands")) as commands:
        yield commands


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    return write_project(tmp_path_factory.mktemp("project"))


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


@pytest.mark.slow
def test_two_workers_train_what_one_device_does_and_also_when_one_is_killed(commands, config, tmp_path):
    pair = Workers(commands, config)
    roots = {name: tmp_path / name for name in ("whole", "killed", "one")}
    for name, root in roots.items():
        pair.data(root, *(["--set", "trainer.strategy=one_device"] if name == "one" else []))
    # Without interruption; the second worker starts first and waits.
    before = files(roots["whole"])
    helper = pair.start(roots["whole"], 1)
    chief = pair.start(roots["whole"], 0, watch=Watch(under=(roots["whole"] / "checkpoints",)))
    assert chief.wait() == 0, chief.err
    assert helper.wait() == 0, helper.err
    assert "worker 1 of 2" in helper.err
    assert len(list((roots["whole"] / "runs").glob("*/run.json"))) == 2  # of the data, and of the chief
    assert {name.partition("/")[0] for name in files(roots["whole"]) - before} <= {
        *("artifacts", "runs", "checkpoints", f".lock-{STEP}", "index.html")
    }
    again = pair.start(roots["whole"], 1)  # repeated by an orchestrator when all is done
    assert again.wait() == 0, again.err

    # Worker 0 is killed before its second checkpoint has its name; then both are started again.
    renames = [i for i, (event, _) in enumerate(chief.operations) if event == "os.rename"]
    second = [i for i in renames if chief.operations[i][1].endswith(CHECKPOINT_FILE)][1]
    helper = pair.start(roots["killed"], 1)
    chief = pair.start(roots["killed"], 0, watch=Watch(under=(roots["killed"] / "checkpoints",), stop_at=second))
    assert chief.wait() == -signal.SIGKILL
    assert helper.wait(60) == 1, helper.err
    assert f"Worker 0 ({pair.addresses[0]}) ended before the training did" in helper.err
    assert "Traceback" not in helper.err
    helper, chief = pair.start(roots["killed"], 1), pair.start(roots["killed"], 0)
    assert chief.wait() == 0, chief.err
    assert helper.wait() == 0, helper.err
    logs = "".join(path.read_text() for path in roots["killed"].glob("runs/*/log.txt"))
    assert "Resumed after epoch 4 of 12" in logs

    options = ("--config", config, "--root", roots["one"], "--set", "trainer.strategy=one_device")
    alone = commands.run("step", STEP, *options)
    assert alone.wait() == 0, alone.err
    whole, killed, one = (model_of(root) for root in roots.values())
    assert whole.checksum == killed.checksum
    assert not [text for text in whole.properties["diagnosis"] if "other weights" in text]
    losses = [json.loads((model.path / HISTORY_FILE).read_text())["eval_loss"] for model in (whole, one)]
    assert len(losses[0]) == 12
    assert losses[0][0] == pytest.approx(losses[1][0], rel=1e-4)
    assert losses[0][-1] == pytest.approx(losses[1][-1], rel=0.02)
    for ours, theirs in zip(*(read_exported(model.serving_path).weights for model in (whole, one)), strict=True):
        assert np.asarray(ours).shape == np.asarray(theirs).shape


@pytest.mark.slow
def test_two_workers_train_in_mixed_precision_with_the_same_bytes_each_time(commands, config, tmp_path):
    pair = Workers(commands, config)
    made = []
    for name, precision in (("mixed", "mixed_bfloat16"), ("again", "mixed_bfloat16"), ("whole", "float32")):
        more = ("--set", f"trainer.precision={precision}")
        pair.data(tmp_path / name, *more)
        helper, chief = pair.start(tmp_path / name, 1, *more), pair.start(tmp_path / name, 0, *more)
        assert (chief.wait(), helper.wait()) == (0, 0), chief.err + helper.err
        made.append(model_of(tmp_path / name))
    mixed, again, whole = made
    assert mixed.checksum == again.checksum != whole.checksum
    assert not [text for text in mixed.properties["diagnosis"] if "other weights" in text]
    assert {weight.dtype for weight in read_exported(mixed.serving_path).weights} == {np.dtype(np.float32)}
    losses = [json.loads((model.path / HISTORY_FILE).read_text())["eval_loss"] for model in (mixed, whole)]
    assert losses[0] == pytest.approx(losses[1], rel=0.1)


@pytest.mark.slow
@needs_s3
def test_two_workers_train_with_a_root_in_a_store_what_they_train_with_one_that_both_mount(commands, config, tmp_path):
    pair = Workers(commands, config)
    pair.data(tmp_path / "folder")
    helper, chief = pair.start(tmp_path / "folder", 1), pair.start(tmp_path / "folder", 0)
    assert (chief.wait(), helper.wait()) == (0, 0), chief.err + helper.err
    machines = [{**CREDENTIALS, "XDG_CACHE_HOME": str(tmp_path / name)} for name in ("first", "second")]
    with s3_server() as server:
        bucket = server.bucket()
        uri = bucket.uri("rides")
        pair.data(uri, environment=machines[0])
        before = bucket.files("rides")
        helper = pair.start(uri, 1, environment=machines[1])
        chief = pair.start(uri, 0, environment=machines[0])
        assert (chief.wait(), helper.wait()) == (0, 0), chief.err + helper.err
        made = set(bucket.files("rides")) - set(before)
    (whole,) = {name.split("/")[3] for name in made if name.startswith(f"rides/artifacts/{STEP}/")}
    (first,) = (tmp_path / "first").glob(f"crossnet/roots/*/artifacts/{STEP}/{whole}")
    assert Model.load(first).checksum == model_of(tmp_path / "folder").checksum
    assert not [text for text in Model.load(first).properties["diagnosis"] if "other weights" in text]
    assert not list((tmp_path / "second").glob("**/.tmp-*"))


@pytest.mark.slow
def test_workers_are_all_told_of_a_kind_that_does_not_train_in_mixed_precision(commands, config, tmp_path):
    pair = Workers(commands, config)
    more = ("--set", "models=['tfrs_cross']", "--set", "trainer.precision=mixed_bfloat16", "--set", "trainer.members=1")
    pair.data(tmp_path, *more)
    children = [pair.start(tmp_path, index, *more, step="trainer_tfrs_cross") for index in (1, 0)]
    for child in children:
        assert child.wait(60) == 1, child.err
        assert "`trainer.precision` is mixed_bfloat16, but `tfrs_cross` trains the layer" in child.err
        assert "Traceback" not in child.err
    assert list((tmp_path / "artifacts" / "trainer_tfrs_cross").iterdir()) == []


@pytest.mark.slow
def test_a_worker_that_is_killed_is_named_by_the_chief_who_leaves_nothing_half_made(commands, config, tmp_path):
    pair = Workers(commands, config)
    pair.data(tmp_path)
    more = ("--set", "trainer.epochs=100000", "--set", "trainer.early_stopping_patience=100000")
    helper, chief = pair.start(tmp_path, 1, *more), pair.start(tmp_path, 0, *more)
    wait_until(lambda: list(tmp_path.glob(f"checkpoints/*/{CHECKPOINT_FILE}")) or not chief.running, 120)
    helper.send(signal.SIGKILL)
    assert chief.wait(60) == 1, chief.err
    assert f"Worker 1 ({pair.addresses[1]}) ended before the training did" in chief.err
    assert "it goes on from the last checkpoint" in chief.err
    assert "Traceback" not in chief.err
    assert list((tmp_path / "artifacts" / STEP).iterdir()) == []
    assert list(tmp_path.glob(f"checkpoints/*/{CHECKPOINT_FILE}"))


@pytest.mark.slow
def test_a_worker_that_trains_ends_at_a_signal_and_is_named_to_the_others(commands, config, tmp_path):
    pair = Workers(commands, config)
    pair.data(tmp_path)
    more = ("--set", "trainer.epochs=100000", "--set", "trainer.early_stopping_patience=100000")
    helper, chief = pair.start(tmp_path, 1, *more), pair.start(tmp_path, 0, *more)
    wait_until(lambda: list(tmp_path.glob(f"checkpoints/*/{CHECKPOINT_FILE}")) or not chief.running, 120)
    chief.send(signal.SIGTERM)
    assert chief.wait(30) == 143, chief.err
    assert helper.wait(60) == 1, helper.err
    assert f"Worker 0 ({pair.addresses[0]}) ended before the training did" in helper.err


@pytest.mark.slow
def test_a_worker_that_never_starts_is_named_in_time_and_a_signal_ends_the_wait(commands, config, tmp_path):
    pair = Workers(commands, config)
    pair.data(tmp_path)
    before = files(tmp_path)
    short = ("--set", "trainer.start_timeout_seconds=1")
    chief = pair.start(tmp_path, 0, *short)
    assert chief.wait(60) == 1
    assert f"Worker 1 ({pair.addresses[1]}) did not answer within 1 s" in chief.err
    helper = pair.start(tmp_path, 1, *short)
    assert helper.wait(60) == 1
    assert f"Worker 0 ({pair.addresses[0]}) did not answer within 1 s" in helper.err
    assert not [name for name in files(tmp_path) - before if name.startswith(f"artifacts/{STEP}/")]
    for index in (0, 1):
        waiting = pair.start(tmp_path, index)
        port = int(pair.addresses[index].rpartition(":")[2])
        wait_until(lambda port=port: listens(port) or not waiting.running, 120)  # noqa: B023  # asked at once
        waiting.send(signal.SIGTERM)
        assert waiting.wait(60) == 143, waiting.err
        assert "Interrupted in" in waiting.err


def listens(port: int) -> bool:
    """Whether a process of this machine listens on a port."""
    found = "".join(
        Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6") if Path(f"/proc/net/{name}").exists()
    )
    return any(f":{port:04X} " in line and line.split()[3] == "0A" for line in found.splitlines())


@pytest.mark.slow
def test_workers_with_other_settings_are_told_what_differs(commands, config, tmp_path):
    pair = Workers(commands, config)
    pair.data(tmp_path)
    helper, chief = pair.start(tmp_path, 1, "--set", "trainer.learning_rate=0.5"), pair.start(tmp_path, 0)
    assert (chief.wait(), helper.wait()) == (1, 1)
    for child in (chief, helper):
        assert "was told of another training: `learning_rate` is 0.5 for worker 1 and 0.02 for worker 0" in child.err


def test_a_run_does_not_train_on_several_workers_and_says_what_does(config, tmp_path):
    settings = load_config(config)
    assert run_pipeline(settings, tmp_path, until=DATA).exit_code == 0
    with pytest.raises(PipelineError) as error:
        run_pipeline(settings, tmp_path)
    assert "`crossnet run` does not train: a trainer is run by `crossnet step` on every worker." in str(error.value)
    assert f"`crossnet run --until {DATA}`, then `crossnet step {STEP}` on each worker" in str(error.value)
    assert len(list((tmp_path / "runs").glob("*/run.json"))) == 1


def test_a_step_without_its_workers_is_refused_before_anything_is_written(config, tmp_path, monkeypatch):
    monkeypatch.delenv(TF_CONFIG, raising=False)
    with pytest.raises(SettingsError, match="the environment names no workers"):
        run_step(load_config(config), tmp_path, STEP)
    assert list(tmp_path.iterdir()) == []
    assert cluster_of(load_config(config), "example_gen") is None


def test_a_helper_says_which_step_has_to_run_first_and_writes_nothing(config, tmp_path, monkeypatch):
    task = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv(TF_CONFIG, json.dumps(task))
    with pytest.raises(PipelineError, match=f"`{STEP}` cannot run before 4 other steps"):
        run_step(load_config(config), tmp_path, STEP)
    assert list(tmp_path.iterdir()) == []
