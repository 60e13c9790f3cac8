"""The server's codec against TensorFlow's own reader and writer."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2

from crossnet.serving.embedded.codec import ImpliedValues, read_tensor, write_predict_response, write_tensor
from crossnet.serving.protocol.dtypes import tensorflow_numpy_type
from crossnet.serving.status import ServingError

KINDS = ["float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
         "bool", "complex64", "complex128"]  # fmt: skip
ARRAYS = st.sampled_from(KINDS).flatmap(
    lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)
PLAIN_SETTINGS = settings(max_examples=150, deadline=None)


def _equal(a, b):
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    np.testing.assert_array_equal(a, b)


@given(array=ARRAYS)
@PLAIN_SETTINGS
def test_write_tensor_is_read_by_tensorflow_from_the_typed_field(array):
    message = tensor_pb2.TensorProto.FromString(write_tensor(array))
    assert message.tensor_content == b""
    assert message.HasField("tensor_shape")
    if array.size:  # make_ndarray fills what is missing, so look at the field's own length
        listed = sum(len(value) for field, value in message.ListFields() if field.name.endswith("_val"))
        assert listed == array.size * (2 if array.dtype.kind == "c" else 1)
    _equal(tf.make_ndarray(message), array)


@given(array=ARRAYS)
@PLAIN_SETTINGS
def test_write_tensor_as_content_is_read_by_tensorflow(array):
    message = tensor_pb2.TensorProto.FromString(write_tensor(array, as_content=True))
    _equal(tf.make_ndarray(message), array)


@given(array=ARRAYS)
@PLAIN_SETTINGS
def test_read_tensor_reads_what_tensorflow_writes(array):
    _equal(read_tensor(tf.make_tensor_proto(array), "x"), array)


@given(array=ARRAYS)
@PLAIN_SETTINGS
def test_read_tensor_reads_what_write_tensor_writes(array):
    for as_content in (False, True):
        _equal(read_tensor(tensor_pb2.TensorProto.FromString(write_tensor(array, as_content=as_content)), "x"), array)


@pytest.mark.parametrize("as_content", [False, True])
def test_text_goes_both_ways(as_content):
    array = np.array([[b"", b"\xff\x00"], ["é".encode(), b"x" * 300]], object)
    message = tensor_pb2.TensorProto.FromString(write_tensor(array, as_content=as_content))
    _equal(read_tensor(message, "x"), array)
    if not as_content:
        _equal(tf.make_ndarray(message), array)


def test_bfloat16_goes_both_ways():
    array = np.array([1.5, -2.0, np.inf], tf.bfloat16.as_numpy_dtype)
    assert tensorflow_numpy_type(14) == array.dtype
    message = tensor_pb2.TensorProto.FromString(write_tensor(array))
    _equal(tf.make_ndarray(message), array)
    _equal(read_tensor(message, "x"), array)


def _proto(shape=(), **fields):
    message = tensor_pb2.TensorProto(**fields)
    for size in shape:
        message.tensor_shape.dim.add(size=size)
    return message


def test_read_tensor_repeats_the_last_value_and_drops_the_excess():
    assert read_tensor(_proto([3], dtype=1, float_val=[1, 2]), "x").tolist() == [1, 2, 2]
    assert read_tensor(_proto([2], dtype=1, float_val=[1, 2, 3]), "x").tolist() == [1, 2]
    assert read_tensor(_proto([2], dtype=1), "x").tolist() == [0, 0]
    assert read_tensor(_proto([2], dtype=7), "x").tolist() == [b"", b""]
    assert read_tensor(_proto([2], dtype=10), "x").tolist() == [False, False]
    assert read_tensor(_proto([], dtype=9, int64_val=[5]), "x").tolist() == 5
    assert read_tensor(_proto([0, 3], dtype=1, tensor_content=b"junk"), "x").shape == (0, 3)


def test_read_tensor_does_not_copy_tensor_content():
    assert read_tensor(_proto([2], dtype=1, tensor_content=b"\0" * 8), "x").base is not None


@pytest.mark.parametrize(
    "message",
    [
        _proto([2], dtype=1, tensor_content=b"\0" * 7),
        _proto([2], dtype=1, tensor_content=b"\0" * 12),
        _proto([-1], dtype=1),
        _proto([2**62, 4], dtype=4),
        _proto([1] * 255, dtype=1, float_val=[1]),
        _proto([1] * 65, dtype=1, float_val=[1]),
        _proto([0, 2**62, 2**62], dtype=1),
        _proto([1], dtype=0),
        _proto([1], dtype=20),
        _proto([1], dtype=101),
        _proto([2**40], dtype=7, tensor_content=b"\1"),
        _proto([2], dtype=7, tensor_content=b"\1\1a"),
        _proto([1], dtype=7, tensor_content=b"\xff"),
        _proto([1], dtype=7, tensor_content=b"\1ab"),
        tensor_pb2.TensorProto(dtype=1, tensor_shape={"unknown_rank": True}),
    ],
)
def test_read_tensor_refuses_what_tensorflow_cannot_parse(message):
    with pytest.raises(ServingError, match=r"^tensor parsing error: miles$"):
        read_tensor(message, "miles")


IMPLIED = (
    r"^tensor parsing error: miles: the inputs of a request may imply at most 16 MiB of values that it does not hold\. "
    r"Send each value, or fewer rows\.$"
)


@pytest.mark.parametrize(
    "message",
    [
        _proto([2**60], dtype=1),
        _proto([2**60], dtype=1, float_val=[1]),
        _proto([2**22 + 1], dtype=1),
        _proto([2**20], dtype=7, string_val=[b"a" * 1000]),
        _proto([2**20], dtype=7),
    ],
)
def test_read_tensor_refuses_more_implied_values_than_the_limit(message):
    tracemalloc.start()
    with pytest.raises(ServingError, match=IMPLIED):
        read_tensor(message, "miles")
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_the_limit_is_on_the_sum_of_a_request():
    implied, third = ImpliedValues(), _proto([2**22 // 3], dtype=1, float_val=[1])
    for _ in range(3):
        assert read_tensor(third, "miles", implied).nbytes == 2**22 // 3 * 4
    with pytest.raises(ServingError, match=IMPLIED):
        read_tensor(_proto([8], dtype=1), "miles", implied)
    held = tf.make_tensor_proto(np.zeros(2**22 + 1, np.float32))
    assert read_tensor(held, "miles", implied).size == 2**22 + 1


def test_write_predict_response_is_the_official_message():
    outputs = {
        "a": np.array([[1.5], [2.5]], np.float32),
        "b": np.array([b"x"], object),
        "c": np.empty((0, 2), np.float32),
        "d": np.array(7.0, np.float64),
        "e": np.arange(300, dtype=np.float32),
        "f": np.array([True, False]),
        "g": np.array([-1, 2**40]),
    }
    expected = predict_pb2.PredictResponse()
    expected.model_spec.name = "m"
    for name, array in outputs.items():
        expected.outputs[name].CopyFrom(tf.make_tensor_proto(array))
        expected.outputs[name].ClearField("tensor_content")
    for name, field in (
        ("a", "float_val"),
        ("d", "double_val"),
        ("e", "float_val"),
        ("f", "bool_val"),
        ("g", "int64_val"),
    ):
        listed = getattr(expected.outputs[name], field)
        listed[:] = outputs[name].ravel().tolist()
    written = write_predict_response(outputs, expected.model_spec.SerializeToString())
    assert predict_pb2.PredictResponse.FromString(written) == expected
