from __future__ import annotations

import random
import struct

import numpy as np
import pytest

from crossnet.components.errors import DataError
from crossnet.components.records.mixed_reader import UnknownFeatureError, ragged_index
from crossnet.components.records.parser import MalformedExampleError, parse_example
from crossnet.components.records.wire_format import tagged
from support.example_records import feature, walk

TYPES = {"a": "FLOAT", "i": "INT", "t": "BYTES"}


def test_walk_columns_agrees_with_the_parser_on_records_with_changed_bytes() -> None:
    content = feature(b"a", 0x12, tagged(0x0A, struct.pack("<f", 1.5))) + feature(b"i", 0x1A, b"\x0a\x03\x05\xff\x01")
    record = tagged(0x0A, content + feature(b"t", 0x0A, b"\x0a\x02xy"))
    assert walk([record], TYPES) == {"a": [[1.5]], "i": [[5, 255]], "t": [[b"xy"]]}
    choose = random.Random(5)
    outcomes = set()
    for _ in range(1500):
        changed = bytearray(record)
        for _ in range(choose.choice((1, 1, 2))):
            place = choose.randrange(len(changed))
            changed[place] = choose.choice((choose.randrange(256), changed[place] ^ 1, 0, 0x80, 0x0A))
        try:
            expected = {n: f for n, f in parse_example(bytes(changed)).items() if n in TYPES and f.values}
        except MalformedExampleError:
            expected = None
        if expected is None or any(f.kind != TYPES[name] for name, f in expected.items()):
            outcomes.add("refused")
            with pytest.raises(DataError, match="`p` record 11"):
                walk([record, bytes(changed), record], TYPES)
            continue
        outcomes.add("read")
        rows = walk([record, bytes(changed), record], TYPES)
        for name in TYPES:
            assert repr(rows[name][1]) == repr(expected[name].values if name in expected else []), bytes(changed)
    assert outcomes == {"read", "refused"}


def test_ragged_index_joins_ranges() -> None:
    assert ragged_index(np.array([5, 0, 9]), np.array([2, 0, 3])).tolist() == [5, 6, 9, 10, 11]


def test_walk_columns_names_the_record_with_another_type_and_unknown_features() -> None:
    good = tagged(0x0A, feature(b"a", 0x12, tagged(0x0A, struct.pack("<f", 9.0))))
    other = tagged(0x0A, feature(b"a", 0x0A, b"\x0a\x01x"))
    with pytest.raises(DataError, match="`p` record 11: `a` is BYTES, in the records before it is FLOAT"):
        walk([good, other], {"a": "FLOAT"})
    with pytest.raises(UnknownFeatureError) as caught:
        walk([good, tagged(0x0A, feature(b"z", 0x0A, b"\x0a\x01x"))], {"a": "FLOAT"}, strict=True)
    assert caught.value.features == {"z": "BYTES"}
