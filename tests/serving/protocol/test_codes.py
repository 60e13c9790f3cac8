"""Tests the codes, HTTP statuses and messages of errors."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import predict_pb2

from crossnet.serving.protocol.codes import failed_to_start, grpc_message, http_status, invalid, status_of
from crossnet.serving.status import DeadlineError, ServingError, UsageError

CODE = grpc.StatusCode


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (CODE.INVALID_ARGUMENT, 400), (CODE.FAILED_PRECONDITION, 400), (CODE.OUT_OF_RANGE, 400),
        (CODE.UNAUTHENTICATED, 401), (CODE.PERMISSION_DENIED, 403), (CODE.NOT_FOUND, 404), (CODE.ALREADY_EXISTS, 409),
        (CODE.ABORTED, 409), (CODE.RESOURCE_EXHAUSTED, 429), (CODE.CANCELLED, 499), (CODE.UNIMPLEMENTED, 501),
        (CODE.UNAVAILABLE, 503), (CODE.DEADLINE_EXCEEDED, 504), (CODE.INTERNAL, 500), (CODE.UNKNOWN, 500),
        (CODE.DATA_LOSS, 500),
    ],
)  # fmt: skip
def test_http_status_of_each_code(code, status):
    assert http_status(code) == status


def test_status_of_passes_tensorflows_codes_through():
    import tensorflow as tf

    for kind, code in (
        (tf.errors.InvalidArgumentError, CODE.INVALID_ARGUMENT),
        (tf.errors.NotFoundError, CODE.NOT_FOUND),
        (tf.errors.OutOfRangeError, CODE.OUT_OF_RANGE),
        (tf.errors.ResourceExhaustedError, CODE.RESOURCE_EXHAUSTED),
    ):
        assert status_of(kind(None, None, "words")) == (code, "words")


def test_grpc_message_is_cut_between_letters():
    assert grpc_message("a" * 1024) == "a" * 1024
    assert grpc_message("a" * 10**6) == "a" * 1024 + "...TRUNCATED"
    assert grpc_message("é" * 600) == "é" * 512 + "...TRUNCATED"


def test_status_of_our_own_errors_is_their_code_or_internal():
    assert status_of(ServingError("no", CODE.NOT_FOUND)) == (CODE.NOT_FOUND, "no")
    assert status_of(ServingError("no")) == (CODE.INTERNAL, "no")
    assert status_of(UsageError("no")) == (CODE.INVALID_ARGUMENT, "no")
    assert status_of(invalid("no")) == (CODE.INVALID_ARGUMENT, "no")


def test_status_of_a_request_that_does_not_parse_is_internal_as_in_the_real_server():
    with pytest.raises(DecodeError) as error:
        predict_pb2.PredictRequest.FromString(b"\xff")
    assert status_of(error.value) == (
        CODE.INTERNAL,
        "The request does not parse: it is truncated or has another message type.",
    )


def test_status_of_too_little_memory_is_resource_exhausted():
    assert status_of(MemoryError()) == (
        CODE.RESOURCE_EXHAUSTED,
        "The server does not have enough memory for this request. Send fewer rows at once.",
    )


def test_status_of_a_bug_is_internal_and_its_traceback_goes_to_the_log_alone(caplog):
    class OddError(Exception):
        error_code = 99  # not a code

    for error in (ZeroDivisionError("secret"), OddError("secret")):
        caplog.clear()
        assert status_of(error) == (
            CODE.INTERNAL,
            f"{type(error).__name__} in the server; its log has the details.",
        )
        assert "secret" in caplog.text


def test_a_failed_start_has_the_real_servers_message_and_keeps_its_kind():
    found = failed_to_start(DeadlineError("too late", CODE.DEADLINE_EXCEEDED))
    assert type(found) is DeadlineError
    assert (str(found), found.code) == (
        "Failed to start server. Error: DEADLINE_EXCEEDED: too late",
        CODE.DEADLINE_EXCEEDED,
    )
    usage = failed_to_start(UsageError("no such folder"))
    assert (type(usage), str(usage), usage.exit_code) == (
        ServingError,
        "Failed to start server. Error: INVALID_ARGUMENT: no such folder",
        1,
    )
