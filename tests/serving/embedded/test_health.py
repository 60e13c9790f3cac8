"""The health service over gRPC: the real server's names, and what it says while the server stops."""

from __future__ import annotations

from concurrent import futures

import grpc
import pytest

from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.embedded.health import Health, HealthCheckRequest, HealthCheckResponse
from crossnet.serving.embedded.listen import open_server
from crossnet.serving.server import Server
from support.serving_fixtures import failure, stubs_on
from support.serving_models import save_model

SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3
NAMES = ("", "ModelService", "PredictionService")
CODEC = {
    "request_serializer": HealthCheckRequest.SerializeToString,
    "response_deserializer": HealthCheckResponse.FromString,
}


@pytest.fixture
def health():
    return Health()


@pytest.fixture
def channel(health):
    with futures.ThreadPoolExecutor(4) as threads:
        server, port = open_server(ServerFlags(port=0), "127.0.0.1", health.handlers(), None, threads)
        server.start()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
        server.stop(None).wait()


def check(channel):
    return channel.unary_unary("/grpc.health.v1.Health/Check", **CODEC)


def watch(channel, name):
    return channel.unary_stream("/grpc.health.v1.Health/Watch", **CODEC)(HealthCheckRequest(service=name), timeout=20)


def test_messages_are_the_official_ones():
    status = HealthCheckResponse.DESCRIPTOR.fields_by_name["status"].enum_type
    assert status.full_name == "grpc.health.v1.HealthCheckResponse.ServingStatus"
    assert {value.name: value.number for value in status.values} == {
        "UNKNOWN": 0, "SERVING": SERVING, "NOT_SERVING": NOT_SERVING, "SERVICE_UNKNOWN": SERVICE_UNKNOWN,
    }  # fmt: skip
    assert HealthCheckRequest(service="a").SerializeToString() == b"\x0a\x01a"
    assert HealthCheckResponse(status=SERVING).SerializeToString() == b"\x08\x01"


@pytest.mark.parametrize("name", NAMES)
def test_check_knows_the_bare_names_and_says_when_the_server_stops(health, channel, name):
    assert check(channel)(HealthCheckRequest(service=name), timeout=20).status == SERVING
    health.stop()
    assert check(channel)(HealthCheckRequest(service=name), timeout=20).status == NOT_SERVING


def test_check_of_another_name_is_not_found(channel):
    assert failure(check(channel), HealthCheckRequest(service="tensorflow.serving.ModelService"), timeout=20) == (
        grpc.StatusCode.NOT_FOUND,
        "unknown service `tensorflow.serving.ModelService`; known: , ModelService, PredictionService",
    )


def test_check_of_a_long_name_answers_in_a_few_words(channel):
    message = failure(check(channel), HealthCheckRequest(service="x" * 100_000), timeout=20)[1]
    assert len(message) < 300


@pytest.mark.parametrize("name", NAMES)
def test_watch_says_the_status_now_and_when_it_changes(health, channel, name):
    answers = watch(channel, name)
    assert next(answers).status == SERVING
    health.stop()
    assert [answer.status for answer in answers] == [NOT_SERVING]


def test_watch_of_another_name_goes_on_until_the_server_stops(health, channel):
    answers = watch(channel, "nope")
    assert next(answers).status == SERVICE_UNKNOWN
    for _ in range(20):  # an end of the stream would arrive before these answers
        check(channel)(HealthCheckRequest(), timeout=20)
    assert answers.is_active()
    health.stop()
    assert list(answers) == []


@pytest.mark.parametrize("asked_for", [True, False])
def test_server_offers_it_only_when_asked(tmp_path, asked_for):
    save_model(tmp_path / "demo" / "1")
    flags = ServerFlags(
        port=0,
        model_name="demo",
        model_base_path=str(tmp_path / "demo"),
        enable_grpc_healthcheck_service=asked_for,
    )
    with Server(flags) as server, stubs_on(f"127.0.0.1:{server.port}") as stubs:
        if asked_for:
            assert check(stubs.channel)(HealthCheckRequest(), timeout=20).status == SERVING
        else:
            code, _ = failure(check(stubs.channel), HealthCheckRequest(), timeout=20)
            assert code == grpc.StatusCode.UNIMPLEMENTED
