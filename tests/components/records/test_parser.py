"""Records written in every way that protobuf allows, read by the parser and among others by the mixed reader."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossnet.components.errors import DataError
from crossnet.components.records.parser import MalformedExampleError, other_message, parse_example
from crossnet.components.records.wire_format import tagged
from crossnet.serving.protocol.varint import varint
from support.example_records import feature, read_rows

FLOATS = tagged(0x0A, struct.pack("<2f", 1.5, 2.5))
UNPACKED = b"\x0d" + struct.pack("<f", 1.5) + b"\x0d" + struct.pack("<f", 2.5)
INTS = b"\x08\x07" + b"\x08" + varint((1 << 64) - 1)


ODD = {
    "unpacked floats": (tagged(0x0A, feature(b"a", 0x12, UNPACKED)), {"a": [1.5, 2.5]}),
    "unpacked integers": (tagged(0x0A, feature(b"i", 0x1A, INTS)), {"i": [7, -1]}),
    "two features messages": (
        tagged(0x0A, feature(b"a", 0x12, FLOATS)) + tagged(0x0A, feature(b"i", 0x1A, b"\x0a\x01\x05")),
        {"a": [1.5, 2.5], "i": [5]},
    ),
    "a name twice: the last holds": (
        tagged(0x0A, feature(b"i", 0x1A, b"\x0a\x01\x05") + feature(b"i", 0x1A, b"\x0a\x01\x06")),
        {"i": [6]},
    ),
    "another order": (
        tagged(0x0A, feature(b"t", 0x0A, b"\x0a\x01x") + feature(b"a", 0x12, FLOATS)),
        {"a": [1.5, 2.5], "t": [b"x"]},
    ),
    "unknown fields": (b"\x18\x07" + tagged(0x0A, feature(b"a", 0x12, FLOATS) + b"\x18\x01"), {"a": [1.5, 2.5]}),
    "a feature with no list": (tagged(0x0A, tagged(0x0A, tagged(0x0A, b"a") + b"\x12\x00")), {}),
    "a feature with an empty list": (tagged(0x0A, feature(b"a", 0x12, b"")), {}),
    "packed floats of no number": (tagged(0x0A, feature(b"a", 0x12, b"\x0a\x00")), {}),
    "several texts": (tagged(0x0A, feature(b"t", 0x0A, b"\x0a\x01x\x0a\x00")), {"t": [b"x", b""]}),
    "no features": (b"\x0a\x00", {}),
    "nothing at all": (b"", {}),
}


@pytest.mark.parametrize(("record", "expected"), ODD.values(), ids=ODD)
def test_odd_records_are_read_as_tensorflow_reads_them(record: bytes, expected: dict[str, list[object]]) -> None:
    import tensorflow as tf

    theirs = tf.train.Example.FromString(record).features.feature
    kinds = {"a": "float_list", "i": "int64_list", "t": "bytes_list"}
    assert {name: list(getattr(theirs[name], kinds[name]).value) for name in expected} == expected

    parsed = {name: feature.values for name, feature in parse_example(record).items() if feature.values}
    assert parsed == expected
    plain = tagged(0x0A, feature(b"a", 0x12, tagged(0x0A, struct.pack("<f", 9.0))))
    rows = read_rows([plain, record, plain], {"a": "FLOAT", "i": "INT", "t": "BYTES"})
    assert rows["a"] == [[9.0], expected.get("a", []), [9.0]]
    assert rows["i"] == [[], expected.get("i", []), []]
    assert rows["t"] == [[], expected.get("t", []), []]


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    record = tagged(0x0A, feature(b"a", 0x12, FLOATS))
    for broken in (data, record[: len(data)], record + data):
        try:
            expected = {name: f for name, f in parse_example(broken).items() if name in ("a", "i") and f.values}
        except MalformedExampleError:
            with pytest.raises(DataError, match="p` record 10 is not a tf.train.Example: "):
                read_rows([broken], {"a": "FLOAT", "i": "INT"})
            continue
        if all(f.kind == {"a": "FLOAT", "i": "INT"}[name] for name, f in expected.items()):
            rows = read_rows([broken], {"a": "FLOAT", "i": "INT"})
            assert rows == {name: [expected[name].values if name in expected else []] for name in ("a", "i")}


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (b"", ""),
        (b"\x0a\x00", ""),
        (b"\x0a\x00\x12\x00", "a tf.train.SequenceExample"),
        (b"\x12\x00", "a tf.train.SequenceExample"),
        (b"\x0a\x00\x1a\x00", ""),  # an unknown field, as protobuf allows
        (b"\x22\x01a", "a message with field 4 and without features"),
        (b"\xff", ""),
    ],
)
def test_other_messages_are_told_apart_from_examples(record: bytes, words: str) -> None:
    assert other_message(record) == words
