"""Tests the conversion of arrays to TensorProtos and back against TensorFlow's own functions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from crossnet.serving.protocol import messages
from crossnet.serving.protocol.dtypes import numpy_type
from crossnet.serving.protocol.tensors import content_of, read_tensor, type_name, write_tensor
from crossnet.serving.status import ServerError

DTYPES = [
    np.float16, np.float32, np.float64, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32,
    np.uint64, np.bool_, np.complex64, np.complex128,
]  # fmt: skip
NUMBERS = st.sampled_from(DTYPES).flatmap(lambda t: hnp.arrays(t, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0)))
TEXTS = st.lists(st.binary(max_size=6)).map(lambda texts: np.array([*texts, None], np.object_)[:-1])


def official(data=b""):
    from tensorflow.core.framework import tensor_pb2

    return tensor_pb2.TensorProto.FromString(data)


@settings(deadline=None)
@given(array=NUMBERS | TEXTS)
def test_tensorflow_reads_what_we_write(array):
    import tensorflow as tf

    read = tf.make_ndarray(official(write_tensor(array)))
    assert read.shape == array.shape
    np.testing.assert_array_equal(read, array)


@settings(deadline=None)
@given(array=NUMBERS | TEXTS)
def test_we_read_what_tensorflow_writes(array):
    import tensorflow as tf

    proto = tf.make_tensor_proto(array, shape=array.shape)
    read = read_tensor(messages.TensorProto.FromString(proto.SerializeToString()))
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


@settings(deadline=None)
@given(array=NUMBERS.filter(lambda array: array.dtype.kind in "fiub"))
def test_we_read_typed_values_as_tensorflow_does(array):
    """The form that TensorFlow Serving answers in: `*_val` for all values."""
    import tensorflow as tf

    field = {
        "float16": "half_val", "float32": "float_val", "float64": "double_val", "int64": "int64_val",
        "uint32": "uint32_val", "uint64": "uint64_val", "bool": "bool_val",
    }.get(array.dtype.name, "int_val")  # fmt: skip
    tensor = messages.TensorProto.FromString(write_tensor(array))
    tensor.tensor_content = b""
    values = array.view(np.uint16) if array.dtype == np.float16 else array
    getattr(tensor, field).extend(values.ravel().tolist())
    np.testing.assert_array_equal(read_tensor(tensor), array)
    theirs = tf.make_ndarray(official(tensor.SerializeToString()))
    np.testing.assert_array_equal(theirs, array)


@pytest.mark.parametrize("count", [3, 200])
def test_read_tensor_takes_short_and_long_value_lists(count):
    tensor = messages.TensorProto(dtype=1, float_val=np.arange(count, dtype=np.float32).tolist())
    tensor.tensor_shape.dim.add(size=count)
    np.testing.assert_array_equal(read_tensor(tensor), np.arange(count, dtype=np.float32))


@pytest.mark.parametrize(
    ("values", "size", "expected"),
    [([1.0, 2.0], 4, [1, 2, 2, 2]), ([], 3, [0, 0, 0]), ([1.0, 2.0, 3.0], 2, [1, 2])],
    ids=["the last value repeats", "none at all is zeros", "the excess is dropped"],
)
def test_read_tensor_fits_values_to_the_shape_as_tensorflow_does(values, size, expected):
    tensor = messages.TensorProto(dtype=1, float_val=values)
    tensor.tensor_shape.dim.add(size=size)
    assert read_tensor(tensor).tolist() == expected


def test_read_tensor_repeats_text_too():
    tensor = messages.TensorProto(dtype=7, string_val=[b"a"])
    tensor.tensor_shape.dim.add(size=2)
    assert read_tensor(tensor).tolist() == [b"a", b"a"]


def test_arrays_read_are_the_callers_own():
    tensor = messages.TensorProto.FromString(write_tensor(np.zeros(3, np.float32)))
    read = read_tensor(tensor)
    read += 1
    assert read.tolist() == [1, 1, 1]


def shaped(dtype, sizes, **values):
    tensor = messages.TensorProto(dtype=dtype, **values)
    for size in sizes:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


@pytest.mark.parametrize(
    ("tensor", "sentence"),
    [
        (shaped(14, [1]), "a tensor of type DT_BFLOAT16, which NumPy does not have"),
        (shaped(77, [1]), "a tensor of type DataType 77"),
        (shaped(1, [-1]), r"a tensor of unknown shape; received \[-1\]"),
        (shaped(1, [2], tensor_content=b"123"), r"3 bytes of float32, not shape \[2\]"),
        (shaped(7, [1], tensor_content=b"123"), "3 bytes of text"),
        (shaped(1, [1] * 65, float_val=[1]), "a tensor that NumPy cannot hold"),
        (shaped(1, [1] * 65, tensor_content=b"1234"), "a tensor that NumPy cannot hold"),
        (shaped(1, [0, 2**62, 2**62]), "a tensor that NumPy cannot hold"),
        (shaped(1, [2**30, 2**30]), "a tensor of shape .* with only 0 values"),
    ],
)
def test_read_tensor_rejects_invalid_tensors(tensor, sentence):
    with pytest.raises(ServerError, match=sentence):
        read_tensor(tensor)


def test_content_of_a_large_array_is_not_a_copy():
    array = np.zeros(100_000, np.float32)
    content = content_of(array)
    assert isinstance(content, memoryview)
    assert np.shares_memory(np.asarray(content), array)


def test_write_tensor_takes_views_in_any_order():
    array = np.arange(40_000, dtype=np.float32).reshape(200, 200)
    for view in (array.T, array[::2], array[:, ::-1]):
        np.testing.assert_array_equal(read_tensor(messages.TensorProto.FromString(write_tensor(view))), view)


def test_type_names_are_numpys_and_text():
    assert [type_name(number) for number in (1, 9, 7, 14)] == ["float32", "int64", "text", "DT_BFLOAT16"]
    assert numpy_type(14) is None
