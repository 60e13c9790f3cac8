import json
import os
import subprocess

import numpy as np
import pytest

from crossnet.components.errors import UnreadableFileError
from crossnet.components.files import (
    MAX_FOLDER_LETTERS,
    clear_unfinished,
    folder_checksum,
    is_folder_name,
    json_value,
    read_json,
    read_object,
    write_file,
    write_json,
)
from support.damage import DAMAGES
from support.limits import files_of_at_most


def test_json_value_writes_what_json_has_no_word_for():
    value = {"a": (float("nan"), float("inf")), "b": np.float32(0.5), "c": np.arange(2)}
    assert json_value(value) == {"a": [None, None], "b": 0.5, "c": [0, 1]}


def test_write_json_is_sorted_unless_the_order_matters(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": 2})
    write_json(tmp_path / "b.json", {"b": 1, "a": 2}, sort=False)
    assert (tmp_path / "a.json").read_text() == '{\n  "a": 2,\n  "b": 1\n}\n'
    assert list(json.loads((tmp_path / "b.json").read_text())) == ["b", "a"]
    assert read_json(tmp_path / "a.json") == read_json(tmp_path / "b.json")


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / "run.json"
    write_file(file, "before")
    with files_of_at_most(10), pytest.raises(OSError, match="File too large"):
        write_file(file, "much more than ten bytes")
    assert file.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_new_file_is_never_written_over_another(tmp_path):
    file = tmp_path / "new.toml"
    write_file(file, "first", replace=False)
    with pytest.raises(FileExistsError):
        write_file(file, "second", replace=False)
    assert file.read_text() == "first"
    assert list(tmp_path.iterdir()) == [file]


def test_what_a_killed_process_was_writing_is_cleared_and_what_a_live_one_writes_is_not(tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    gone, lives = tmp_path / f".tmp-{ended.pid}-run.json", tmp_path / f".tmp-{os.getpid()}-run.json"
    others = [tmp_path / name for name in ("run.json", ".tmp-mine", ".tmp-x-y")]
    for path in (gone, lives, *others):
        path.touch()
    clear_unfinished(tmp_path)
    assert set(tmp_path.iterdir()) == {lives, *others}


def test_a_file_is_written_where_its_link_points(tmp_path):
    (tmp_path / "link").symlink_to("elsewhere")
    write_file(tmp_path / "link", b"\0")
    assert (tmp_path / "elsewhere").read_bytes() == b"\0"
    assert (tmp_path / "link").is_symlink()


def test_a_long_name_leaves_room_for_the_name_beside_it(tmp_path):
    write_file(tmp_path / ("ü" * 127), "x")
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_an_object_that_cannot_be_read_is_named_with_the_reason(tmp_path, damage):
    file = tmp_path / "run.json"
    write_json(file, {"run": "nightly", "steps": {}})
    damage.apply(file)
    with pytest.raises(UnreadableFileError) as caught:
        read_object(file)
    assert str(caught.value).startswith(f"`{file}` cannot be read: {damage.reason}")
    assert str(caught.value.advise("Remove it.")).endswith(". Remove it.")


def test_an_object_that_is_not_there_is_not_unreadable(tmp_path):
    for file in (tmp_path / "run.json", tmp_path / "nowhere" / "run.json"):
        with pytest.raises(FileNotFoundError):
            read_object(file)


def test_folder_checksum_is_of_names_and_contents(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "inside").mkdir(parents=True)
        (tmp_path / name / "inside" / "file").write_text("x")
    checksum = folder_checksum(tmp_path / "one")
    assert folder_checksum(tmp_path / "two") == checksum
    (tmp_path / "two" / "inside" / "file").write_text("y")
    assert folder_checksum(tmp_path / "two") != checksum
    (tmp_path / "one" / "inside" / "file").rename(tmp_path / "one" / "file")
    assert folder_checksum(tmp_path / "one") != checksum


def test_folder_checksum_follows_links_and_ends(tmp_path):
    (tmp_path / "plain" / "variables").mkdir(parents=True)
    (tmp_path / "plain" / "variables" / "data").write_text("x")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "variables").symlink_to(tmp_path / "plain" / "variables")
    checksum = folder_checksum(tmp_path / "plain")
    assert folder_checksum(tmp_path / "linked") == checksum
    (tmp_path / "linked" / "upwards").symlink_to(tmp_path)
    (tmp_path / "linked" / "itself").symlink_to(".")
    assert folder_checksum(tmp_path / "linked") == checksum
    (tmp_path / "plain" / "variables" / "data").write_text("y")
    assert folder_checksum(tmp_path / "linked") == folder_checksum(tmp_path / "plain") != checksum


@pytest.mark.parametrize("name", ["a", "7", "rides_2-v1.0", "a" * MAX_FOLDER_LETTERS])
def test_a_plain_name_is_a_folder_name(name):
    assert is_folder_name(name)


@pytest.mark.parametrize("name", ["", ".a", "-a", "_a", "a/b", "a b", "é", "a\n", "a" * (MAX_FOLDER_LETTERS + 1)])
def test_any_other_name_is_not_a_folder_name(name):
    assert not is_folder_name(name)
