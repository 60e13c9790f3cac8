"""Tests the copy of a store's versions: what is in it when, what stays when the store fails, what a restart finds."""

from __future__ import annotations

import json
import logging
import os
import threading

import pytest

from crossnet.serving.config.versions import ModelConfig, VersionPolicy, list_versions
from crossnet.serving.embedded import mirror as module
from crossnet.serving.embedded.mirror import Mirror
from crossnet.serving.protocol.folder_checksum import folder_checksum
from crossnet.serving.status import ServingError
from crossnet.serving.storage.folder import StoreError
from support.serving_fixtures import wait_until


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


@pytest.fixture
def mirror(store, tmp_path):
    made = []

    def make(policy=None, *, poll_seconds=1.0, on_change=lambda: None):
        config = ModelConfig("rides", tmp_path, policy=policy or VersionPolicy(), source=store.as_uri())
        made.append(Mirror(config, tmp_path / "cache", poll_seconds=poll_seconds, on_change=on_change))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def put(store, version, content="weights", *, record=True):
    """Puts a version as a push does: its record, its files, `saved_model.pb` last."""
    folder = store / str(version)
    (folder / "variables").mkdir(parents=True, exist_ok=True)
    (folder / "variables" / "data").write_text(f"{content} of {version}")
    (folder / "saved_model.pb").write_text("graph")
    if record:
        (store / f"{version}.json").write_text(json.dumps({"checksum": folder_checksum(folder)}))


def versions(mirror):
    return {number: (path / "variables" / "data").read_text() for number, path in list_versions(mirror.folder).items()}


def test_the_newest_version_is_copied_and_replaces_the_one_before(store, mirror):
    put(store, 1)
    copy = mirror()
    assert not copy.folder.exists()  # the server keeps what it serves until the store was read
    assert copy.look()
    assert versions(copy) == {1: "weights of 1"}
    assert not copy.look()
    put(store, 2)
    assert copy.look()
    assert versions(copy) == {2: "weights of 2"}
    for path in (store / "2", store / "2.json"):
        path.rename(path.with_name(f"old-{path.name}"))
    assert copy.look()
    assert versions(copy) == {1: "weights of 1"}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (VersionPolicy("all"), {1, 2, 10}),
        (VersionPolicy("latest", 2), {2, 10}),
        (VersionPolicy("specific", versions=(1, 7)), {1}),
    ],
)
def test_the_policy_says_which_versions_are_copied(store, mirror, policy, expected):
    for version in (1, 2, 10):
        put(store, version)
    (store / "11").mkdir()  # not a version until it has a model
    (store / "11" / "assets").write_text("")
    (store / "12x").mkdir()
    copy = mirror(policy)
    copy.look()
    assert versions(copy).keys() == expected


def test_a_version_that_is_not_what_was_pushed_is_not_served_and_the_one_before_stays(store, mirror):
    put(store, 1)
    copy = mirror()
    copy.look()
    put(store, 2)
    (store / "2" / "variables" / "data").write_text("half")
    with pytest.raises(
        StoreError, match=r"^Version 2 in `file://.*/store` does not hold the files that were pushed \(checksum"
    ):
        copy.look()
    assert versions(copy) == {1: "weights of 1"}
    put(store, 2)
    assert copy.look()
    assert versions(copy) == {2: "weights of 2"}


def test_a_damaged_version_does_not_keep_the_others_out(store, mirror):
    for version in (1, 2, 3):
        put(store, version)
    (store / "2" / "saved_model.pb").write_text("other")
    copy = mirror(VersionPolicy("all"))
    with pytest.raises(StoreError, match="^Version 2 in"):
        copy.look()
    assert versions(copy).keys() == {1, 3}


def test_a_store_that_is_gone_leaves_the_copy_as_it_is_also_over_a_restart(store, mirror):
    put(store, 1)
    copy = mirror()
    copy.look()
    store.rename(store.with_name("away"))
    with pytest.raises(StoreError, match=r"^`file://.*/store` does not exist\.$"):
        copy.look()
    assert versions(copy) == {1: "weights of 1"}
    copy.stop()
    again = mirror()
    assert again.folder == copy.folder
    assert versions(again) == {1: "weights of 1"}


def test_an_empty_store_empties_the_copy_as_an_empty_folder_would(store, mirror):
    put(store, 1)
    copy = mirror()
    copy.look()
    (store / "1").rename(store / "gone")
    assert copy.look()
    assert versions(copy) == {}


@pytest.mark.parametrize("damage", ["changed", "no source", "half a source"])
def test_a_copy_that_is_not_whole_is_not_served_after_a_restart(store, mirror, damage):
    put(store, 1)
    copy = mirror()
    copy.look()
    copy.stop()
    source = copy.folder.parent / "1.source.json"
    if damage == "changed":
        (copy.folder / "1" / "saved_model.pb").write_text("grapf")
    elif damage == "no source":
        source.unlink()
    else:
        source.write_text(source.read_text()[:20])
    leftover = copy.folder.parent / ".tmp-2"
    leftover.mkdir()
    again = mirror()
    assert versions(again) == {}
    assert not leftover.exists()
    again.look()
    assert versions(again) == {1: "weights of 1"}


@pytest.mark.parametrize("record", [None, "[]", "{}", "not JSON", '{"checksum": 3}'])
def test_a_version_without_a_checksum_is_copied_again_when_its_files_change(store, mirror, record):
    put(store, 1, record=False)
    if record:
        (store / "1.json").write_text(record)
    copy = mirror()
    assert copy.look()
    assert not copy.look()
    put(store, 1, "longer weights", record=False)
    assert copy.look()
    assert versions(copy) == {1: "longer weights of 1"}


def test_a_record_that_comes_later_is_compared(store, mirror):
    put(store, 1, record=False)
    copy = mirror()
    copy.look()
    (store / "1.json").write_text(json.dumps({"checksum": "0" * 64}))
    with pytest.raises(StoreError, match="Version 1 in"):
        copy.look()
    assert versions(copy) == {1: "weights of 1"}  # loaded already; it is not taken away


def test_two_servers_have_a_copy_each(store, mirror):
    put(store, 1)
    one, two = mirror(), mirror()
    assert one.folder != two.folder
    one.look(), two.look()
    assert versions(one) == versions(two)


def test_a_cache_that_cannot_be_written_is_named_with_its_flag(store, mirror, tmp_path):
    (tmp_path / "cache").write_text("")
    with pytest.raises(
        ServingError,
        match=r"^Cannot keep a copy of `file://.*/store` in `.*/cache`: File exists. Name a folder that can be written "
        r"in `--model_cache_dir`\.$",
    ):
        mirror()


def test_nothing_appears_when_the_server_stops_in_the_middle(store, mirror, monkeypatch):
    put(store, 1)
    copy = mirror()
    monkeypatch.setattr(copy._store, "download", lambda *_: copy.stop())
    copy.look()
    assert list_versions(copy.folder) in (None, {})


def test_the_thread_tells_of_changes_and_says_once_that_the_store_fails(store, mirror, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    put(store, 1)
    changes = threading.Semaphore(0)
    copy = mirror(poll_seconds=0.01, on_change=changes.release)
    copy.start()
    assert changes.acquire(timeout=20)
    assert versions(copy) == {1: "weights of 1"}
    store.rename(store.with_name("away"))
    for _ in range(5):  # looks that failed
        assert changes.acquire(timeout=20)
    store.with_name("away").rename(store)
    wait_until(lambda: "can be read again" in caplog.text)
    copy.stop()
    assert caplog.text.count("does not exist. Loaded versions are still served; the server looks again every") == 1


def test_a_negative_wait_never_looks_and_zero_looks_once(store, mirror):
    put(store, 1)
    never = mirror(poll_seconds=-1)
    never.start()
    assert not never._thread.is_alive()
    once = mirror(poll_seconds=0)
    once.start()
    once._thread.join(20)
    assert versions(once) == {1: "weights of 1"}


def test_an_error_of_this_disk_is_said_and_nothing_is_half_there(store, mirror, caplog):
    put(store, 1)
    copy = mirror(poll_seconds=0)
    os.chmod(copy.folder.parent, 0o500)
    if os.access(copy.folder.parent, os.W_OK):  # root may write everywhere
        os.chmod(copy.folder.parent, 0o700)
        (copy.folder.parent / ".tmp-1").write_text("in the way")
    assert copy._look_once() == module.RETRY_SECONDS
    os.chmod(copy.folder.parent, 0o700)
    assert "Loaded versions are still served" in caplog.text
    assert not list_versions(copy.folder)
