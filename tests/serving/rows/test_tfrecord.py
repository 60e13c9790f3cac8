"""TFRecords are read and written as TensorFlow does it, and damage is found."""

from __future__ import annotations

import google_crc32c
import numpy as np
import pytest

from crossnet.serving.protocol.tfrecord import mask_crc
from crossnet.serving.status import RowsError
from support.row_files import ONE, answered, example, read, tfrecords


def test_files_written_by_tensorflow_are_read(tmp_path):
    import tensorflow as tf

    records = [example(x=1.0), b"", example(x=2.0)]
    with tf.io.TFRecordWriter(str(tmp_path / "rows")) as writer:
        for record in records:
            writer.write(record)
    assert [tuple(row) for row in read((tmp_path / "rows").read_bytes(), "tfrecord")] == [
        (f"rows record {i}", record, "") for i, record in enumerate(records, 1)
    ]


def test_files_that_are_written_are_read_by_tensorflow(tmp_path):
    import tensorflow as tf

    outputs = {
        "prediction": np.array([0.25], np.float32),
        "zone": np.array([b"n"], object),
        "count": np.array([[1, 2]], np.uint32),
    }
    (tmp_path / "out").write_bytes(answered(tfrecords(example(x=1.5)), "tfrecord", **outputs))
    (record,) = tf.data.TFRecordDataset(str(tmp_path / "out")).as_numpy_iterator()
    features = tf.train.Example.FromString(record).features.feature
    assert list(features["x"].float_list.value) == [1.5]
    assert list(features["prediction"].float_list.value) == [0.25]
    assert list(features["zone"].bytes_list.value) == [b"n"]
    assert list(features["count"].int64_list.value) == [1, 2]


@pytest.mark.parametrize("cut", [1, 11, 13, 20])
def test_file_that_is_cut_short_is_named(cut):
    with pytest.raises(RowsError, match="rows record 1 (does not begin with a valid length|is damaged or cut short)"):
        read(tfrecords(example(x=1.0))[:cut], "tfrecord")


def test_flipped_bit_is_found():
    content = bytearray(tfrecords(example(x=1.0), example(x=2.0)))
    content[-6] ^= 1
    with pytest.raises(RowsError, match="rows record 2 is damaged or cut short: its checksum is wrong. Make it again"):
        read(bytes(content), "tfrecord")


def test_absurd_length_is_refused_without_asking_for_the_memory():
    length = (2**60).to_bytes(8, "little")
    masked = mask_crc(google_crc32c.value(length))
    with pytest.raises(RowsError, match="rows record 1 has 1,152,921,504,606,846,976 bytes by its header; a record"):
        read(length + masked.to_bytes(4, "little"), "tfrecord")


def test_record_above_the_limit_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr("crossnet.serving.rows.tfrecord.MAX_RECORD_BYTES", 8)
    assert len(read(tfrecords(b"12345678"), "tfrecord")) == 1
    with pytest.raises(RowsError, match="rows record 2 has 9 bytes by its header; a record holds at most . MiB"):
        read(tfrecords(b"12345678", b"123456789")[:-4], "tfrecord")


def test_record_that_is_not_an_example_is_named():
    with pytest.raises(RowsError, match="rows record 1 is not a tf.train.Example. Write the records as Examples"):
        answered(tfrecords(b"\xff\xff"), "tfrecord", **ONE)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.array([1j]), "Output `p` is complex128, which tf.train.Example cannot hold"),
        (np.array([2**63], np.uint64), "Output `p` holds numbers beyond int64, which tf.train.Example cannot hold"),
    ],
)
def test_output_that_an_example_cannot_hold_is_refused(values, sentence):
    with pytest.raises(RowsError, match=sentence):
        answered(tfrecords(example(x=1.0)), "tfrecord", p=values)
