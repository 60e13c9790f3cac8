"""Records written by hand, in the usual way and in others, and what cursors make of them."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossnet.components.records.cursors import Cursors, FoundColumn, distinct, entry_header, ragged_index
from crossnet.components.records.texts import TEXT, as_objects
from crossnet.components.records.wire_format import FEATURE_TAGS, tagged
from crossnet.serving.protocol.messages import Example
from crossnet.serving.protocol.varint import varint
from support.example_records import feature

ONE = struct.pack("<f", 1.5)
LONG = 1 << 21  # a length of four bytes
Taken = dict[int, list[object]]


def taken(found: FoundColumn) -> Taken:
    """Returns the values by row."""
    parts = np.split(as_objects(found.values), np.cumsum(found.counts)[:-1])
    return dict(zip(found.rows.tolist(), [part.tolist() for part in parts], strict=True)) if len(found.rows) else {}


def take(records: list[bytes], **types: str) -> tuple[dict[str, Taken], list[int]]:
    """Returns what cursors take of the columns, and the rows that they leave unread. Between records is rubbish."""
    sizes = np.array([len(record) for record in records], np.int64)
    offsets = 4 + np.cumsum(sizes + 4) - (sizes + 4)
    cursors = Cursors(b"\x0a\x0a\x0a\x0a" + b"\x0a\x0a\x0a\x0a".join(records), offsets, sizes)
    columns = {name: taken(cursors.take(name, kind)) for name, kind in types.items()}
    return columns, cursors.unread().tolist()


def record(**lists: bytes) -> bytes:
    """Returns a record of features by name, each given as the tag and the content of its list."""
    return tagged(0x0A, b"".join(feature(name.encode(), field[0], field[1:]) for name, field in lists.items()))


def floats(*values: float) -> bytes:
    return b"\x12" + tagged(0x0A, struct.pack(f"<{len(values)}f", *values))


def integers(*values: int) -> bytes:
    return b"\x1a" + tagged(0x0A, b"".join(varint(value & (1 << 64) - 1) for value in values))


def texts(*values: bytes) -> bytes:
    return b"\x0a" + b"".join(tagged(0x0A, value) for value in values)


# The beginning of an entry.


KEY = tagged(0x0A, b"miles") + b"\x12"


def entry(kind: str, values: bytes) -> bytes:
    """Returns a map entry without its own tag and length."""
    content = values if kind == "BYTES" else tagged(0x0A, values)
    return tagged(0x0A, b"miles") + tagged(0x12, tagged(FEATURE_TAGS[kind], content))


@pytest.mark.parametrize("kind", ["FLOAT", "INT", "BYTES"])
def test_entry_header_is_what_stands_before_the_values(kind: str) -> None:
    around = [edge + n for edge in (1 << 7, 1 << 14, LONG) for n in range(-24, 4)]
    for size in [*range(4, 130), *around]:
        if kind == "FLOAT" and size % 4:
            continue
        content = entry(kind, bytes(size))
        assert entry_header(KEY, kind, len(content)) == tagged(0x0A, content)[:-size], size


@pytest.mark.parametrize("kind", ["FLOAT", "INT", "BYTES"])
@pytest.mark.parametrize("content", [b"", "empty list"])
def test_entry_header_of_an_entry_without_values_is_all_of_it(kind: str, content: bytes | str) -> None:
    example = Example()
    made = example.features.feature["miles"]
    if content:
        {"FLOAT": made.float_list, "INT": made.int64_list, "BYTES": made.bytes_list}[kind].SetInParent()
    whole = example.features.SerializeToString()
    assert entry_header(KEY, kind, len(whole) - 2) == whole


@pytest.mark.parametrize("kind", ["FLOAT", "INT", "BYTES"])
def test_entry_header_is_empty_for_a_size_that_no_entry_has(kind: str) -> None:
    for size in (0, 1, len(KEY) - 1, len(KEY), len(KEY) + 2):
        assert entry_header(KEY, kind, size) == b""
    # Where one byte more of values lengthens a length too, the size between does not exist.
    exist = {len(entry(kind, bytes(n))) for n in range(0, 400, 4 if kind == "FLOAT" else 1)}
    sizes = range(len(KEY) + 4, 400)
    assert [n for n in sizes if entry_header(KEY, kind, n)] == [n for n in sizes if n in exist]
    assert set(range(len(KEY) + 6, 300)) - exist


def test_entry_header_of_floats_of_five_bytes_is_empty() -> None:
    size = len(KEY) + 1 + 4 + 4
    assert entry_header(KEY, "FLOAT", size)
    assert entry_header(KEY, "FLOAT", size + 1) == b""
    assert entry_header(KEY, "INT", size + 1)


# Records written in the usual way.


def test_columns_are_taken_in_step_where_rows_have_them() -> None:
    rows = [
        record(a=floats(1.5), i=integers(7), t=texts(b"x")),
        record(i=integers(-1), t=texts(b"")),
        b"",
        record(a=floats(2.5, -0.0), t=texts(b"y", b"", b"zz")),
        record(),
        record(a=floats(4.0), i=integers(1, 300, -(2**63), 2**63 - 1)),
    ]
    columns, unread = take(rows, a="FLOAT", i="INT", t="BYTES")
    assert columns["a"] == {0: [1.5], 3: [2.5, -0.0], 5: [4.0]}
    assert columns["i"] == {0: [7], 1: [-1], 5: [1, 300, -(2**63), 2**63 - 1]}
    assert columns["t"] == {0: [b"x"], 1: [b""], 3: [b"y", b"", b"zz"]}
    assert unread == []


def test_a_column_that_no_row_has_is_empty_and_of_its_type() -> None:
    data = record(a=floats(1.0))
    cursors = Cursors(data, np.array([0]), np.array([len(data)]))
    for kind, dtype in (("FLOAT", np.float32), ("INT", np.int64), ("BYTES", TEXT)):
        found = cursors.take("z", kind)
        assert (len(found.rows), len(found.counts), found.values.tolist()) == (0, 0, [])
        assert (found.values.type if kind == "BYTES" else found.values.dtype) == dtype
    assert cursors.unread().tolist() == [0]


def test_no_records_at_all_are_read() -> None:
    assert take([], a="FLOAT", i="INT", t="BYTES") == ({"a": {}, "i": {}, "t": {}}, [])


def test_an_empty_feature_an_empty_list_and_packed_nothing_are_missing_values() -> None:
    no_list = tagged(0x0A, tagged(0x0A, tagged(0x0A, b"a") + b"\x12\x00"))
    rows = [no_list, record(a=b"\x12"), record(a=floats()), record(a=floats(1.0))]
    assert take(rows, a="FLOAT") == ({"a": {3: [1.0]}}, [])
    rows = [record(i=b"\x1a"), record(i=integers())]
    assert take(rows, i="INT") == ({"i": {}}, [])
    assert take([record(t=b"\x0a")], t="BYTES") == ({"t": {}}, [])


@pytest.mark.parametrize("size", [0, 1, 100, 115, 120, 127, 128, 16_300, 16_384, 70_000])
def test_texts_and_lists_of_any_length_are_taken(size: int) -> None:
    text, several = bytes(range(256)) * (size // 256) + bytes(size % 256), list(range(size))
    rows = [
        record(a=floats(*several), i=integers(*several), t=texts(text, text)),
        record(a=floats(0.5), i=integers(5), t=texts(b"s")),
    ]
    columns, unread = take(rows, a="FLOAT", i="INT", t="BYTES")
    present = {0: several} if size else {}
    assert columns == {"a": {**present, 1: [0.5]}, "i": {**present, 1: [5]}, "t": {0: [text, text], 1: [b"s"]}}
    assert unread == []


def test_names_of_any_length_are_told_apart_by_every_byte() -> None:
    for length in (1, 2, 7, 8, 9, 15, 16, 17, 40, 200):
        name = "n" * length
        for place in range(length):
            other = name[:place] + "m" + name[place + 1 :]
            rows = [record(**{name: floats(1.0)}), record(**{other: floats(2.0)})]
            assert take(rows, **{name: "FLOAT"}) == ({name: {0: [1.0]}}, [1])
        assert take([record(**{name + "x": floats(1.0)})], **{name: "FLOAT"})[1] == [0]


@given(st.lists(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4), max_size=5))
def test_integers_of_every_width_are_taken(rows: list[list[int]]) -> None:
    columns, unread = take([record(i=integers(*values)) for values in rows], i="INT")
    assert columns["i"] == {row: values for row, values in enumerate(rows) if values}
    assert unread == []


# Records written in another way: they are left unread, and their neighbours are read.

GOOD = record(a=floats(1.5), i=integers(300), t=texts(b"xy"))


def field(tag: int, size: bytes, content: bytes) -> bytes:
    """Returns a field with a length written by hand."""
    return bytes([tag]) + size + content


def nested(at: int, size: bytes) -> bytes:
    """Returns a record with one float, in which the length number `at`, from the inside, is written by hand."""
    content = ONE
    for level, tag in enumerate((0x0A, 0x12, 0x12, 0x0A, 0x0A)):
        if level == 3:
            content = tagged(0x0A, b"a") + content
        content = field(tag, size if level == at else varint(len(content)), content)
    return content


UNUSUAL = {
    "another order": record(t=texts(b"x"), a=floats(1.0)),
    "a name twice": record(a=floats(1.0), b=floats(2.0)).replace(b"b", b"a"),
    "an unknown name": record(a=floats(1.0), z=floats(2.0)),
    "another type": record(a=integers(1)),
    "two features messages": record(a=floats(1.0)) + record(i=integers(1)),
    "a second field": record(a=floats(1.0)) + b"\x18\x07",
    "another tag": b"\x12" + record(a=floats(1.0))[1:],
    "unpacked floats": record(a=b"\x12\x0d" + ONE),
    "unpacked integers": record(i=b"\x1a\x08\x07"),
    "packed floats of 5 bytes": record(a=b"\x12" + tagged(0x0A, ONE + b"\0")),
    "packed floats twice": record(a=b"\x12" + tagged(0x0A, ONE) + tagged(0x0A, ONE)),
    "an integer that does not end": record(i=b"\x1a" + tagged(0x0A, b"\x05\x80")),
    "an integer of eleven bytes": record(i=b"\x1a" + tagged(0x0A, b"\x80" * 10 + b"\x01")),
    "a text with another tag": record(t=b"\x0a\x12\x01x"),
    "a second text with another tag": record(t=b"\x0a\x0a\x01x\x12\x01x"),
    "a text that leaves its list": record(t=b"\x0a\x0a\x03xy"),
    "a text that ends at its length": record(t=b"\x0a\x0a"),
    "cut in the values": GOOD[:-1],
    "cut in the header": GOOD[:5],
    "one byte": b"\x0a",
    "a length without content": b"\x0a\x05",
    **{f"length {at} with a needless byte": nested(at, b"\xff\x00") for at in range(5)},
    **{f"length {at} of six bytes": nested(at, b"\x84\x80\x80\x80\x80\x00") for at in range(5)},
    **{f"length {at} is 0": nested(at, b"\0") for at in range(5)},
    **{f"length {at} reaches beyond": nested(at, b"\x30") for at in range(5)},
}


@pytest.mark.parametrize("unusual", UNUSUAL.values(), ids=UNUSUAL)
def test_a_record_written_in_another_way_is_left_unread(unusual: bytes) -> None:
    columns, unread = take([GOOD, unusual, GOOD], a="FLOAT", i="INT", t="BYTES")
    assert 1 in unread
    for name, values in (("a", [1.5]), ("i", [300]), ("t", [b"xy"])):
        for row in {0, 2} - set(unread):
            assert columns[name][row] == values


def test_texts_of_two_million_bytes_are_taken() -> None:
    text = bytes(LONG)
    assert take([record(t=texts(text)), record(t=texts(b"x"))], t="BYTES") == ({"t": {0: [text], 1: [b"x"]}}, [])


@pytest.mark.parametrize("wrong", ["an integer that does not end", "an integer of eleven bytes"])
def test_no_integer_is_taken_where_one_is_wrong(wrong: str) -> None:
    assert take([GOOD, UNUSUAL[wrong]], i="INT") == ({"i": {}}, [0, 1])


def test_only_integers_take_their_neighbours_to_the_parser() -> None:
    together = {name for name, made in UNUSUAL.items() if take([GOOD, made], a="FLOAT", i="INT", t="BYTES")[1] != [1]}
    assert together == {"an integer that does not end", "an integer of eleven bytes"}


def test_an_entry_does_not_reach_into_the_next_record() -> None:
    whole = record(a=floats(1.0), t=texts(b"x" * 40))
    cut = whole[:20]  # its entry goes on in what follows
    data = tagged(0x0A, cut[2:]) + whole[20:]
    cursors = Cursors(data, np.array([0]), np.array([20]))
    assert taken(cursors.take("a", "FLOAT")) == {0: [1.0]}
    assert taken(cursors.take("t", "BYTES")) == {}
    assert cursors.unread().tolist() == [0]


def test_a_long_length_is_not_taken_for_a_short_one() -> None:
    """A length of six bytes is not read as one of five whose last byte is the tag that follows."""
    made = tagged(0x0A, field(0x0A, b"\x93\x80\x80\x80\x80\x0a", record(a=floats(1.0))[5:]))
    assert take([made], a="FLOAT") == ({"a": {}}, [0])


# What is found.


def test_without_removes_rows_and_all_their_values() -> None:
    found = FoundColumn(np.array([1, 4, 6]), np.array([2, 1, 3]), np.arange(6))
    assert taken(found.without(np.array([4, 5]))) == {1: [0, 1], 6: [3, 4, 5]}
    assert taken(found.without(np.array([1, 6]))) == {4: [2]}
    assert taken(found.without(np.array([1, 4, 6]))) == {}


def test_ragged_index_joins_ranges() -> None:
    assert ragged_index(np.array([5, 0, 9]), np.array([2, 0, 3])).tolist() == [5, 6, 9, 10, 11]
    assert ragged_index(np.array([], np.int64), np.array([], np.int64)).tolist() == []


@given(st.lists(st.integers(0, 2**56 - 1), min_size=1, max_size=30))
def test_single_integers_of_up_to_eight_bytes_are_taken(values: list[int]) -> None:
    ends = [2**n - k for n in range(7, 57, 7) for k in (0, 1) if 2**n - k < 2**56]
    rows = [record(i=integers(value)) for value in values + ends]
    assert take(rows, i="INT") == ({"i": {row: [value] for row, value in enumerate(values + ends)}}, [])


def test_a_varint_that_a_wide_zero_ends_is_taken_as_protobuf_takes_it() -> None:
    assert take([record(i=b"\x1a" + tagged(0x0A, b"\x81\x80\x00"))], i="INT") == ({"i": {0: [1]}}, [])


@pytest.mark.parametrize("most", [0, 9, 1 << 20])
def test_distinct_is_unique(most: int) -> None:
    sizes = np.random.default_rng(0).integers(0, most + 1, 500)
    for found, expected in zip(distinct(sizes), np.unique(sizes, return_inverse=True), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert [part.tolist() for part in distinct(sizes[:0])] == [[], []]
