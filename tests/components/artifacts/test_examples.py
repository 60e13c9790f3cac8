import pytest

from crossnet.components.artifacts.examples import ExampleColumn, Examples, shard_path
from crossnet.components.errors import MissingArtifactError


@pytest.fixture
def examples(tmp_path):
    """Two train shards and one eval shard, written out of order."""
    for split, number, total in (("eval", 0, 1), ("train", 1, 2), ("train", 0, 2)):
        path = shard_path(tmp_path, split, number, total, "GZIP")
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return Examples(tmp_path, {"train": 2, "eval": 1}, {"label": "fare", "compression": "GZIP"})


def test_shards_are_named_as_in_tfx(tmp_path):
    assert shard_path(tmp_path, "train", 3, 12, "") == tmp_path / "Split-train/data_tfrecord-00003-of-00012"
    assert shard_path(tmp_path, "eval", 0, 1, "GZIP").name == "data_tfrecord-00000-of-00001.gz"


def test_examples_know_their_splits_and_shards_in_order(examples):
    assert examples.splits == ("train", "eval")
    assert [path.name for path in examples.shards("train")] == [
        "data_tfrecord-00000-of-00002.gz",
        "data_tfrecord-00001-of-00002.gz",
    ]
    assert (examples.label, examples.compression) == ("fare", "GZIP")


def test_examples_name_the_splits_that_are_there(examples):
    with pytest.raises(MissingArtifactError, match=r"No split `test` in .*\. There are: train, eval\."):
        examples.shards("test")


def test_examples_know_their_columns_by_both_names(tmp_path):
    columns = [
        {"name": "trip_miles", "source_name": "trip miles", "type": "FLOAT"},
        {"name": "zone", "source_name": "zone", "type": "BYTES"},
    ]
    examples = Examples(tmp_path, {}, {"columns": columns, "source": "csv"})
    assert examples.columns == (ExampleColumn("trip_miles", "trip miles", "FLOAT"), ("zone", "zone", "BYTES"))
    assert examples.column_types == {"trip_miles": "FLOAT", "zone": "BYTES"}
    assert examples.source == "csv"


def test_times_of_day_have_a_form_and_those_of_an_older_version_are_hhmm(tmp_path):
    assert Examples(tmp_path, {}, {"clock": {"at": "hhmmss"}}).clock == {"at": "hhmmss"}
    assert Examples(tmp_path, {}, {"clock": ["dep"]}).clock == {"dep": "hhmm"}
    assert Examples(tmp_path, {}, {}).clock == {}
