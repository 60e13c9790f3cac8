"""A client's policy driven without a network: no socket, and a clock that only pauses move."""

from __future__ import annotations

import grpc
import numpy as np

from crossnet.serving.client.calls import Attempt, Pause
from crossnet.serving.client.exchange import Exchange
from support.fake_server import XS, FakeServer

ONE = {"x0": [0.5], "x1": [1.0], "x2": [1.5]}
ARRAYS = {name: np.float32(values) for name, values in ONE.items()}  # sent as they are given
TEN = {name: np.arange(10.0) for name in XS}


class Failure(grpc.RpcError):
    """What grpc raises where a call fails."""

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


def fail(wire, *codes):
    wire.server.faults += [(code, "words") if code else None for code in codes]
