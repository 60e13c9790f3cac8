"""A client sends checked requests, caches the signature, and reads answers."""

from __future__ import annotations

import grpc
import numpy as np
import pytest

from crossnet.serving.client.input_checks import fit_inputs
from crossnet.serving.status import (
    FailedPreconditionError,
    InvalidRequestError,
    ServerError,
)
from support.client_wire import ARRAYS, ONE, TEN, Wire, fail
from support.fake_server import FLOAT, MATRIX, XS, signature_definition


@pytest.fixture
def wire(monkeypatch):
    return Wire(monkeypatch)


def test_signature_is_asked_for_once(wire):
    wire.predict(ONE)
    wire.predict(ONE)
    assert wire.server.calls == ["GetModelMetadata", "Predict", "Predict"]


def test_request_names_model_signature_and_nothing_else(wire):
    wire.predict(ONE)
    spec = wire.server.requests[0].model_spec
    assert (spec.name, spec.signature_name, spec.WhichOneof("version_choice")) == ("crossnet", "serving_default", None)


@pytest.mark.parametrize(
    ("settings", "choice", "value"),
    [({"version": 3}, "version", 3), ({"version": 0}, "version", 0), ({"label": "stable"}, "version_label", "stable")],
)
def test_request_is_pinned_to_version_or_label(monkeypatch, settings, choice, value):
    wire = Wire(monkeypatch, **settings)
    wire.predict(ONE)
    spec = wire.server.requests[0].model_spec
    assert spec.WhichOneof("version_choice") == choice
    assert (spec.version.value if choice == "version" else spec.version_label) == value


def test_prediction_tells_version_signature_and_timings(wire):
    prediction = wire.predict(ONE)
    assert prediction.values.tolist() == [0.5]
    assert (prediction.version, prediction.signature_name) == (7, "serving_default")
    assert min(prediction.timings.encode, prediction.timings.wire, prediction.timings.decode) > 0


def test_wrong_inputs_are_told_before_anything_but_the_signature_is_sent(wire):
    with pytest.raises(InvalidRequestError, match="Missing: `x2`"):
        wire.predict({"x0": [0.5], "x1": [1.0]})
    assert wire.server.calls == ["GetModelMetadata"]


def test_requests_that_differ_only_in_values_are_checked_once(wire, monkeypatch):
    checks = []
    monkeypatch.setattr(
        "crossnet.serving.client.exchange.fit_inputs", lambda *given: checks.append(1) or fit_inputs(*given)
    )
    for first in (0.5, -2.0):
        inputs = {"x2": np.float32([3.0]), "x1": np.float32([4.0]), "x0": np.float32([first])}
        assert wire.predict(inputs).values.tolist() == [first]
    assert len(checks) == 1
    before, after = wire.server.requests
    assert after.inputs["x0"].tensor_content == np.float32([-2.0]).tobytes()
    after.inputs["x0"].CopyFrom(before.inputs["x0"])
    assert before == after


@pytest.mark.parametrize("inputs", [ONE, ARRAYS], ids=["lists", "arrays"])
def test_signature_is_asked_for_again_after_the_version_changed(wire, inputs):
    wire.predict(inputs)
    wire.server.version = 8
    assert wire.predict(inputs).version == 8
    assert wire.predict(inputs).version == 8
    assert wire.server.calls == ["GetModelMetadata", "Predict", "Predict", "GetModelMetadata", "Predict"]


def test_inputs_of_a_new_signature_are_taken_after_a_second_look(wire):
    wire.predict(ONE)
    wire.server.version = 8
    wire.server.signatures["serving_default"] = signature_definition(MATRIX, {"prediction": (FLOAT, [-1])})
    assert wire.predict({"x": [[9.0, 0, 0]]}).values.tolist() == [9.0]
    assert wire.server.calls[2:] == ["GetModelMetadata", "Predict"]


@pytest.mark.parametrize("inputs", [ONE, ARRAYS], ids=["lists", "arrays"])
def test_second_look_after_invalid_argument_raises_what_the_new_signature_says(wire, inputs):
    wire.predict(inputs)

    def swap():
        wire.server.version = 8
        wire.server.signatures["serving_default"] = signature_definition(MATRIX, {"prediction": (FLOAT, [-1])})
        wire.server.faults = [(grpc.StatusCode.INVALID_ARGUMENT, "input size does not match signature: 3!=1")]

    wire.before_predict = swap
    with pytest.raises(InvalidRequestError, match="version 8. Missing: `x`"):
        wire.predict(inputs)


def test_invalid_argument_of_an_unchanged_model_is_raised_as_it_came(wire):
    wire.predict(ONE)
    fail(wire, grpc.StatusCode.INVALID_ARGUMENT)
    with pytest.raises(InvalidRequestError, match="refused the inputs for `crossnet`: words") as caught:
        wire.predict(ONE)
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert wire.server.calls[2:] == ["Predict", "GetModelMetadata"]


def test_unknown_signature_is_told_before_sending(wire):
    with pytest.raises(InvalidRequestError, match="has no signature `regress`. It has: `serving_default`"):
        wire.predict(ONE, signature_name="regress")


def test_failed_precondition_keeps_its_kind(wire):
    fail(wire, None, grpc.StatusCode.FAILED_PRECONDITION)
    with pytest.raises(FailedPreconditionError, match="does not support this request"):
        wire.predict(ONE)


def test_large_batch_is_split_and_put_together_in_order(monkeypatch):
    wire = Wire(monkeypatch, max_rows_per_call=4)
    assert wire.predict(TEN).values.tolist() == list(range(10))
    assert [request.inputs["x0"].tensor_shape.dim[0].size for request in wire.server.requests] == [4, 4, 2]


def test_batch_without_a_row_dimension_is_not_split(monkeypatch):
    wire = Wire(monkeypatch, max_rows_per_call=1)
    wire.server.signatures["serving_default"] = signature_definition(XS, {"mean": (FLOAT, [])})
    wire.predict(TEN)
    assert wire.server.calls == ["GetModelMetadata", "Predict"]


@pytest.mark.parametrize(
    "answered_by",
    [
        [7, 8, 8, 8],  # the first part before the swap
        [8, 8, 7, 8, 8, 8],  # the last one: parts may be answered in any order
    ],
)
def test_parts_settle_on_the_version_that_answers_now(monkeypatch, answered_by):
    wire = Wire(monkeypatch, max_rows_per_call=4)
    left = list(answered_by)

    def answer():
        wire.server.version = left.pop(0)
        factor = 10 if wire.server.version == 8 else 1
        wire.server.model = lambda arrays: {"prediction": arrays["x0"] * factor}

    wire.before_predict = answer
    prediction = wire.predict(TEN)
    assert prediction.version == 8
    assert prediction.values.tolist() == [10.0 * i for i in range(10)]
    assert left == []


def test_versions_that_never_settle_are_an_error(monkeypatch):
    wire = Wire(monkeypatch, max_rows_per_call=5)

    def swap():
        wire.server.version += 1

    wire.before_predict = swap
    with pytest.raises(ServerError, match="changed the version of `crossnet` in 4 tries"):
        wire.predict(TEN)


def test_request_beyond_what_a_message_holds_is_refused(monkeypatch):
    wire = Wire(monkeypatch, max_rows_per_call=10**9)
    column = np.broadcast_to(np.float32(0), (600_000_000,))  # four bytes of memory
    with pytest.raises(
        InvalidRequestError, match=r"7,200,000,000 bytes; a message holds at most 2 GiB. Lower `max_rows_per_call`"
    ):
        wire.predict(dict.fromkeys(XS, column))


def test_answer_that_is_no_message_is_an_error(wire):
    wire.server.raw = b"\xff\xff\xff"
    with pytest.raises(ServerError, match=r"answer of 3 bytes is not a PredictResponse"):
        wire.predict(ONE)
