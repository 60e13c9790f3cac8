"""Inputs for a server with Predict alone are sent with types that follow from the values."""

from __future__ import annotations

import numpy as np
import pytest

from crossnet.serving.client.unchecked import inferred_signature
from crossnet.serving.protocol.tensors import read_tensor
from crossnet.serving.status import InvalidRequestError, UnimplementedError
from support.client_wire import ONE, Wire
from support.fake_server import MATRIX, XS


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([0.5, 1], "float32"),
        ([1, 2], "int64"),
        ([True, False], "bool"),
        (["a", "b"], "text"),
        ([b"\xff"], "text"),
        ([[1.5, 2.5]], "float32"),
        ([], "float32"),
        ([2**63], "uint64"),
        (np.array([0.5]), "float64"),
        (np.array([1], np.int8), "int8"),
        (np.array(["a"]), "text"),
        (np.array(["a"], object), "text"),
    ],
)
def test_type_follows_from_the_values(values, name):
    assert inferred_signature("s", {"x": values}).inputs["x"].type_name == name


def predict_only(monkeypatch, inputs=XS, **settings):
    wire = Wire(monkeypatch, inputs, **settings)
    wire.server.lacks = {"GetModelMetadata", "GetModelStatus"}
    return wire


def test_client_told_so_asks_for_nothing_but_predictions(monkeypatch):
    wire = predict_only(monkeypatch, metadata=False)
    prediction = wire.predict([{"x0": 0.5, "x1": 1, "x2": "a"}, {"x0": 2.5, "x1": 2, "x2": "b"}], "other")
    assert prediction.values.tolist() == [0.5, 2.5]
    assert (prediction.version, prediction.signature_name) == (7, "other")
    assert wire.server.calls == ["Predict"]
    sent = {name: read_tensor(tensor) for name, tensor in wire.server.requests[0].inputs.items()}
    assert {name: array.dtype.name for name, array in sent.items()} == {"x0": "float32", "x1": "int64", "x2": "object"}


def test_client_notices_a_server_that_has_predict_alone(monkeypatch):
    wire = predict_only(monkeypatch)
    for first in (0.5, 1.5):
        assert wire.predict(ONE | {"x0": [first]}).values.tolist() == [first]
    assert wire.server.calls == ["GetModelMetadata", "Predict", "Predict"]


def test_address_is_blamed_only_where_there_is_no_predict_either(monkeypatch):
    wire = predict_only(monkeypatch)
    with pytest.raises(
        UnimplementedError, match=r"here:1 does not have GetModelMetadata, .*`predict\(\)`.* without it"
    ):
        wire.run(wire.exchange.metadata(None))
    wire.server.lacks.add("Predict")
    with pytest.raises(UnimplementedError, match="Check the address"):
        wire.predict(ONE)


def test_arrays_are_sent_as_they_are_in_one_request(monkeypatch):
    wire = predict_only(monkeypatch, MATRIX, metadata=False, max_rows_per_call=2)
    values = np.arange(9.0).reshape(3, 3)
    assert wire.predict({"x": values}).values.tolist() == [0, 3, 6]
    assert np.array_equal(read_tensor(wire.server.requests[0].inputs["x"]), values)
    assert len(wire.server.requests) == 1


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ([1.5, 2.5], "inputs are given by name, as a mapping or a list of rows. Received list"),
        ({"x0": [None, 1.5]}, "`x0` holds None at row 0; expected float32. Write NaN"),
        ({"x0": ["a", 1.5]}, "`x0` holds 1.5 at row 1; expected text"),
        ({"x0": [[1.5], [1.5, 2.5]]}, "`x0` has rows of different lengths"),
        ([{"x0": 1.5}, {"x1": 1.5}], "Row 1 does not fit model `crossnet`. Missing: `x0`. Extra: `x1`"),
    ],
)
def test_inputs_that_cannot_be_sent_are_told(monkeypatch, inputs, sentence):
    wire = predict_only(monkeypatch, metadata=False)
    with pytest.raises(InvalidRequestError, match=sentence):
        wire.predict(inputs)
    assert wire.server.calls == []
