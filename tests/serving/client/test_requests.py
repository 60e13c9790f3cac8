"""Requests as bytes are those of the official messages, also from a template."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from crossnet.serving.client import requests
from crossnet.serving.client.requests import RequestTemplates, predict_request, signature_field
from crossnet.serving.protocol import messages

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


SPEC = messages.ModelSpec(name="rides", signature_name="serving_default").SerializeToString()


@settings(deadline=None)
@given(arrays=st.dictionaries(st.text(max_size=20), ARRAYS, min_size=1, max_size=3), data=st.data())
def test_filled_frame_is_the_request_that_would_be_written(arrays, data):
    templates = RequestTemplates()
    assert templates.fill("serving_default", arrays) is None
    signature_order = dict(sorted(arrays.items()))
    templates.remember("serving_default", arrays, SPEC, signature_order)
    others = {name: data.draw(hnp.arrays(array.dtype, array.shape)) for name, array in arrays.items()}
    assert templates.fill("serving_default", others) == predict_request(SPEC, dict(sorted(others.items())))
    turned = {name: np.asfortranarray(array) for name, array in others.items()}
    assert templates.fill("serving_default", turned) == templates.fill("serving_default", others)


X = np.zeros((2, 3), np.float32)


class Mapping(dict):
    pass


@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param({"x": X.astype(np.float64)}, id="type"),
        pytest.param({"x": X.astype(">f4")}, id="byte order"),
        pytest.param({"x": X[:1]}, id="rows"),
        pytest.param({"x": X.T}, id="shape"),
        pytest.param({"y": X}, id="name"),
        pytest.param({"x": X, "y": X}, id="one more"),
        pytest.param({}, id="none"),
        pytest.param({"x": X.tolist()}, id="list"),
        pytest.param({"x": np.ma.MaskedArray(X)}, id="subclass of the array"),
        pytest.param(Mapping(x=X), id="mapping of another kind"),
        pytest.param([{"x": 1.0}], id="rows of values"),
        pytest.param(X, id="array"),
        pytest.param(None, id="nothing"),
    ],
)
def test_frame_is_not_filled_with_anything_else(inputs):
    templates = RequestTemplates()
    templates.remember("serving_default", {"x": X}, SPEC, {"x": X})
    assert templates.fill("serving_default", {"x": X}) is not None
    assert templates.fill("other", {"x": X}) is None
    assert templates.fill("serving_default", inputs) is None


def test_frame_is_learned_only_of_numbers_that_were_sent_as_given(monkeypatch):
    text = np.array([b"north"], np.object_)
    large = np.zeros(requests._MAX_TEMPLATE_BYTES // 4 + 1, np.float32)
    for inputs, arrays in (
        ({"x": X.astype(np.float64)}, {"x": X}),
        ({"zone": text}, {"zone": text}),
        ({"x": X, "zone": text}, {"x": X, "zone": text}),
        ({"x": large}, {"x": large}),
        ({}, {}),
    ):
        templates = RequestTemplates()
        templates.remember("serving_default", inputs, SPEC, arrays)
        assert templates.fill("serving_default", inputs) is None
    monkeypatch.setattr(requests, "_MAX_TEMPLATES", 3)
    templates = RequestTemplates()
    for rows in range(1, 9):
        inputs = {"x": np.zeros(rows, np.float32)}
        templates.remember("serving_default", inputs, SPEC, inputs)
        assert templates.fill("serving_default", inputs) is not None
    assert len(templates._templates) <= 3


def test_signature_field_completes_a_serialized_model_spec():
    name = messages.ModelSpec(name="rides").SerializeToString()
    spec = messages.ModelSpec.FromString(name + signature_field("regress"))
    assert (spec.name, spec.signature_name) == ("rides", "regress")
