"""Logs the calls that the embedded server answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crossnet.serving.embedded.codec import write_predict_request, write_predict_response
from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.protocol.request_log import LOGGED, RequestLog

Handler = Callable[[bytes, Any], bytes]


def logging_calls(methods: Mapping[str, Handler], log: RequestLog) -> dict[str, Handler]:
    """Returns handlers by method, of which those that predict log what they answer."""
    return {name: _logging(name, method, log) if name in LOGGED else method for name, method in methods.items()}


def _logging(name: str, method: Handler, log: RequestLog) -> Handler:
    def answer(message: bytes, context: Any) -> bytes:
        response = method(message, context)
        log.add(name, message, response)
        return response

    return answer


def log_arrays(log: RequestLog, inputs: dict[str, Array], outputs: dict[str, Array], model_spec: bytes) -> None:
    """Logs a Predict call of the REST port as if it had come over gRPC; its messages are written later.

    Args:
      log: Takes the call.
      inputs: Name of the input -> its values.
      outputs: Name of the output -> its values.
      model_spec: A serialized ModelSpec: the model, the version that ran, and the signature.
    """
    size = sum(array.nbytes for array in (*inputs.values(), *outputs.values()))
    log.add(
        "Predict",
        lambda: write_predict_request(inputs, model_spec),
        lambda: write_predict_response(outputs, model_spec),
        size,
    )
