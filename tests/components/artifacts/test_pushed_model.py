import shutil

import pytest

from crossnet.components.artifacts.base import Outcome
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.files import folder_checksum


@pytest.fixture
def pushed(tmp_path):
    folder = tmp_path / "served" / "rides" / "1764"
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"model")
    properties = {"version": 1764, "destination": str(folder), "checksum": folder_checksum(folder)}
    return PushedModel(tmp_path, {"pushed": 1}, properties)


def test_a_push_names_its_version(pushed):
    assert (pushed.version, pushed.destination.name) == (1764, "1764")
    assert pushed.headline == "version 1764"
    assert pushed.outcome() == Outcome(pushed_version=1764)
    again = PushedModel(pushed.path, {"pushed": 0}, pushed.properties)
    assert again.headline == "version 1764 (was there already)"


def test_a_push_is_current_while_its_version_is_there_and_unchanged(pushed):
    assert pushed.is_current
    (pushed.destination / "saved_model.pb").write_bytes(b"rotten")
    assert not pushed.is_current
    shutil.rmtree(pushed.destination)
    assert not pushed.is_current


def test_a_push_is_not_current_when_a_newer_version_is_there(pushed):
    newer = pushed.destination.with_name("1765")
    newer.mkdir()
    assert not pushed.is_current
    newer.rename(newer.with_suffix(".rolled_back"))
    assert pushed.is_current
