"""Tests that a model config file is read, watched and reloaded as a whole."""

from __future__ import annotations

import queue
import time

import grpc
import pytest

from crossnet.serving.config.file import ConfigFile
from crossnet.serving.status import ServingError
from support.serving_fixtures import wait_until

POLL_SECONDS = 0.01


def content(*names: str) -> str:
    entries = [f'config {{ name: "{name}" base_path: "/{name}" model_platform: "tensorflow" }}' for name in names]
    return f"model_config_list {{ {' '.join(entries)} }}"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "models.config"
    path.write_text(content("rides"))
    return path


@pytest.fixture
def watched(path):
    """A file under watch, and the lists of names that were reloaded since."""
    lists: queue.SimpleQueue[list[str]] = queue.SimpleQueue()

    def reload(configs, wanted):
        lists.put([config.name for config in configs])
        return True

    file = ConfigFile(str(path), reload)
    file.read()
    file.watch(POLL_SECONDS)
    yield lists
    file.stop()


def test_the_models_of_the_file_are_read(path):
    (config,) = ConfigFile(str(path), lambda *_: True).read()
    assert (config.name, str(config.base_path)) == ("rides", "/rides")


def test_a_file_that_cannot_be_served_is_refused(path):
    file = ConfigFile(str(path), lambda *_: True)
    path.write_text("custom_model_config { }")
    with pytest.raises(ServingError, match=r"custom_model_config is not supported\.") as caught:
        file.read()
    assert caught.value.code is grpc.StatusCode.UNIMPLEMENTED
    path.unlink()
    with pytest.raises(ServingError, match=r"models\.config"):
        file.read()


def test_each_change_is_reloaded_once(path, watched):
    time.sleep(5 * POLL_SECONDS)
    assert watched.empty()  # the content that `read` returned is not reloaded
    path.write_text(content("rides", "tips"))
    assert watched.get(timeout=10) == ["rides", "tips"]
    time.sleep(5 * POLL_SECONDS)
    assert watched.empty()


def test_an_invalid_change_is_logged_and_the_next_one_is_reloaded(path, watched, caplog):
    path.write_text("model_config_list { config { nome: ")
    wait_until(lambda: f"Cannot serve the models of the changed {path}: " in caplog.text)
    assert watched.empty()
    path.write_text(content("tips"))
    assert watched.get(timeout=10) == ["tips"]


def test_another_change_ends_the_wait_for_a_model_that_does_not_come(path):
    waited = []

    def reload(configs, wanted):
        if configs[0].name == "missing":
            wait_until(lambda: not wanted())
        waited.append(configs[0].name)
        return True

    file = ConfigFile(str(path), reload)
    file.read()
    file.watch(POLL_SECONDS)
    path.write_text(content("missing"))
    time.sleep(5 * POLL_SECONDS)
    assert waited == []
    path.write_text(content("tips"))
    wait_until(lambda: waited == ["missing", "tips"])
    file.stop()


def test_a_file_that_is_empty_for_a_moment_takes_no_model_away(path, watched, caplog):
    path.write_text("")
    wait_until(lambda: "It is only legal to transition from one ModelConfigList to another." in caplog.text)
    assert watched.empty()
    path.write_text(content("tips"))
    assert watched.get(timeout=10) == ["tips"]


def test_a_file_may_be_empty_at_first(path):
    path.write_text("")
    assert ConfigFile(str(path), lambda *_: True).read() == []


def test_a_list_without_models_takes_all_away(path, watched):
    path.write_text(content())
    assert watched.get(timeout=10) == []


def test_a_file_that_is_gone_for_a_while_changes_nothing(path, watched):
    path.unlink()
    time.sleep(5 * POLL_SECONDS)
    assert watched.empty()
    path.write_text(content("tips"))
    assert watched.get(timeout=10) == ["tips"]


def test_stop_ends_the_thread_and_needs_no_watch(path):
    ConfigFile(str(path), lambda *_: True).stop()
    file = ConfigFile(str(path), lambda *_: True)
    file.read()
    file.watch(60)
    start = time.monotonic()
    file.stop()
    assert time.monotonic() - start < 30
    assert not file._poller.is_alive()
