"""Answers health checks, behind `--enable_grpc_healthcheck_service`.

The service is `grpc.health.v1.Health`. The names it knows are the real server's: "", "ModelService" and
"PredictionService", not the services' full names.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import grpc

from crossnet.serving.protocol.bounded_text import cut
from crossnet.serving.protocol.descriptors import message_classes

NAMES = ("", "ModelService", "PredictionService")
_SERVING, _NOT_SERVING, _SERVICE_UNKNOWN = 1, 2, 3

_MESSAGES = message_classes(
    {
        "grpc.health.v1.HealthCheckRequest": ("string service = 1",),
        "grpc.health.v1.HealthCheckResponse": ("HealthCheckResponse.ServingStatus status = 1",),
    },
    {
        "grpc.health.v1.HealthCheckResponse.ServingStatus": {
            "UNKNOWN": 0,
            "SERVING": _SERVING,
            "NOT_SERVING": _NOT_SERVING,
            "SERVICE_UNKNOWN": _SERVICE_UNKNOWN,
        }
    },
)
HealthCheckRequest = _MESSAGES["grpc.health.v1.HealthCheckRequest"]
HealthCheckResponse = _MESSAGES["grpc.health.v1.HealthCheckResponse"]


class Health:
    """Answers SERVING until `stop`; the port opens only when every model is available."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Answers NOT_SERVING from now on, so that load balancers send no new calls while the server drains."""
        self._stopped.set()

    def handlers(self) -> list[Any]:
        """Returns the grpc handlers of the service."""
        codec = {
            "request_deserializer": HealthCheckRequest.FromString,
            "response_serializer": HealthCheckResponse.SerializeToString,
        }
        methods = {
            "Check": grpc.unary_unary_rpc_method_handler(self._check, **codec),
            "Watch": grpc.unary_stream_rpc_method_handler(self._watch, **codec),
        }
        return [grpc.method_handlers_generic_handler("grpc.health.v1.Health", methods)]

    def _status(self) -> int:
        return _NOT_SERVING if self._stopped.is_set() else _SERVING

    def _check(self, request: Any, context: Any) -> Any:
        if request.service not in NAMES:
            known = ", ".join(NAMES)
            context.abort(grpc.StatusCode.NOT_FOUND, f"unknown service `{cut(request.service)}`; known: {known}")
        return HealthCheckResponse(status=self._status())

    def _watch(self, request: Any, context: Any) -> Iterator[Any]:
        if request.service not in NAMES:
            yield HealthCheckResponse(status=_SERVICE_UNKNOWN)
            while context.is_active() and not self._stopped.wait(1.0):
                pass
            return
        yield HealthCheckResponse(status=self._status())
        while context.is_active():
            if self._stopped.wait(1.0):
                yield HealthCheckResponse(status=_NOT_SERVING)
                return
