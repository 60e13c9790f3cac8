from __future__ import annotations

import grpc
import pytest

from crossnet.serving import status
from crossnet.serving.status import STATUS_TABLE, ServingError, error_from_rpc


class Failed(grpc.RpcError):
    def __init__(self, code, details):
        self._code, self._details = code, details

    def code(self):
        return self._code

    def details(self):
        return self._details


def error_for(code, details="Servable not found for request: Latest(rides)."):
    return error_from_rpc(Failed(code, details), target="localhost:8500", model="`rides` version 3", seconds=2.5)


ROWS = [
    ("INVALID_ARGUMENT", "InvalidRequestError", "localhost:8500 refused the inputs for `rides` version 3"),
    ("OUT_OF_RANGE", "InvalidRequestError", "localhost:8500 refused the inputs for `rides` version 3"),
    ("NOT_FOUND", "NotFoundError", "The server at localhost:8500 does not serve `rides` version 3"),
    (
        "FAILED_PRECONDITION",
        "FailedPreconditionError",
        "localhost:8500 does not support this request for `rides` version 3",
    ),
    ("UNAVAILABLE", "UnavailableError", "The server at localhost:8500 was not available within 2.5 s"),
    ("DEADLINE_EXCEEDED", "DeadlineError", "localhost:8500 did not answer for `rides` version 3 within 2.5 s"),
    (
        "RESOURCE_EXHAUSTED",
        "ResourceExhaustedError",
        "does not have the resources for this request to `rides` version 3",
    ),
    ("UNAUTHENTICATED", "AccessError", "The server at localhost:8500 cannot authenticate this caller"),
    ("PERMISSION_DENIED", "AccessError", "localhost:8500 does not permit this caller to use `rides` version 3"),
    ("UNIMPLEMENTED", "UnimplementedError", "The server at localhost:8500 does not have this method of TensorFlow"),
    ("CANCELLED", "CancelledError", "The call to localhost:8500 for `rides` version 3 was cancelled"),
    ("ABORTED", "ServerError", "The server at localhost:8500 aborted the request to `rides` version 3"),
    ("ALREADY_EXISTS", "ServerError", "The server at localhost:8500 failed on `rides` version 3"),
    ("INTERNAL", "ServerError", "The server at localhost:8500 failed on `rides` version 3"),
    ("UNKNOWN", "ServerError", "The server at localhost:8500 failed on `rides` version 3"),
    ("DATA_LOSS", "ServerError", "The server at localhost:8500 lost data of `rides` version 3"),
]


@pytest.mark.parametrize(("code", "kind", "sentence"), ROWS, ids=[row[0] for row in ROWS])
def test_error_keeps_the_code_and_says_what_who_and_what_next(code, kind, sentence):
    error = error_for(grpc.StatusCode[code])
    assert type(error) is getattr(status, kind)
    assert error.code is grpc.StatusCode[code]
    assert sentence in str(error)
    assert f": Servable not found for request: Latest(rides). {STATUS_TABLE[error.code][2]}" in str(error)


def test_label_that_the_server_does_not_know_is_reported():
    error = error_for(grpc.StatusCode.INVALID_ARGUMENT, "Unrecognized servable version label: beta")
    assert str(error) == (
        "The server at localhost:8500 does not serve `rides` version 3: Unrecognized servable version label: beta. "
        "Check the label; the server's model config assigns labels to versions."
    )


def test_every_code_but_ok_has_a_row():
    assert {row[0] for row in ROWS} == {code.name for code in STATUS_TABLE}
    assert set(STATUS_TABLE) == set(grpc.StatusCode) - {grpc.StatusCode.OK}


def test_error_without_the_servers_words_is_still_a_sentence():
    assert str(error_for(grpc.StatusCode.ABORTED, None)) == (
        "The server at localhost:8500 aborted the request to `rides` version 3. Send it again."
    )


def test_unknown_code_is_a_server_error_that_names_it():
    error = error_for(99, "odd")
    assert type(error) is status.ServerError
    assert "code 99, odd" in str(error)


def test_errors_before_sending_have_no_code():
    assert ServingError("x").code is None


def test_exit_codes_are_1_for_failures_and_2_for_wrong_usage():
    assert ServingError.exit_code == status.NotFoundError.exit_code == status.RowsError.exit_code == 1
    assert status.UsageError.exit_code == 2
