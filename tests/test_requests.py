from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from serving import messages
from serving.requests import predict_request

ARRAYS = hnp.arrays(st.sampled_from([np.float32, np.int64]), hnp.array_shapes(max_dims=2, min_side=0, max_side=40))


@settings(deadline=None)
@given(arrays=st.dictionaries(st.text(max_size=200), ARRAYS, max_size=3), name=st.text(max_size=10))
def test_request_is_what_the_official_message_reads_and_writes(arrays, name):
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    spec = messages.ModelSpec(name=name, signature_name="serving_default")
    read = predict_pb2.PredictRequest.FromString(predict_request(spec.SerializeToString(), arrays))
    assert read.model_spec.name == name
    assert read.model_spec.signature_name == "serving_default"
    assert set(read.inputs) == set(arrays)
    for key, array in arrays.items():
        np.testing.assert_array_equal(tf.make_ndarray(read.inputs[key]), array)


def test_request_holds_large_arrays_and_text():
    arrays = {"x": np.ones((50_000, 2), np.float32), "zone": np.array([b"n", "ü".encode()], np.object_)}
    request = messages.PredictRequest.FromString(predict_request(b"", arrays))
    assert request.inputs["x"].tensor_content == arrays["x"].tobytes()
    assert list(request.inputs["zone"].string_val) == [b"n", "ü".encode()]
