from __future__ import annotations

import struct

from crossnet.components.records.uniform_reader import find_layout
from crossnet.components.records.wire_format import tagged
from crossnet.serving.protocol.tfrecord import write_frame
from crossnet.serving.protocol.varint import varint
from support.example_records import feature


def test_layout_reads_equal_records_and_refuses_the_first_difference() -> None:
    def record(number: float, whole: int) -> bytes:
        a = feature(b"a", 0x12, tagged(0x0A, struct.pack("<f", number)))
        return tagged(0x0A, a + feature(b"i", 0x1A, tagged(0x0A, varint(whole))))

    types = {"a": "FLOAT", "i": "INT"}
    layout = find_layout(record(1.5, 300), types)
    assert layout is not None
    data = b"".join(write_frame(record(n / 2, 200 + n)) for n in range(100))
    columns = layout.columns(data, 100)
    assert columns is not None
    assert columns["a"].values.tolist() == [n / 2 for n in range(100)]
    assert columns["i"].values.tolist() == [200 + n for n in range(100)]
    for place in range(len(data) // 100):  # no byte of a record can change unseen
        changed = bytearray(data)
        changed[len(data) // 2 + place] ^= 1
        assert layout.columns(bytes(changed), 100) is None, place
    assert find_layout(record(1.5, 300), {"a": "FLOAT"}) is None
    assert find_layout(b"\xff", types) is None
