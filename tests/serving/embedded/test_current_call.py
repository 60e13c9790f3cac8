from __future__ import annotations

import threading
import time

import grpc
import pytest

from crossnet.serving.embedded.current_call import CurrentCall
from crossnet.serving.status import ServingError


class Context:
    """The part of a gRPC call's context that is read."""

    def __init__(self, remaining):
        self._remaining = remaining

    def time_remaining(self):
        return self._remaining


class Model:
    signatures = {"serving_default": None, "regress": None}  # noqa: RUF012


def test_deadline_that_has_passed_is_refused():
    with pytest.raises(ServingError, match="The deadline passed before the request ran") as error:
        CurrentCall().check_deadline(Context(-0.1))
    assert error.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


def test_deadline_is_the_calls_and_rest_keeps_its_own():
    call = CurrentCall()
    call.check_deadline(Context(10.0))
    assert 9.0 < call.deadline - time.monotonic() <= 10.0
    call.check_deadline(None)
    assert call.deadline is not None
    call.check_deadline(Context(None))
    assert call.deadline is None


@pytest.mark.parametrize(
    ("wanted", "signature"), [("", "serving_default"), ("regress", "regress"), ("made up by a client", "")]
)
def test_signature_is_one_of_the_models(wanted, signature):
    call = CurrentCall()
    call.begin()
    call.runs(7, Model(), wanted)
    call.ran()
    assert (call.version, call.signature) == ("7", signature)
    assert 0 <= call.runtime <= time.perf_counter() - call.start
    call.begin()
    assert (call.name, call.version, call.signature, call.runtime) == ("", "", "", 0.0)


def test_each_thread_has_its_own_call():
    call = CurrentCall()
    call.name = "mine"
    names = []
    thread = threading.Thread(target=lambda: names.append(call.name))
    thread.start()
    thread.join()
    assert names == [""]
