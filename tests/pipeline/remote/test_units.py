"""Tests which files of a root go together into a store, and which of them goes last."""

from __future__ import annotations

import pytest

from crossnet.pipeline.remote.units import by_unit, is_shard, is_whole, local_units, unit_of


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("artifacts/trainer_dense/f1/variables/data", "artifacts/trainer_dense/f1"),
        ("runs/a/run.json", "runs/a"),
        ("runs/index.html", "runs/index.html"),
        ("serving_models/rides/12.json", "serving_models/rides/12.json"),
        ("serving_models/rides/12/saved_model.pb", "serving_models/rides/12"),
        ("artifacts/trainer_dense/.damaged-f1/artifact.json", None),
        ("serving_models/rides/.lock", None),
        ("checkpoints/f1/checkpoint.npz", None),
        (".claims/a.json", None),
        ("artifacts/x", None),
    ],
)
def test_a_file_belongs_to_the_folder_that_is_made_at_once(path, unit):
    assert unit_of(path) == unit


def test_the_file_that_makes_a_unit_whole_is_the_last():
    files = ["artifacts/s/f/artifact.json", "artifacts/s/f/b", "artifacts/s/f/a"]
    assert by_unit(files) == {"artifacts/s/f": ["artifacts/s/f/a", "artifacts/s/f/b", "artifacts/s/f/artifact.json"]}
    assert is_whole("artifacts/s/f", files)
    assert not is_whole("artifacts/s/f", files[1:])
    assert is_whole("serving_models/m/1.json", ["serving_models/m/1.json"])


def test_rows_are_those_of_examples():
    assert is_shard("artifacts/example_gen/f/Split-train/data_tfrecord-00000-of-00001")
    assert is_shard("artifacts/example_gen/f/Split-train/data_columns-00000-of-00001.arrow")
    assert not is_shard("artifacts/example_gen/f/artifact.json")
    assert not is_shard("runs/data_tfrecord-a")


def test_records_of_runs_come_after_what_they_name_and_links_not_at_all(tmp_path):
    served = ("serving_models/m/1.json", "serving_models/m/1/saved_model.pb")
    for path in ("runs/a/run.json", "artifacts/s/f/artifact.json", "artifacts/s/half/data", *served):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "runs" / "a" / "s").symlink_to("../../artifacts/s/f")
    assert [*local_units(tmp_path).items()] == [
        ("artifacts/s/f", ["artifacts/s/f/artifact.json"]),
        ("serving_models/m/1.json", ["serving_models/m/1.json"]),
        ("serving_models/m/1", ["serving_models/m/1/saved_model.pb"]),
        ("runs/a", ["runs/a/run.json"]),
    ]
