"""Describes the server's services to clients that have no protos.

grpcurl and other tools ask for them. tensorflow_model_server has gRPC's reflection linked in, with no flag for it
(tensorflow/serving model_servers/BUILD). The Python package offers version v1alpha only; v1 has the same messages under
another package, so both are offered, as gRPC's C++ library does.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, text_format
from grpc_reflection.v1alpha import reflection, reflection_pb2
from tensorflow_serving.apis import model_service_pb2, prediction_service_pb2

from crossnet.serving.embedded.health import HealthCheckRequest

NAMES = ("grpc.reflection.v1.ServerReflection", reflection.SERVICE_NAME)
_HEALTH = "grpc.health.v1.Health"
_HEALTH_METHODS = {"Check": False, "Watch": True}  # whether the answers are a stream


class Reflection:
    """Describes the services, in both versions, until `stop`.

    Args:
      health: Whether the server offers `grpc.health.v1.Health`.
    """

    def __init__(self, *, health: bool) -> None:
        services = [
            prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"].full_name,
            model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name,
            *([_HEALTH] if health else []),
            *NAMES,
        ]
        self._servicer = reflection.ReflectionServicer(services, pool=_Pools([descriptor_pool.Default(), _own_pool()]))
        self._lock = threading.Lock()
        self._streams: set[Any] = set()  # of calls that are open
        self._is_stopped = False

    def handlers(self) -> list[Any]:
        """Returns the grpc handlers of the service."""
        method = grpc.stream_stream_rpc_method_handler(
            self._answer,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        return [grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": method}) for name in NAMES]

    def stop(self) -> None:
        """Ends the open streams, which else last until their clients end them, and refuses new ones."""
        with self._lock:
            self._is_stopped = True
            streams = list(self._streams)
        for context in streams:
            context.cancel()

    def _answer(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        with self._lock:
            is_refused = self._is_stopped
            self._streams.add(context)
        try:
            if is_refused:
                context.abort(grpc.StatusCode.UNAVAILABLE, "The server is shutting down.")
            yield from self._servicer.ServerReflectionInfo(requests, context)
        finally:
            with self._lock:
                self._streams.discard(context)


class _Pools:
    """Finds in the first of several descriptor pools that has it.

    Args:
      pools: The pools; a file in one is not known in another.
    """

    def __init__(self, pools: Sequence[Any]) -> None:
        self._pools = pools

    def __getattr__(self, method: str) -> Any:
        """Returns a lookup method of `DescriptorPool` that asks each pool in turn, and raises KeyError in the end."""

        def find(*arguments: Any) -> Any:
            for pool in self._pools[:-1]:
                try:
                    return getattr(pool, method)(*arguments)
                except KeyError:
                    continue
            return getattr(self._pools[-1], method)(*arguments)

        return find


def _own_pool() -> Any:
    """Returns a pool with the services that protos of other packages declare: health checks, and reflection v1."""
    health = descriptor_pb2.FileDescriptorProto()
    HealthCheckRequest.DESCRIPTOR.file.CopyToProto(health)
    health.name = "grpc/health/v1/health.proto"
    service = health.service.add(name=_HEALTH.rpartition(".")[2])
    for method, streams in _HEALTH_METHODS.items():
        service.method.add(
            name=method,
            input_type=".grpc.health.v1.HealthCheckRequest",
            output_type=".grpc.health.v1.HealthCheckResponse",
            server_streaming=streams,
        )
    alpha = descriptor_pb2.FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(alpha)
    words = text_format.MessageToString(alpha).replace("v1alpha", "v1")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(health)
    pool.Add(text_format.Parse(words, descriptor_pb2.FileDescriptorProto()))
    return pool
