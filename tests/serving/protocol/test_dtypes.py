from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from crossnet.serving.protocol.dtypes import DT_BFLOAT16, DT_HALF, DT_STRING, NUMBERS, TYPES, listed_values


@pytest.mark.parametrize("number", TYPES)
def test_type_is_what_tensorflow_says_it_is(number: int) -> None:
    dtype, _ = TYPES[number]
    assert tf.as_dtype(number).as_numpy_dtype == (object if dtype.kind == "O" else dtype)
    assert NUMBERS[dtype] == number


def test_named_types_have_tensorflows_numbers() -> None:
    assert (DT_STRING, DT_BFLOAT16, DT_HALF) == (types_pb2.DT_STRING, types_pb2.DT_BFLOAT16, types_pb2.DT_HALF)


@pytest.mark.parametrize("number", [*TYPES, DT_BFLOAT16])
def test_listed_values_are_read_from_the_field_that_tensorflow_writes(number: int) -> None:
    dtype = np.dtype(tf.as_dtype(number).as_numpy_dtype)
    values = np.array([b"a", b"\xff"], object) if number == DT_STRING else np.array([0, 1], dtype)
    # TensorFlow lists a single value; more go to `tensor_content`.
    field = "half_val" if number == DT_BFLOAT16 else TYPES[number][1]
    tensor = tf.make_tensor_proto(values, shape=(2,))
    listed = type(tensor)(dtype=number)
    for value in values.reshape(2, 1):
        getattr(listed, field).extend(getattr(tf.make_tensor_proto(value, shape=(1,)), field))
    found = listed_values(listed, dtype)
    assert found.dtype == dtype
    assert found.tolist() == values.tolist()
