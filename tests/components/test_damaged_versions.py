import errno

import pytest

from crossnet.components import damaged_versions
from crossnet.components.damaged_versions import damaged_in_service, is_damaged, take_out_damaged
from crossnet.components.files import folder_checksum, write_json
from crossnet.components.model_folder import next_version, read_record, versions_in_service


@pytest.fixture
def folder(tmp_path):
    """Versions 3 and 5 were pushed, 7 was put there by hand."""
    folder = tmp_path / "crossnet"
    for version in (3, 5, 7):
        (folder / str(version)).mkdir(parents=True)
        (folder / str(version) / "saved_model.pb").write_text(f"model {version}")
    for version in (3, 5):
        write_json(folder / f"{version}.json", {"version": version, "checksum": folder_checksum(folder / str(version))})
    return folder


def rot(folder, version):
    (folder / str(version) / "saved_model.pb").write_text("model ?")


def test_a_version_is_damaged_where_its_files_are_not_those_that_were_pushed(folder):
    assert [is_damaged(folder, *item) for item in versions_in_service(folder).items()] == [False, False, False]
    for version in (3, 7):
        rot(folder, version)
    assert [is_damaged(folder, *item) for item in versions_in_service(folder).items()] == [False, False, True]


def test_a_version_that_the_disk_cannot_read_is_damaged_and_one_that_is_gone_is_not(folder, monkeypatch):
    for number, damaged in ((errno.EIO, True), (errno.ENOENT, False), (errno.EACCES, False)):

        def fail(path, number=number):
            raise OSError(number, "words")

        monkeypatch.setattr(damaged_versions, "folder_checksum", fail)
        assert is_damaged(folder, 3, folder / "3") == damaged


def test_only_the_newest_version_is_in_service(folder):
    rot(folder, 5)
    assert damaged_in_service(folder) == ()
    (folder / "7").rename(folder / "7.rolled_back")
    (sentence,) = damaged_in_service(folder)
    assert sentence.startswith("Version 5 of `crossnet`, which is in service, is damaged: its files are not those that")
    assert damaged_in_service(folder.parent / "missing") == ()


def test_damaged_versions_are_renamed_and_recorded_and_their_numbers_stay_used(folder):
    for version in (3, 5):
        rot(folder, version)
    assert take_out_damaged(folder, but=7) == [5, 3]
    assert list(versions_in_service(folder)) == [7]
    assert (folder / "5.damaged" / "saved_model.pb").read_text() == "model ?"
    assert read_record(folder, 5)["damaged"]["checksum"] == folder_checksum(folder / "5.damaged")
    assert next_version(folder) > 7
    assert take_out_damaged(folder, but=7) == []
