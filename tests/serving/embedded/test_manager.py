"""Versions on disk, swaps, failures, labels: what the manager does with models that load and models that do not."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import grpc
import numpy as np
import pytest

from crossnet.serving.config.versions import ModelConfig, VersionPolicy
from crossnet.serving.embedded.manager import ModelManager
from crossnet.serving.embedded.model import LoadedModel
from crossnet.serving.embedded.states import State
from crossnet.serving.status import ServingError
from support.serving_fixtures import wait_until
from support.serving_models import save_model

CODE = grpc.StatusCode


class Model:
    """What a load gives back; remembers whether it was closed."""

    def __init__(self, path):
        self.path = path
        self.closed = False

    def close(self):
        self.closed = True


class Loader:
    """Loads folders; one that holds a file `broken` fails, one that holds `slow` waits for `go_on`."""

    def __init__(self):
        self.models, self.attempts = {}, []
        self.go_on = threading.Event()

    def __call__(self, path):
        self.attempts.append(int(path.name))
        if (path / "slow").exists():
            assert self.go_on.wait(20)
        if (path / "broken").exists():
            raise ServingError("the variables are damaged", CODE.DATA_LOSS)
        self.models[int(path.name)] = Model(path)
        return self.models[int(path.name)]


def put(base, version, *marks):
    folder = base / f".tmp-{version}"
    folder.mkdir(parents=True)
    for mark in ("saved_model.pb", *marks):
        (folder / mark).touch()
    folder.rename(base / str(version))


def remove(base, version):
    import shutil

    (base / str(version)).rename(base / f".gone-{version}")
    shutil.rmtree(base / f".gone-{version}")


@pytest.fixture
def base(tmp_path):
    folder = tmp_path / "rides"
    folder.mkdir()
    return folder


@pytest.fixture
def loader():
    return Loader()


@pytest.fixture
def manage(loader):
    """Starts a manager of one or more models."""
    started = []

    def start(*configs, **settings):
        manager = ModelManager(loader, **{"poll_seconds": 0.01, "load_retries": 0, **settings})
        manager.configure(configs)
        manager.start()
        started.append(manager)
        return manager

    yield start
    loader.go_on.set()
    for manager in started:
        manager.stop()


def served(manager, name="rides", **spec):
    """The version that answers; None when none does."""
    try:
        with manager.use(name, **spec) as (number, _):
            return number
    except ServingError as error:
        if error.code != CODE.NOT_FOUND:
            raise
        return None


def states(manager, name="rides"):
    return {version.number: version.state for version in manager.versions(name)}


def test_manager_serves_the_newest_and_swaps_to_a_newer_one(manage, base, loader):
    put(base, 1)
    put(base, 2)
    manager = manage(ModelConfig("rides", base))
    assert manager.wait_available(["rides"], lambda: False)
    assert served(manager) == 2
    assert loader.attempts == [2]
    put(base, 3)
    wait_until(lambda: states(manager) == {3: State.AVAILABLE, 2: State.END})
    assert served(manager) == 3
    assert served(manager, version=2) is None
    assert loader.models[2].closed


def test_manager_keeps_the_old_version_until_the_new_one_answers(manage, base, loader):
    put(base, 1)
    manager = manage(ModelConfig("rides", base))
    wait_until(lambda: served(manager) == 1)
    put(base, 2, "slow")
    wait_until(lambda: states(manager) == {2: State.LOADING, 1: State.AVAILABLE})
    assert served(manager) == 1
    loader.go_on.set()
    wait_until(lambda: served(manager) == 2)


def test_manager_lets_calls_in_flight_finish_before_it_unloads(manage, base, loader):
    put(base, 1)
    manager = manage(ModelConfig("rides", base))
    wait_until(lambda: served(manager) == 1)
    with manager.use("rides") as (number, model):
        put(base, 2)
        wait_until(lambda: states(manager) == {2: State.AVAILABLE, 1: State.UNLOADING})
        assert served(manager) == 2
        assert (number, model.closed) == (1, False)
    wait_until(lambda: states(manager)[1] is State.END)
    assert model.closed


def test_manager_keeps_the_old_version_when_the_new_one_does_not_load(manage, base, loader):
    put(base, 1)
    manager = manage(ModelConfig("rides", base))
    wait_until(lambda: served(manager) == 1)
    put(base, 2, "broken")
    wait_until(lambda: states(manager) == {2: State.END, 1: State.AVAILABLE})
    assert served(manager) == 1
    failed = manager.versions("rides")[0]
    assert (failed.code, failed.message) == (CODE.DATA_LOSS, "the variables are damaged")
    put(base, 3)
    wait_until(lambda: states(manager) == {3: State.AVAILABLE, 2: State.END, 1: State.END})
    assert loader.attempts == [1, 2, 3]


def test_manager_serves_the_previous_version_again_when_the_newest_is_rolled_back(manage, base):
    put(base, 1)
    put(base, 2)
    manager = manage(ModelConfig("rides", base))
    wait_until(lambda: served(manager) == 2)
    (base / "2").rename(base / "2.rolled_back")
    wait_until(lambda: states(manager) == {2: State.END, 1: State.AVAILABLE})
    assert served(manager) == 1


def test_manager_tries_a_failed_load_again(manage, base, loader):
    put(base, 1, "broken")
    manager = manage(ModelConfig("rides", base), load_retries=100, retry_seconds=0.01)
    wait_until(lambda: len(loader.attempts) > 2)
    (base / "1" / "broken").unlink()
    assert manager.wait_available(["rides"], lambda: False)
    version = manager.versions("rides")[0]
    assert (version.state, version.code, version.message) == (State.AVAILABLE, CODE.OK, "")


def test_manager_names_what_did_not_become_available(manage, base):
    put(base, 1, "broken")
    manager = manage(ModelConfig("rides", base))
    sentence = (
        r"1 servable\(s\) did not become available: \{\{\{name: rides version: 1\} due to error: "
        r"DATA_LOSS: the variables are damaged\}, \}"
    )
    with pytest.raises(ServingError, match=sentence):
        manager.wait_available(["rides"], lambda: False)


def test_manager_unloads_when_all_version_folders_vanish_but_not_with_the_base_path(manage, base):
    put(base, 1)
    manager = manage(ModelConfig("rides", base))
    wait_until(lambda: served(manager) == 1)
    base.rename(base.with_name("elsewhere"))
    wait_until(lambda: manager._entries["rides"].last_warning.endswith("the server looks again."))
    assert served(manager) == 1
    base.with_name("elsewhere").rename(base)
    remove(base, 1)
    wait_until(lambda: served(manager) is None)
    wait_until(lambda: states(manager) == {1: State.END})


def test_manager_says_when_the_base_path_is_no_folder(manage, base, caplog):
    base.rmdir()
    base.touch()
    manage(ModelConfig("rides", base), ModelConfig("long", base / ("n" * 300)))
    wait_until(lambda: f"Model `rides` waits: `{base}` is not a readable folder" in caplog.text)
    wait_until(lambda: f"Model `long` waits: `{base}/{'n' * 300}` does not exist" in caplog.text)


def test_manager_says_once_that_it_waits(manage, base, caplog):
    manager = manage(ModelConfig("rides", base))
    wait_until(lambda: "has no version to serve" in caplog.text)
    (base / "1").mkdir()  # half-written
    put(base, 2)
    assert manager.wait_available(["rides"], lambda: False)
    assert caplog.text.count("Model `rides` waits") == 1


def test_manager_polls_once_or_never(manage, base, loader):
    put(base, 1)
    once, never = (
        manage(ModelConfig("rides", base), poll_seconds=0),
        manage(ModelConfig("rides", base), poll_seconds=-1),
    )
    wait_until(lambda: served(once) == 1)
    assert never.versions("rides") == []


def test_manager_wait_ends_when_asked(manage, base):
    assert not manage(ModelConfig("rides", base)).wait_available(["rides"], lambda: True)


def test_manager_serves_several_versions_and_names_them_by_label(manage, base):
    put(base, 1)
    put(base, 2)
    every = VersionPolicy("all")
    manager = manage(ModelConfig("rides", base, policy=every))
    wait_until(lambda: states(manager) == {2: State.AVAILABLE, 1: State.AVAILABLE})
    manager.configure([ModelConfig("rides", base, policy=every, labels={"stable": 1, "canary": 2})])
    assert served(manager, label="stable") == 1
    assert served(manager, label="canary") == 2
    with pytest.raises(ServingError, match="Unrecognized servable version label: beta"):
        served(manager, label="beta")


def test_manager_gives_labels_to_available_versions_only(manage, base):
    sentence = "Request to assign label to version 1 of model rides, which is not currently available for inference"
    config = ModelConfig("rides", base, labels={"stable": 1})
    with pytest.raises(ServingError, match=sentence) as error:
        manage(config)
    assert error.value.code == CODE.FAILED_PRECONDITION
    put(base, 1)
    manager = manage(config, labels_before_available=True)
    wait_until(lambda: served(manager, label="stable") == 1)
    with pytest.raises(ServingError, match="label to version 5 of model rides"):  # a move, not a new label
        manager.configure([ModelConfig("rides", base, labels={"stable": 5})])
    assert served(manager, label="stable") == 1


def test_manager_replaces_the_list_of_models(manage, base, tmp_path, loader):
    put(base, 1)
    put(tmp_path / "tips", 5)
    manager = manage(ModelConfig("rides", base))
    wait_until(lambda: served(manager) == 1)
    manager.configure([ModelConfig("tips", tmp_path / "tips")])
    assert manager.wait_available(["tips"], lambda: False)
    assert served(manager, "tips") == 5
    wait_until(lambda: served(manager) is None)
    wait_until(lambda: loader.models[1].closed)
    manager.configure([ModelConfig("rides", base), ModelConfig("tips", tmp_path / "tips")])
    assert manager.wait_available(["rides", "tips"], lambda: False)
    assert (served(manager), served(manager, "tips")) == (1, 5)


def test_manager_rests_when_a_model_that_waits_for_its_next_load_is_taken_away(manage, base, loader):
    put(base, 1, "broken")
    manager = manage(ModelConfig("rides", base), load_retries=100, retry_seconds=0.2, poll_seconds=0)
    wait_until(lambda: states(manager) == {1: State.START})
    manager.configure([])
    assert states(manager) == {1: State.END}
    time.sleep(0.3)  # until its next attempt would be due
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.15
    assert loader.attempts == [1]


def test_manager_loads_a_model_that_failed_went_and_came_back_mended(manage, base):
    put(base, 1, "broken")
    manager = manage(ModelConfig("rides", base))
    wait_until(lambda: states(manager) == {1: State.END})
    manager.configure([])
    (base / "1" / "broken").unlink()
    manager.configure([ModelConfig("rides", base)])
    assert manager.wait_available(["rides"], lambda: False)
    assert served(manager) == 1


def test_manager_waits_no_longer_for_a_model_that_is_taken_away(manage, base):
    manager = manage(ModelConfig("rides", base))
    threading.Timer(0.1, manager.configure, [[]]).start()
    start = time.monotonic()
    assert not manager.wait_available(["rides"], lambda: time.monotonic() > start + 20)
    assert time.monotonic() < start + 20


def test_manager_serves_the_others_whatever_goes_wrong_with_one_model(manage, base, tmp_path, caplog):
    put(base, 1)
    manager = manage(ModelConfig("odd", Path("/a\0b")), ModelConfig("rides", base))
    wait_until(lambda: served(manager) == 1)
    put(base, 2)
    wait_until(lambda: served(manager) == 2)
    assert "Model `odd`: this is a bug of the server. Its loaded versions stay in service." in caplog.text


def test_manager_refuses_other_platforms(manage, base):
    put(base, 1)
    manager = manage(ModelConfig("rides", base))
    with pytest.raises(
        ServingError, match="Illegal to change a model's platform. For model rides platform was tensorflow"
    ):
        manager.configure([ModelConfig("rides", base, platform="other")])
    with pytest.raises(ServingError, match="model_platform other is not supported"):
        manager.configure([ModelConfig("new", base, platform="other")])


def test_a_folder_that_moves_away_is_told_in_a_line_whether_it_loads_serves_or_is_unloaded(tmp_path, caplog):
    base = save_model(tmp_path / "demo" / "1").parent
    save_model(tmp_path / "next")

    def load(path):
        if path.name == "2":
            path.rename(tmp_path / "gone-2")  # after the manager saw it, and before TensorFlow reads it
        return LoadedModel(path)

    manager = ModelManager(load, poll_seconds=0.05, load_retries=0)
    manager.configure([ModelConfig("demo", base)])
    manager.start()
    assert manager.wait_available(["demo"], lambda: False)
    with manager.use("demo") as (_, model):
        (base / "1").rename(tmp_path / "gone-1")
        wait_until(lambda: manager.versions("demo")[0].state is State.UNLOADING)
        signature = model.signatures["serving_default"]
        inputs = [np.float32([1]), np.float32([2.5])]
        assert [array.tolist() for array in model.run(signature, inputs, tuple(signature.outputs)).values()] == [[3.5]]
    wait_until(lambda: manager.versions("demo")[0].state is State.END)
    (tmp_path / "next").rename(base / "2")
    wait_until(lambda: "Model `demo` version 2 does not load: " in caplog.text)
    base.rename(tmp_path / "gone")
    wait_until(lambda: f"`{base}` does not exist" in caplog.text)
    manager.stop()
    assert [record.message for record in caplog.records if record.exc_info] == []
