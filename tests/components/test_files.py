import json

import numpy as np
import pytest

from crossnet.components.files import (
    MAX_FOLDER_LETTERS,
    folder_checksum,
    is_folder_name,
    json_value,
    read_json,
    write_json,
)


def test_json_value_writes_what_json_has_no_word_for():
    value = {"a": (float("nan"), float("inf")), "b": np.float32(0.5), "c": np.arange(2)}
    assert json_value(value) == {"a": [None, None], "b": 0.5, "c": [0, 1]}


def test_write_json_is_sorted_unless_the_order_matters(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": 2})
    write_json(tmp_path / "b.json", {"b": 1, "a": 2}, sort=False)
    assert (tmp_path / "a.json").read_text() == '{\n  "a": 2,\n  "b": 1\n}\n'
    assert list(json.loads((tmp_path / "b.json").read_text())) == ["b", "a"]
    assert read_json(tmp_path / "a.json") == read_json(tmp_path / "b.json")


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


@pytest.mark.parametrize("name", ["a", "7", "rides_2-v1.0", "a" * MAX_FOLDER_LETTERS])
def test_a_plain_name_is_a_folder_name(name):
    assert is_folder_name(name)


@pytest.mark.parametrize("name", ["", ".a", "-a", "_a", "a/b", "a b", "é", "a\n", "a" * (MAX_FOLDER_LETTERS + 1)])
def test_any_other_name_is_not_a_folder_name(name):
    assert not is_folder_name(name)
