"""A client tries a call again after UNAVAILABLE alone, and gives up in time."""

from __future__ import annotations

import grpc
import pytest

from crossnet.serving.status import (
    DeadlineError,
    UnavailableError,
    UsageError,
)
from support.client_wire import ONE, Wire, fail


@pytest.fixture
def wire(monkeypatch):
    return Wire(monkeypatch)


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


def refuse(wire, times, words="Failed to connect to remote host: Connection refused"):
    wire.server.faults += [(grpc.StatusCode.UNAVAILABLE, words)] * times


def test_refused_connection_is_told_at_once(wire):
    refuse(wire, 100)
    with pytest.raises(UnavailableError) as caught:
        wire.predict(ONE)
    assert str(caught.value) == (
        "Nothing listens at here:1: Failed to connect to remote host: Connection refused. Start one with `crossnet "
        "serve`, wait for one with `wait_ready()` (`--wait SECONDS`), or check the address."
    )
    assert wire.now < 0.2


def test_server_that_has_answered_and_refuses_now_is_waited_for(wire):
    wire.predict(ONE)
    refuse(wire, 5)
    assert wire.predict(ONE).values.tolist() == [0.5]


def test_server_that_was_waited_for_and_refuses_now_is_waited_for(wire):
    refuse(wire, 5)
    wire.run(wire.exchange.wait_ready(5))
    refuse(wire, 5)
    assert wire.predict(ONE).values.tolist() == [0.5]


def test_connection_that_fails_in_another_way_is_tried_until_the_deadline(wire):
    refuse(wire, 2)
    refuse(wire, 3, "Socket closed")
    assert wire.predict(ONE).values.tolist() == [0.5]
