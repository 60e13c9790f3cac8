from __future__ import annotations

import random
import struct
from pathlib import Path

import numpy as np
import pytest

from crossnet.components.errors import DataError
from crossnet.components.records.mixed_reader import UnknownFeatureError, read_mixed_records
from crossnet.components.records.parser import MalformedExampleError, parse_example
from crossnet.components.records.texts import TEXT
from crossnet.components.records.tfrecord import split_frames
from crossnet.components.records.uniform_reader import Column
from crossnet.components.records.wire_format import tagged
from crossnet.serving.protocol.tfrecord import write_frame
from support.example_records import feature, read_rows

TYPES = {"a": "FLOAT", "i": "INT", "t": "BYTES"}


def test_read_mixed_records_agrees_with_the_parser_on_records_with_changed_bytes() -> None:
    content = feature(b"a", 0x12, tagged(0x0A, struct.pack("<f", 1.5))) + feature(b"i", 0x1A, b"\x0a\x03\x05\xff\x01")
    record = tagged(0x0A, content + feature(b"t", 0x0A, b"\x0a\x02xy"))
    assert read_rows([record], TYPES) == {"a": [[1.5]], "i": [[5, 255]], "t": [[b"xy"]]}
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
                read_rows([record, bytes(changed), record], TYPES)
            continue
        outcomes.add("read")
        rows = read_rows([record, bytes(changed), record], TYPES)
        for name in TYPES:
            assert repr(rows[name][1]) == repr(expected[name].values if name in expected else []), bytes(changed)
    assert outcomes == {"read", "refused"}


def number(value: float, name: bytes = b"a") -> bytes:
    return feature(name, 0x12, tagged(0x0A, struct.pack("<f", value)))


def numbers(*values: float) -> bytes:
    return feature(b"a", 0x12, tagged(0x0A, struct.pack(f"<{len(values)}f", *values)))


def text(*values: bytes, name: bytes = b"t") -> bytes:
    return feature(name, 0x0A, b"".join(tagged(0x0A, value) for value in values))


def unpacked(*values: float) -> bytes:
    return feature(b"a", 0x12, b"".join(b"\x0d" + struct.pack("<f", value) for value in values))


def read(*contents: bytes, **types: str) -> dict[str, Column]:
    data = b"".join(write_frame(tagged(0x0A, content)) for content in contents)
    return read_mixed_records(data, *split_frames(data)[:2], types, path=Path("p"), first_record=0)


def test_a_column_that_every_row_has_is_an_array_and_nothing_else() -> None:
    columns = read(number(1.5) + text(b"x"), number(2.5) + text(b""), a="FLOAT", t="BYTES")
    assert list(columns) == ["a", "t"]
    for name, values, dtype in (("a", [1.5, 2.5], np.float32), ("t", [b"x", b""], TEXT)):
        column = columns[name]
        assert (column.values.tolist(), column.present, column.lengths) == (values, None, None)
        assert (column.values.type if name == "t" else column.values.dtype) == dtype


def test_a_missing_value_is_zero_or_no_bytes_and_not_present() -> None:
    columns = read(number(1.5), text(b"x"), b"", a="FLOAT", i="INT", t="BYTES")
    assert columns["a"].values.tolist() == [1.5, 0, 0]
    assert columns["a"].present is not None
    assert columns["a"].present.tolist() == [True, False, False]
    assert columns["t"].values.tolist() == [b"", b"x", b""]
    assert columns["t"].present is not None
    assert columns["t"].present.tolist() == [False, True, False]
    assert columns["i"].values.dtype == np.int64
    assert columns["i"].present is not None
    assert not columns["i"].present.any()


def test_several_values_are_given_row_by_row_with_lengths() -> None:
    columns = read(numbers(1, 2, 3), number(4), numbers(5, 6), a="FLOAT")
    assert columns["a"].values.tolist() == [1, 2, 3, 4, 5, 6]
    assert columns["a"].present is None
    assert columns["a"].lengths is not None
    assert columns["a"].lengths.tolist() == [3, 1, 2]
    columns = read(number(4), b"", text(b"x", b"y"), a="FLOAT", t="BYTES")
    assert columns["a"].lengths is None
    assert columns["t"].values.tolist() == [b"x", b"y"]
    assert columns["t"].lengths is not None
    assert columns["t"].lengths.tolist() == [0, 0, 2]
    assert columns["t"].present is not None
    assert columns["t"].present.tolist() == [False, False, True]


@pytest.mark.parametrize("several", [False, True])
def test_records_read_one_by_one_keep_their_place(several: bool) -> None:
    """The parser's values replace what was read of the same record before it proved unusual."""
    more = (8.0, 9.0) if several else ()
    late = number(3) + feature(b"z", 0x12, b"") + text(b"late")  # `a` is read before the unknown `z` is seen
    rows = read_rows(
        [tagged(0x0A, content) for content in (number(1), unpacked(2, *more), late, b"", number(5) + number(6))],
        {"a": "FLOAT", "t": "BYTES"},
    )
    assert rows == {"a": [[1], [2, *more], [3], [], [6]], "t": [[], [], [b"late"], [], []]}


def test_what_was_read_of_an_unusual_record_is_forgotten() -> None:
    """A name twice: the last holds, here a list without values, or of fewer values than the first."""
    nothing = feature(b"a", 0x12, b"")
    records = [tagged(0x0A, content) for content in (number(1), number(5) + nothing, number(3))]
    assert read_rows(records, {"a": "FLOAT"}) == {"a": [[1], [], [3]]}
    contents = (numbers(1, 2), numbers(5, 6, 7) + number(8), numbers(3, 4))
    assert read_rows([tagged(0x0A, content) for content in contents], {"a": "FLOAT"}) == {"a": [[1, 2], [8], [3, 4]]}


def test_unknown_features_are_ignored_unless_strict_and_without_values_always() -> None:
    known, empty, unknown = number(1), feature(b"y", 0x12, b""), text(b"x", name=b"z")
    records = [tagged(0x0A, content) for content in (known + unknown, empty + known)]
    assert read(known + unknown, empty + known, a="FLOAT")["a"].values.tolist() == [1, 1]
    assert read_rows(records[1:], {"a": "FLOAT"}, strict=True) == {"a": [[1]]}
    with pytest.raises(UnknownFeatureError) as caught:
        read_rows(records, {"a": "FLOAT"}, strict=True)
    assert caught.value.features == {"z": "BYTES"}


def test_a_list_of_another_type_without_values_is_a_missing_value() -> None:
    assert read_rows([tagged(0x0A, feature(b"a", 0x0A, b""))], {"a": "FLOAT"}) == {"a": [[]]}


def test_a_record_with_another_type_is_named() -> None:
    records = [tagged(0x0A, number(9)), tagged(0x0A, text(b"x", name=b"a"))]
    message = "`p` record 11: `a` is BYTES, but FLOAT in the records before it. Write the files with one type per"
    with pytest.raises(DataError, match=message):
        read_rows(records, {"a": "FLOAT"})


def test_packed_floats_of_five_bytes_are_named() -> None:
    records = [tagged(0x0A, number(9)), tagged(0x0A, feature(b"a", 0x12, tagged(0x0A, bytes(5))))]
    message = "`p` record 11 is not a tf.train.Example: packed floats do not fill whole 4 bytes. Expected TFRecord data"
    with pytest.raises(DataError, match=message):
        read_rows(records, {"a": "FLOAT"})
