import os
from pathlib import Path

import pytest

from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.params.networks import DenseParams
from crossnet.components.params.trainer import TrainerParams
from crossnet.pipeline import fingerprint as fp


def test_content_digest_ignores_size_and_time_but_not_a_byte(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("a,b\n1,2\n")
    before, times = fp.content_digest(file), (file.stat().st_atime, file.stat().st_mtime)
    os.utime(file, (0, 0))
    assert fp.content_digest(file) == before
    file.write_text("a,b\n2,1\n")
    os.utime(file, times)
    assert fp.content_digest(file) != before


def test_settings_text_leaves_out_where_data_is():
    here = fp.settings_text({"params": ExampleGenParams(input="/a/rows.csv")})
    there = fp.settings_text({"params": ExampleGenParams(input="/b/rows.csv")})
    assert here == there
    assert fp.settings_text({"params": TrainerParams(epochs=1)}) != fp.settings_text({"params": TrainerParams()})


@pytest.mark.parametrize("part", ["params", "inputs", "data", "code", "versions"])
def test_step_fingerprint_depends_on_every_part(part):
    parts = {name: {"x": 1} for name in ("params", "inputs", "data", "code", "versions")}
    assert fp.step_fingerprint(parts | {part: {"x": 2}}) != fp.step_fingerprint(parts)
    assert len(fp.step_fingerprint(parts)) == 16


def test_settings_text_keeps_the_letters_of_a_text_that_may_be_a_list():
    one, other = (
        fp.settings_text({"p": ExampleGenParams(comment=comment)})["p"]["comment"] for comment in ("no", "on")
    )
    assert (one, other) == ("no", "on")


def test_settings_text_keeps_the_order_of_a_list_unless_it_has_no_meaning():
    assert fp.settings_text({"p": DenseParams(units=(3, 5))}) != fp.settings_text({"p": DenseParams(units=(5, 3))})
    one, other = (ExampleGenParams(exclude=names) for names in (("a", "b"), ("b", "a", "b")))
    assert fp.settings_text({"p": one}) == fp.settings_text({"p": other})
    assert fp.settings_text({"p": one}) != fp.settings_text({"p": ExampleGenParams(exclude=("a",))})


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ([], []),
        (["/a/b/rides.csv"], ["00000 rides.csv"]),
        (["/a/may/rides.csv", "/a/june/rides.csv"], ["00000 may/rides.csv", "00001 june/rides.csv"]),
        (["/a/train/b.csv", "/a/train/c.csv"], ["00000 b.csv", "00001 c.csv"]),
    ],
)
def test_file_names_number_the_files_below_the_folder_that_holds_all(files, names):
    assert fp.file_names([Path(file) for file in files]) == names


@pytest.mark.parametrize(
    ("settings", "name"),
    [(TrainerParams, "checkpoint_every"), (TrainerParams, "cache_mib")],
)
def test_settings_text_leaves_out_what_has_no_effect_on_a_result(settings, name):
    """That it has none: tests of trainer, which compare bytes."""
    assert fp.settings_text({"p": settings(**{name: 7})}) == fp.settings_text({"p": settings()})


def test_settings_text_leaves_out_a_setting_where_another_takes_its_effect():
    texts = [fp.settings_text({"p": TrainerParams(shuffle=shuffle, shuffle_mib=7)}) for shuffle in (False, True)]
    assert texts[0] == fp.settings_text({"p": TrainerParams()})
    assert texts[1] != fp.settings_text({"p": TrainerParams(shuffle=True)})
