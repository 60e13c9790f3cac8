from __future__ import annotations

import pytest
from google.protobuf import wrappers_pb2
from hypothesis import given
from hypothesis import strategies as st

from crossnet.serving.protocol.varint import read_varint, varint


@given(st.integers(1, 2**64 - 1), st.binary(max_size=3), st.binary(max_size=3))
def test_varints_are_those_of_protobuf(number, before, after):
    assert wrappers_pb2.UInt64Value(value=number).SerializeToString() == b"\x08" + varint(number)
    assert read_varint(before + varint(number) + after, len(before)) == (number, len(before) + len(varint(number)))


def test_zero_is_one_byte():
    assert varint(0) == b"\0"
    assert read_varint(b"\0", 0) == (0, 1)


@pytest.mark.parametrize(("data", "error"), [(b"", IndexError), (b"\x80", IndexError), (b"\x80" * 11, ValueError)])
def test_varint_that_does_not_end_is_refused(data, error):
    with pytest.raises(error):
        read_varint(data, 0)
