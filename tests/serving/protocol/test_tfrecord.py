from __future__ import annotations

import subprocess
import sys

import google_crc32c
import numpy as np
import pytest

from crossnet.serving.protocol.tfrecord import (
    HEADER_BYTES,
    footer_of,
    header_of,
    mask_crc,
    read_body,
    read_header,
    write_frame,
)
from support import REPOSITORY


def test_frames_are_those_of_tensorflow(tmp_path):
    import tensorflow as tf

    records = [b"one", b"", bytes(range(256)) * 3]
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.write_bytes(b"".join(map(write_frame, records)))
    with tf.io.TFRecordWriter(str(theirs)) as writer:
        for record in records:
            writer.write(record)
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("record", [b"", b"x", bytes(range(256)) * 3])
def test_a_frame_is_read_as_it_was_written(record):
    frame = write_frame(record)
    assert read_header(frame[:HEADER_BYTES]) == len(record)
    assert read_body(frame[HEADER_BYTES:], len(record)) == record


def test_a_frame_may_be_made_of_pieces():
    crc = google_crc32c.value(b"ab")
    assert b"".join((header_of(6), b"ab", b"cd", b"", b"ef", footer_of((b"cd", b"", b"ef"), crc))) == write_frame(
        b"abcdef"
    )


@pytest.mark.parametrize("size", [0, 7, 11, 13])
def test_a_header_of_another_size_is_refused(size):
    with pytest.raises(ValueError, match="a TFRecord header is cut short, or its checksum is wrong"):
        read_header(write_frame(b"abc")[:size])


@pytest.mark.parametrize("byte", range(HEADER_BYTES))
def test_a_header_with_a_changed_byte_is_refused(byte):
    header = bytearray(write_frame(b"abc")[:HEADER_BYTES])
    header[byte] ^= 1
    with pytest.raises(ValueError, match="a TFRecord header"):
        read_header(bytes(header))


@pytest.mark.parametrize("size", [0, 2, 3, 6, 8])
def test_a_body_of_another_size_is_refused(size):
    body = (write_frame(b"abc") + b"\0")[HEADER_BYTES:]
    with pytest.raises(ValueError, match="a TFRecord is cut short, or its checksum is wrong"):
        read_body(body[:size], 3)


@pytest.mark.parametrize("byte", range(7))
def test_a_body_with_a_changed_byte_is_refused(byte):
    body = bytearray(write_frame(b"abc")[HEADER_BYTES:])
    body[byte] ^= 1
    with pytest.raises(ValueError, match="a TFRecord is cut short"):
        read_body(bytes(body), 3)


def test_a_checksum_is_the_masked_crc32c():
    assert google_crc32c.value(b"123456789") == 0xE3069283  # RFC 3720's check value
    assert mask_crc(0) == 0xA282EAD8
    assert mask_crc(0x8000) == 0xA282EAD9 + (0x8000 << 17 & 0xFFFFFFFF)


def test_many_checksums_are_masked_as_one_is():
    crcs = np.array([0, 1, 0x7FFF, 0x8000, 0xE3069283, 0xFFFFFFFF], np.uint32)
    masked = mask_crc(crcs)
    assert masked.dtype == np.uint32
    assert masked.tolist() == [mask_crc(crc) for crc in crcs.tolist()]


def test_the_checksum_library_is_imported_only_when_a_record_is_read():
    code = "import sys, crossnet.serving.rows.formats; print('google_crc32c' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert done.stdout.strip() == "False"
