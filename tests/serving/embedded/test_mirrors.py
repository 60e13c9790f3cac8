"""Tests which stores a server follows when its list of models changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.config.versions import ModelConfig, VersionPolicy
from crossnet.serving.embedded.mirrors import Mirrors, default_cache
from crossnet.serving.status import ServingError
from support.serving_fixtures import wait_until


@pytest.fixture
def store(tmp_path):
    for version in (1, 2):
        (tmp_path / "store" / str(version)).mkdir(parents=True)
        (tmp_path / "store" / str(version) / "saved_model.pb").write_text(str(version))
    return (tmp_path / "store").as_uri()


@pytest.fixture
def mirrors(tmp_path):
    mirrors = Mirrors(ServerFlags(model_cache_dir=str(tmp_path / "cache")), lambda: None)
    yield mirrors
    mirrors.stop()


def placed(mirrors, *configs):
    taken = []
    mirrors.configure(configs, taken.extend)
    return [config.base_path for config in taken]


def test_models_of_stores_get_folders_here_and_others_stay(mirrors, store):
    here = ModelConfig("a", Path("/m"))
    there = ModelConfig("b", Path(), source=store)
    local, copy, same = placed(mirrors, here, there, ModelConfig("c", Path(), source=store))
    assert local == Path("/m")
    assert copy == same
    wait_until(lambda: (copy / "2" / "saved_model.pb").exists())
    assert placed(mirrors, there) == [copy]


def test_another_policy_has_another_copy_so_that_loaded_versions_stay_until_it_is_there(mirrors, store):
    (first,) = placed(mirrors, ModelConfig("b", Path(), source=store))
    (second,) = placed(mirrors, ModelConfig("b", Path(), policy=VersionPolicy("all"), source=store))
    assert first != second
    wait_until(lambda: (second / "1").exists())


def test_a_list_that_is_not_taken_leaves_the_one_before(mirrors, store):
    (copy,) = placed(mirrors, ModelConfig("b", Path(), source=store))

    def refuse(_):
        raise ServingError("no")

    with pytest.raises(ServingError, match="no"):
        mirrors.configure([ModelConfig("b", Path(), policy=VersionPolicy("all"), source=store)], refuse)
    assert placed(mirrors, ModelConfig("b", Path(), source=store)) == [copy]


def test_copies_are_kept_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "crossnet" / "models"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the XDG specification
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_cache() == tmp_path / "home" / ".cache" / "crossnet" / "models"
