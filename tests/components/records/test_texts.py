from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest

from crossnet.components.records.texts import (
    as_objects,
    as_texts,
    chosen,
    is_text,
    joined,
    sliced_texts,
    spread_texts,
    text_buffers,
)


def test_texts_are_cut_out_of_bytes_with_gaps_and_without() -> None:
    found = sliced_texts(b"-north-eastwest", np.array([1, 7, 7, 11]), np.array([6, 7, 11, 15]))
    assert found.to_pylist() == [b"north", b"", b"east", b"west"]
    assert sliced_texts(b"abc", np.array([], np.int64), np.array([], np.int64)).to_pylist() == []


def test_a_row_without_a_text_has_no_bytes() -> None:
    present = np.array([False, True, False, False, True])
    assert spread_texts(as_texts([b"a", b"bc"]), present).to_pylist() == [b"", b"a", b"", b"", b"bc"]
    assert spread_texts(as_texts([]), np.zeros(2, bool)).to_pylist() == [b"", b""]
    assert spread_texts(as_texts([b"x", b"a", b"bc"])[1:], present).to_pylist() == [b"", b"a", b"", b"", b"bc"]


@pytest.mark.parametrize("arrow_type", [pa.binary(), pa.large_binary()])
def test_buffers_are_those_of_the_slice(arrow_type: pa.DataType) -> None:
    texts = pa.array([b"x", b"", b"abc", b"d"], arrow_type)[1:3]
    offsets, data = text_buffers(texts)
    assert [data.to_pybytes()[a:b] for a, b in itertools.pairwise(offsets)] == [b"", b"abc"]
    assert text_buffers(texts[:0])[0].tolist() == [0]
    assert text_buffers(pa.array([], arrow_type))[0].tolist() == [0]


def test_numbers_and_texts_are_chosen_and_joined_alike() -> None:
    mask = np.array([True, False, True])
    for values in (np.array([1, 2, 3]), as_texts([b"1", b"2", b"3"])):
        both = joined([values, chosen(values, mask)])
        assert [int(value) for value in both.tolist()] == [1, 2, 3, 1, 3]
        assert is_text(both) == (as_objects(values).dtype == object)
