"""The client's policy without a network: what it sends, when it tries again, and when it gives up."""

from __future__ import annotations

import grpc
import numpy as np
import pytest

from crossnet.serving.client.exchange import Attempt, Exchange, Pause
from crossnet.serving.client.input_checks import fit_inputs
from crossnet.serving.protocol import messages
from crossnet.serving.status import (
    DeadlineError,
    FailedPreconditionError,
    InvalidRequestError,
    ServerError,
    UnavailableError,
    UsageError,
)
from support.fake_server import FLOAT, MATRIX, XS, FakeServer, signature_definition

ONE = {"x0": [0.5], "x1": [1.0], "x2": [1.5]}
ARRAYS = {name: np.float32(values) for name, values in ONE.items()}  # sent as they are given
TEN = {name: np.arange(10.0) for name in XS}


class Failure(grpc.RpcError):
    def __init__(self, code, details=""):
        self._code, self._details = code, details

    def code(self):
        return self._code

    def details(self):
        return self._details


UNAVAILABLE = Failure(grpc.StatusCode.UNAVAILABLE, "Connection refused")


class Context:
    """What a server's method is told of a call."""

    def invocation_metadata(self):
        return ()

    def abort(self, code, details):
        raise Failure(code, details)


class Wire:
    """Drives an Exchange against a FakeServer in this thread, with a clock of its own that only pauses move."""

    def __init__(self, monkeypatch, inputs=XS, **settings):
        self.server = FakeServer(inputs)
        self.pauses, self.attempts, self.now = [], [], 0.0
        monkeypatch.setattr("crossnet.serving.client.deadline.time.monotonic", lambda: self.now)
        defaults = {"version": None, "label": None, "timeout_seconds": 10.0, "max_rows_per_call": 1000}
        self.exchange = Exchange(target="here:1", model_name="crossnet", **(defaults | settings))
        self.before_predict = lambda: None

    def run(self, work):
        outcome, failure = None, None
        while True:
            try:
                step = work.send(outcome) if failure is None else work.throw(failure)
            except StopIteration as end:
                return end.value
            outcome = failure = None
            try:
                outcome = self.do(step)
            except Exception as error:
                failure = error

    def do(self, step):
        if isinstance(step, Pause):
            self.pauses.append(step.seconds)
            self.now += step.seconds
            return None
        if isinstance(step, Attempt):
            self.attempts.append(step)
            if step.method == "Predict":
                self.before_predict()
            method = {"Predict": "predict", "GetModelMetadata": "metadata", "GetModelStatus": "status"}[step.method]
            return getattr(self.server, method)(step.payload, Context())
        return [self.run(work) for work in step]

    def predict(self, inputs, signature_name="serving_default", timeout_seconds=None):
        return self.run(self.exchange.predict(inputs, signature_name, timeout_seconds))


@pytest.fixture
def wire(monkeypatch):
    return Wire(monkeypatch)


def fail(wire, *codes):
    wire.server.faults += [(code, "words") if code else None for code in codes]


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


def test_requests_alike_are_sent_alike_and_checked_once(wire, monkeypatch):
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
    with pytest.raises(FailedPreconditionError, match="cannot do this"):
        wire.predict(ONE)


def test_unavailable_is_tried_again_with_growing_pauses(wire):
    fail(wire, None, *[grpc.StatusCode.UNAVAILABLE] * 4)
    assert wire.predict(ONE).values.tolist() == [0.5]
    assert wire.server.calls == ["GetModelMetadata"] + ["Predict"] * 5
    for pause, longest in zip(wire.pauses, [0.05, 0.1, 0.2, 0.4], strict=True):
        assert longest / 2 <= pause <= longest


@pytest.mark.parametrize(
    "code", [code for code in grpc.StatusCode if code not in (grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE)]
)
def test_nothing_but_unavailable_is_tried_again(wire, code):
    fail(wire, None, code)
    with pytest.raises(Exception, match="words") as caught:
        wire.predict(ONE)
    assert caught.value.code is code
    assert wire.server.calls == ["GetModelMetadata", "Predict"]


def test_retries_end_before_the_deadline(wire):
    fail(wire, None, *[grpc.StatusCode.UNAVAILABLE] * 100)
    with pytest.raises(
        UnavailableError, match=r"was not available within 3 s: words\. Start one with `crossnet serve`"
    ):
        wire.predict(ONE, timeout_seconds=3)
    assert 2.0 < wire.now < 3.0


def test_every_attempt_may_take_only_what_is_left_of_the_deadline(wire):
    fail(wire, None, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE)
    wire.predict(ONE, timeout_seconds=3)
    left = [attempt.seconds for attempt in wire.attempts]
    assert left[0] == left[1] == 3
    assert left[3] == pytest.approx(3 - sum(wire.pauses))


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_deadline_must_be_above_zero(wire, seconds):
    with pytest.raises(UsageError, match=f"A timeout must be above zero seconds; received {seconds}"):
        wire.predict(ONE, timeout_seconds=seconds)


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


def test_status_lists_versions_newest_first(wire, monkeypatch):
    answer = messages.GetModelStatusResponse()
    answer.model_version_status.add(version=1, state=50).status.error_message = "no such file"
    answer.model_version_status.add(version=2, state=30)
    monkeypatch.setattr(wire.server, "status", lambda payload, context: answer.SerializeToString())
    found = wire.run(wire.exchange.status(None))
    assert [(v.version, v.state, v.error_message) for v in found] == [(2, "AVAILABLE", ""), (1, "END", "no such file")]


def test_wait_ready_waits_for_available(wire, monkeypatch):
    wire.server.state = "LOADING"
    wire.server.faults = [(grpc.StatusCode.UNAVAILABLE, ""), (grpc.StatusCode.NOT_FOUND, ""), None]
    real = wire.server.status

    def status(payload, context):
        if len(wire.server.calls) == 3:
            wire.server.state = "AVAILABLE"
        return real(payload, context)

    monkeypatch.setattr(wire.server, "status", status)
    wire.run(wire.exchange.wait_ready(5))
    assert wire.server.calls == ["GetModelStatus"] * 4


def test_of_a_hosts_addresses_the_one_that_says_why_is_told(wire):
    refused = "last error: ipv6:[::1]:1: Connection refused"
    wire.server.faults += [(grpc.StatusCode.UNAVAILABLE, "ipv4:127.0.0.1:1: CERTIFICATE_VERIFY_FAILED")]
    wire.server.faults += [(grpc.StatusCode.UNAVAILABLE, refused)] * 200
    with pytest.raises(UnavailableError, match="CERTIFICATE_VERIFY_FAILED.* not signed by an authority"):
        wire.run(wire.exchange.metadata(3))
    wire.server.faults = [(grpc.StatusCode.UNAVAILABLE, "ipv4:127.0.0.1:1: CERTIFICATE_VERIFY_FAILED")]
    wire.server.faults += [(grpc.StatusCode.UNAVAILABLE, refused)] * 200
    with pytest.raises(DeadlineError, match="CERTIFICATE_VERIFY_FAILED.* not signed by an authority"):
        wire.run(wire.exchange.wait_ready(3))


def test_wait_ready_tells_a_server_that_is_not_there(wire):
    fail(wire, *[grpc.StatusCode.UNAVAILABLE] * 100)
    with pytest.raises(DeadlineError) as caught:
        wire.run(wire.exchange.wait_ready(5))
    assert str(caught.value) == (
        "The server at here:1 was not ready within 5 s: words. Start one with `crossnet serve`, or check the address."
    )
    assert wire.now == pytest.approx(5)


def test_wait_ready_tells_a_model_that_is_not_ready_from_a_server_that_is_not_there(wire):
    wire.server.state = "LOADING"
    with pytest.raises(
        DeadlineError, match=r"here:1 answers, but `crossnet` was not available .* version 7 is LOADING"
    ):
        wire.run(wire.exchange.wait_ready(5))


def test_wait_ready_keeps_the_reason_when_the_last_answer_comes_too_late(wire):
    fail(wire, grpc.StatusCode.NOT_FOUND, *[grpc.StatusCode.DEADLINE_EXCEEDED] * 100)
    with pytest.raises(DeadlineError, match=r"here:1 answers, but `crossnet` was not available within 5 s: words"):
        wire.run(wire.exchange.wait_ready(5))


def test_wait_ready_with_a_label_stays_within_the_deadline(monkeypatch):
    wire = Wire(monkeypatch, label="stable")
    real = wire.server.status

    def slow(payload, context):
        wire.now += 0.75
        return real(payload, context)

    monkeypatch.setattr(wire.server, "status", slow)
    wire.run(wire.exchange.wait_ready(1))
    assert [attempt.seconds for attempt in wire.attempts] == pytest.approx([1, 0.25])


def test_wait_ready_tells_a_model_that_the_server_does_not_know(wire):
    wire.server.model_name = "other"
    with pytest.raises(DeadlineError, match="Could not find any versions of model crossnet. Check the model's name"):
        wire.run(wire.exchange.wait_ready(1))


def test_wait_ready_with_a_label_asks_for_the_label_itself(monkeypatch):
    wire = Wire(monkeypatch, label="stable")
    fail(wire, None, grpc.StatusCode.INVALID_ARGUMENT)
    wire.run(wire.exchange.wait_ready(5))
    assert wire.server.calls == ["GetModelStatus", "GetModelMetadata"] * 2


def test_wait_ready_raises_what_waiting_cannot_mend(wire):
    fail(wire, grpc.StatusCode.UNIMPLEMENTED)
    with pytest.raises(Exception, match="does not know this method"):
        wire.run(wire.exchange.wait_ready(5))
