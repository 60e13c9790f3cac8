from __future__ import annotations

import struct

import numpy as np
import pytest

from crossnet.components.records.uniform_reader import find_template
from crossnet.components.records.wire_format import tagged
from crossnet.serving.protocol.tfrecord import write_frame
from crossnet.serving.protocol.varint import varint
from support.example_records import feature

TYPES = {"a": "FLOAT", "i": "INT"}


def floats(*values: float) -> bytes:
    return feature(b"a", 0x12, tagged(0x0A, struct.pack(f"<{len(values)}f", *values)))


def integers(*values: int) -> bytes:
    return feature(b"i", 0x1A, tagged(0x0A, b"".join(varint(value & (1 << 64) - 1) for value in values)))


def record(number: float, whole: int) -> bytes:
    return tagged(0x0A, integers(whole) + floats(number))


def test_records_that_differ_in_their_numbers_are_read() -> None:
    template = find_template(record(1.5, 300), TYPES)
    assert template is not None
    assert template.size == len(write_frame(record(1.5, 300)))
    data = b"".join(write_frame(record(n / 2, 200 + n)) for n in range(100))
    columns = template.columns(data, 100)
    assert columns is not None
    for name, values, dtype in (
        ("a", [n / 2 for n in range(100)], np.float32),
        ("i", [200 + n for n in range(100)], np.int64),
    ):
        column = columns[name]
        assert (column.values.tolist(), column.present, column.lengths) == (values, None, None)
        assert column.values.dtype == dtype


def test_only_as_many_records_are_read_as_asked_for() -> None:
    template = find_template(record(1.5, 5), TYPES)
    assert template is not None
    columns = template.columns(write_frame(record(1, 2)) + write_frame(record(3, 4)) + b"cut", 1)
    assert columns is not None
    assert (columns["a"].values.tolist(), columns["i"].values.tolist()) == ([1], [2])


@pytest.mark.parametrize("whole", [0, 127, 128, 2**35, 2**63 - 1, -1, -(2**63)])
def test_integers_of_every_width_are_read(whole: int) -> None:
    template = find_template(record(1.5, whole), TYPES)
    assert template is not None
    columns = template.columns(write_frame(record(2.5, whole)), 1)
    assert columns is not None
    assert columns["i"].values.tolist() == [whole]


@pytest.mark.parametrize("whole", [5, 300, 70_000])  # of one, two and three bytes
def test_no_byte_of_a_record_can_change_unseen(whole: int) -> None:
    template = find_template(record(1.5, whole), TYPES)
    assert template is not None
    data = b"".join(write_frame(record(n / 2, whole + n)) for n in range(3))
    assert template.columns(data, 3) is not None
    for place in range(template.size):
        changed = bytearray(data)
        changed[template.size + place] ^= 1
        assert template.columns(bytes(changed), 3) is None, place


@pytest.mark.parametrize("other", [record(1.5, 127), record(1.5, 1 << 14), tagged(0x0A, floats(1.0))])
def test_a_record_of_another_length_is_not_read(other: bytes) -> None:
    template = find_template(record(1.5, 300), TYPES)
    assert template is not None
    data = write_frame(record(1.5, 300)) + write_frame(other) + bytes(40)
    assert template.columns(data, 2) is None


def test_an_integer_of_another_width_is_not_read_though_all_lengths_and_checksums_are_right() -> None:
    two = tagged(0x0A, feature(b"i", 0x1A, tagged(0x0A, b"\x85\x01")))
    for other in (b"\x05\x01", b"\x85\x81"):  # two integers, and one that does not end
        template = find_template(two, {"i": "INT"})
        assert template is not None
        frame = write_frame(tagged(0x0A, feature(b"i", 0x1A, tagged(0x0A, other))))
        assert template.columns(frame, 1) is None


OTHERS = {
    "a column too few": tagged(0x0A, floats(1.0)),
    "a column too many": tagged(0x0A, floats(1.0) + integers(1) + feature(b"z", 0x1A, tagged(0x0A, b"\x01"))),
    "another type": tagged(0x0A, feature(b"a", 0x1A, tagged(0x0A, b"\x01")) + integers(1)),
    "several values": tagged(0x0A, floats(1.0, 2.0) + integers(1)),
    "several integers": tagged(0x0A, floats(1.0) + integers(1, 2)),
    "an empty list": tagged(0x0A, feature(b"a", 0x12, b"") + integers(1)),
    "an unpacked number": tagged(0x0A, floats(1.0) + feature(b"i", 0x1A, b"\x08\x07")),
    "not a tf.train.Example": b"\xff",
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_other_records_have_no_template(other: bytes) -> None:
    assert find_template(other, TYPES) is None


def test_text_has_no_template() -> None:
    assert find_template(tagged(0x0A, feature(b"t", 0x0A, tagged(0x0A, b"x"))), {"t": "BYTES"}) is None


def wide(*values: float, name: bytes = b"c0299") -> bytes:
    names = [*(b"c%04d" % n for n in range(299)), name]
    return tagged(
        0x0A, b"".join(feature(n, 0x12, tagged(0x0A, struct.pack("<f", v))) for n, v in zip(names, values, strict=True))
    )


def test_wide_records_are_read_and_a_constant_byte_that_differs_in_any_of_them_is_seen() -> None:
    rows = np.random.default_rng(0).random((150, 300), np.float32)
    types = {f"c{n:04}": "FLOAT" for n in range(300)}
    template = find_template(wide(*rows[0]), types)
    assert template is not None
    framed = [write_frame(wide(*row)) for row in rows]
    columns = template.columns(b"".join(framed), 150)
    assert columns is not None
    np.testing.assert_array_equal(np.stack([columns[name].values for name in types], axis=1), rows)
    for changed in (0, 80, 149):
        other = [*framed[:changed], write_frame(wide(*rows[changed], name=b"c0298")), *framed[changed + 1 :]]
        assert template.columns(b"".join(other), 150) is None
