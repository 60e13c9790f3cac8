"""Calls TensorFlow Serving; imports grpc, protobuf and numpy, but not TensorFlow.

Example:
  >>> with PredictionClient("localhost:8500", model_name="rides") as client:  # doctest: +SKIP
  ...     client.wait_ready(5)
  ...     client.predict({"miles": [1.5, 0.2], "zone": ["north", "south"]}).values
  array([7.25, 3.1 ], dtype=float32)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossnet.lazy import lazy_names

if TYPE_CHECKING:
    from crossnet.serving.client.aio import AsyncPredictionClient
    from crossnet.serving.client.answers import Prediction, Timings, VersionStatus
    from crossnet.serving.client.connection import Tls
    from crossnet.serving.client.sync import PredictionClient
    from crossnet.serving.protocol.request_log import RequestLog
    from crossnet.serving.protocol.signature import ModelMetadata, Signature, TensorSpec

__all__ = [
    "AsyncPredictionClient",
    "ModelMetadata",
    "Prediction",
    "PredictionClient",
    "RequestLog",
    "Signature",
    "TensorSpec",
    "Timings",
    "Tls",
    "VersionStatus",
]

if not TYPE_CHECKING:  # to a type checker, a module with `__getattr__` has every name
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "AsyncPredictionClient": "crossnet.serving.client.aio",
            "ModelMetadata": "crossnet.serving.protocol.signature",
            "Prediction": "crossnet.serving.client.answers",
            "PredictionClient": "crossnet.serving.client.sync",
            "RequestLog": "crossnet.serving.protocol.request_log",
            "Signature": "crossnet.serving.protocol.signature",
            "TensorSpec": "crossnet.serving.protocol.signature",
            "Timings": "crossnet.serving.client.answers",
            "Tls": "crossnet.serving.client.connection",
            "VersionStatus": "crossnet.serving.client.answers",
        },
    )
