"""A client asks for the state of a model, and waits for it."""

from __future__ import annotations

import grpc
import pytest

from crossnet.serving.protocol import messages
from crossnet.serving.status import AccessError, DeadlineError
from support.client_wire import Wire, fail


@pytest.fixture
def wire(monkeypatch):
    return Wire(monkeypatch)


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


def test_wait_ready_reports_a_server_that_is_not_there(wire):
    fail(wire, *[grpc.StatusCode.UNAVAILABLE] * 100)
    with pytest.raises(DeadlineError) as caught:
        wire.run(wire.exchange.wait_ready(5))
    assert str(caught.value) == (
        "The server at here:1 was not ready within 5 s: words. Start one with `crossnet serve`, or check the address."
    )
    assert wire.now == pytest.approx(5)


def test_wait_ready_reports_a_model_that_is_not_ready_from_a_server_that_is_not_there(wire):
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


def test_wait_ready_reports_a_model_that_the_server_does_not_know(wire):
    wire.server.model_name = "other"
    with pytest.raises(DeadlineError, match="Could not find any versions of model crossnet. Check the model's name"):
        wire.run(wire.exchange.wait_ready(1))


def test_wait_ready_with_a_label_asks_for_the_label_itself(monkeypatch):
    wire = Wire(monkeypatch, label="stable")
    fail(wire, None, grpc.StatusCode.INVALID_ARGUMENT)
    wire.run(wire.exchange.wait_ready(5))
    assert wire.server.calls == ["GetModelStatus", "GetModelMetadata"] * 2


def test_wait_ready_raises_what_waiting_cannot_mend(wire):
    fail(wire, grpc.StatusCode.PERMISSION_DENIED)
    with pytest.raises(AccessError, match="does not permit"):
        wire.run(wire.exchange.wait_ready(5))


def test_wait_ready_asks_for_the_metadata_where_there_is_no_status(wire):
    wire.server.lacks = {"GetModelStatus"}
    fail(wire, None, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE)
    wire.run(wire.exchange.wait_ready(5))
    assert wire.server.calls == ["GetModelStatus"] + ["GetModelMetadata"] * 3


def test_wait_ready_takes_a_server_with_predict_alone_as_ready_when_it_answers(wire):
    wire.server.lacks = {"GetModelStatus", "GetModelMetadata"}
    fail(wire, grpc.StatusCode.UNAVAILABLE)
    wire.run(wire.exchange.wait_ready(5))
    assert wire.server.calls == ["GetModelStatus", "GetModelStatus", "GetModelMetadata"]
