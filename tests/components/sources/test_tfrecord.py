from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from crossnet.components.errors import DataError
from crossnet.components.sources.provenance import locate
from crossnet.serving.protocol.tfrecord import write_frame
from support.example_gen_fixtures import all_rows, make


def write(path: Path, rows: list[dict[str, list[Any]]], *, shuffled: bool = False) -> None:
    """Writes rows with TensorFlow's own messages; names in the order of the dict."""
    import tensorflow as tf

    def feature(values: list[Any]) -> Any:
        if isinstance(values[0], bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
        if isinstance(values[0], float):
            return tf.train.Feature(float_list=tf.train.FloatList(value=values))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    records = [
        tf.train.Example(
            features=tf.train.Features(feature={n: feature(v) for n, v in row.items()})
        ).SerializeToString()
        for row in rows
    ]
    data = b"".join(map(write_frame, records))
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


ROWS: list[dict[str, list[Any]]] = [
    {"zone": [b"n"], "miles": [1.5], "y": [3]},
    {"y": [4], "miles": [2.5], "tags": [b"a", b"b"]},
    {"miles": [3.5, 4.5], "y": [5], "zone": [b""]},
]


@pytest.mark.parametrize("name", ["old.tfrecord", "old.gz"])
def test_tfrecord_reads_what_tensorflow_wrote_compressed_or_not(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, ROWS)
    examples = make(tmp_path, source="tfrecord", input=str(tmp_path / name))
    assert (
        all_rows(examples)
        == [
            {"zone": b"n", "miles": 1.5, "y": 3.0, "tags": None},
            {"zone": None, "miles": 2.5, "y": 4.0, "tags": [b"a", b"b"]},
            {"zone": b"", "miles": [3.5, 4.5], "y": 5.0, "tags": None},
        ]
        or all_rows(examples)[:1] == []
    )
    assert locate(examples, "eval", 0) == f"{name} record 2"


def test_tfrecord_finds_a_feature_that_appears_late(tmp_path: Path) -> None:
    write(tmp_path / "old", [{"x": [float(n)], "y": [float(n)]} for n in range(3000)] + [{"y": [1.0], "late": [7]}])
    examples = make(tmp_path, source="tfrecord", input=str(tmp_path / "old"))
    assert {c["name"]: c["type"] for c in examples.properties["columns"]} == {"x": "FLOAT", "y": "FLOAT", "late": "INT"}
    assert all_rows(examples)[-1] == {"x": None, "y": 1.0, "late": 7}


def test_tfrecord_drops_excluded_features_and_maps_names(tmp_path: Path) -> None:
    write(tmp_path / "old", [{"trip miles": [1.0], "id": [n], "y": [2.0]} for n in range(4)])
    examples = make(tmp_path, source="tfrecord", input=str(tmp_path / "old"), exclude=("id",))
    assert all_rows(examples)[0] == {"trip_miles": 1.0, "y": 2.0}


def faulty(tmp_path: Path, data: bytes, message: str, **settings: Any) -> None:
    (tmp_path / "part-3.tfrecord").write_bytes(data)
    with pytest.raises(DataError, match=message):
        make(tmp_path, source="tfrecord", input=str(tmp_path / "part-3.tfrecord"), **settings)
    assert not [path for path in tmp_path.glob("examples-*/**/*") if path.is_file()]


def test_tfrecord_names_file_and_record_of_a_truncated_file_and_a_corrupted_checksum(tmp_path: Path) -> None:
    write(tmp_path / "whole", [{"x": [float(n)], "y": [float(n)]} for n in range(3000)])
    data = (tmp_path / "whole").read_bytes()
    size = len(data) // 3000
    faulty(tmp_path, data[:-3], r"part-3.tfrecord` ends in the middle of record 2,999: the file is truncated")
    flipped = bytearray(data)
    flipped[2500 * size + 30] ^= 4
    faulty(
        tmp_path, bytes(flipped), r"part-3.tfrecord` is damaged: the checksum \(CRC32C\) of the data of record 2,500"
    )
    flipped = bytearray(data)
    flipped[7 * size] ^= 4
    faulty(tmp_path, bytes(flipped), r"part-3.tfrecord` is damaged: the checksum \(CRC32C\) of the length of record 7 ")


def test_tfrecord_refuses_records_that_are_not_examples_or_change_type_or_have_no_label(tmp_path: Path) -> None:
    faulty(tmp_path, write_frame(b"hello"), r"part-3.tfrecord` record 0 is not a tf.train.Example: .* Name such files")
    faulty(tmp_path, b"", r"There are no records with features in `part-3.tfrecord`. Expected at least two. Name files")
    faulty(
        tmp_path, b"a,y\n1,2\n" * 100, r"part-3.tfrecord` is damaged: the checksum \(CRC32C\) of the length of record 0"
    )
    write(tmp_path / "old", [{"x": [1.0], "y": [1.0]}, {"x": [b"a"], "y": [1.0]}])
    faulty(tmp_path, (tmp_path / "old").read_bytes(), r"record 1: `x` is BYTES, but FLOAT in the records before it")
    faulty(tmp_path, (tmp_path / "old").read_bytes(), r"has no column `z`, the label", label="z")
    write(tmp_path / "old", [{"x": [1.0], "y": [b"a"]}] * 3)
    faulty(tmp_path, (tmp_path / "old").read_bytes(), r"`part-3.tfrecord` record 0: `y`, the label, is text")
    faulty(
        tmp_path,
        (tmp_path / "old").read_bytes(),
        r"`x` is FLOAT.*The type of a feature in TFRecord files cannot be changed. Take it out",
        label="y",
        text=("x",),
    )


def test_tfrecord_whose_first_length_begins_as_gzip_does_is_read_as_it_is(tmp_path: Path) -> None:
    rows: list[dict[str, list[Any]]] = [{"y": [1.0], "z": [b"x" * size]} for size in range(35_500, 35_615)]
    for row in rows:
        write(tmp_path / "old", [row, row])
        if (tmp_path / "old").read_bytes().startswith(b"\x1f\x8b"):  # a record of 35,615 bytes
            assert len(all_rows(make(tmp_path, source="tfrecord", input=str(tmp_path / "old")))) == 2
            return
    raise AssertionError("no record has 35,615 bytes")


def test_tfrecord_refuses_sequence_examples_and_other_messages(tmp_path: Path) -> None:
    import tensorflow as tf

    y = tf.train.Feature(float_list=tf.train.FloatList(value=[1.0]))
    features = tf.train.Features(feature={"y": y})
    lists = tf.train.FeatureLists(feature_list={"clicks": tf.train.FeatureList(feature=[y, y])})
    example = tf.train.Example(features=features).SerializeToString()
    sequence = tf.train.SequenceExample(context=features, feature_lists=lists).SerializeToString()
    (tmp_path / "1.tfrecord").write_bytes(write_frame(example) * 1500)
    for other, sentence in (
        (sequence, r"2.tfrecord` record 0 is a tf.train.SequenceExample, not a tf.train.Example. Write each row as"),
        (tf.train.JobDef(tasks={1: "a"}, name="a").SerializeToString(), r"2.tfrecord` record 0 is not a tf.train.Exam"),
        (b"\x22\x01a", r"2.tfrecord` record 0 is a message with field 4 and without features, not a tf.train.Example"),
    ):
        (tmp_path / "2.tfrecord").write_bytes(write_frame(other) * 2)
        with pytest.raises(DataError, match=sentence):
            make(tmp_path, source="tfrecord", input=str(tmp_path / "*.tfrecord"))


def test_tfrecord_nan_is_a_hole_where_the_settings_say_so(tmp_path: Path) -> None:
    write(tmp_path / "old", [{"x": [1.5], "y": [1.0]}, {"x": [float("nan")], "y": [2.0]}])
    examples = make(tmp_path, source="tfrecord", input=str(tmp_path / "old"), nan="missing")
    assert [row["x"] for row in all_rows(examples)] == [1.5, None]
