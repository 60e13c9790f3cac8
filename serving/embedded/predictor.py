"""Checks requests against a loaded model and runs Predict.

Both ports and the warm-up use it. The order of the checks, the codes and the messages are those of the real server.
Sources: tensorflow/serving servables/tensorflow/predict_util.cc; tensorflow cc/saved_model/util.cc.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import grpc
import numpy as np
from tensorflow_serving.apis import predict_pb2

from crossnet.serving.config.versions import requested
from crossnet.serving.embedded.codec import ImpliedValues, read_tensor
from crossnet.serving.embedded.model import DEFAULT_SIGNATURE, LoadedModel
from crossnet.serving.protocol.bounded_text import cut, joined
from crossnet.serving.protocol.codes import invalid
from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.protocol.message_templates import MessageTemplate, TemplateCache, TensorPlace
from crossnet.serving.protocol.session import GraphSignature
from crossnet.serving.status import ServingError

_MAX_CHECKED = 64  # templates of one model; each keeps a callable
# C++'s names of types, as in TensorFlow's own message.
_TYPE_WORDS = {
    "float32": "float", "float64": "double", "float16": "half", "object": "string", "complex64": "complex64",
}  # fmt: skip


class RequestHeader(NamedTuple):
    """A PredictRequest without its values.

    Attributes:
      request: The parsed request, without them.
      target: The model's name, version and label, as `versions.requested` returns them.
    """

    request: Any
    target: tuple[str, int | None, str]


@dataclass(frozen=True)
class CheckedRequest:
    """A template that was checked against a model, so that only the values of its requests are new.

    Attributes:
      signature_name: The resolved name of the signature that it names.
      places: The places of the graph's inputs in the message, in the graph's order.
      run: Computes the outputs by alias from these inputs.
    """

    signature_name: str
    places: tuple[TensorPlace, ...]
    run: Callable[[Sequence[Array]], dict[str, Array]]


def predict(model: LoadedModel, request: Any) -> tuple[str, dict[str, Array]]:
    """Answers a PredictRequest.

    Args:
      model: The version that the request's ModelSpec names.
      request: A PredictRequest.

    Returns:
      The resolved name of the signature, and its outputs by alias.

    Raises:
      ServingError: The request does not fit the signature.
      tf.errors.OpError: The graph does not take the inputs.
    """
    signature, arrays, outputs = _checked(model, request, request.inputs)
    return signature.name, model.run(signature, arrays, outputs)


def request_templates() -> TemplateCache[RequestHeader]:
    """Returns an empty cache for templates of PredictRequests."""
    field = predict_pb2.PredictRequest.DESCRIPTOR.fields_by_name["inputs"].number
    return TemplateCache(field, _arrays, _header)


def _arrays(request: Any) -> dict[str, Array]:
    implied = ImpliedValues()
    return {alias: read_tensor(tensor, alias, implied) for alias, tensor in request.inputs.items()}


def _header(request: Any) -> RequestHeader:
    bare = type(request)()
    bare.CopyFrom(request)
    for tensor in bare.inputs.values():
        for name in ("tensor_content", "float_val", "double_val"):
            tensor.ClearField(name)
    return RequestHeader(bare, requested(request))


def predict_from_template(
    model: LoadedModel, template: MessageTemplate[RequestHeader], message: bytes
) -> tuple[str, dict[str, Array]]:
    """Answers a PredictRequest that matches a template, as `predict` does; each model checks a template once.

    Args:
      model: The version that the template's ModelSpec names.
      template: The template that the message matches.
      message: A serialized PredictRequest.
    """
    checked = model.checked_requests.get(template)
    if checked is None:
        signature, arrays, outputs = _checked(model, template.header.request, template.arrays(message))
        if len(arrays) != len(template.tensors):  # the signature has defaults, which are not in the message
            return signature.name, model.run(signature, arrays, outputs)
        places = tuple(template.tensors[alias] for alias in signature.inputs)
        checked = CheckedRequest(signature.name, places, model.prepare(signature, outputs))
        if len(model.checked_requests) >= _MAX_CHECKED:
            model.checked_requests.clear()
        model.checked_requests[template] = checked
    return checked.signature_name, checked.run([place.view(message) for place in checked.places])


def _checked(
    model: LoadedModel, request: Any, inputs: Mapping[str, Any]
) -> tuple[GraphSignature, list[Array], tuple[str, ...]]:
    """Returns the signature that a request names, its inputs in the graph's order, and the outputs it asks for.

    Args:
      model: The model.
      request: The PredictRequest.
      inputs: Its inputs by alias: TensorProtos, or arrays where they were read before.
    """
    name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    signature = model.signatures.get(name)
    if signature is None:
        raise ServingError(f'Serving signature key "{cut(name)}" not found.', grpc.StatusCode.FAILED_PRECONDITION)
    arrays = _read_inputs(signature, inputs)
    outputs = _chosen_outputs(signature, request.output_filter) if request.output_filter else tuple(signature.outputs)
    _check_types(signature, arrays)
    return signature, arrays, outputs


def run(
    model: LoadedModel, signature: GraphSignature, inputs: list[Array], outputs: tuple[str, ...]
) -> dict[str, Array]:
    """Runs the signature; types must match exactly, the graph alone checks shapes."""
    _check_types(signature, inputs)
    return model.run(signature, inputs, outputs)


def _check_types(signature: GraphSignature, inputs: list[Array]) -> None:
    for array, expected in zip(inputs, signature.dtypes, strict=True):
        if array.dtype is not expected and array.dtype != expected and expected is not None:
            raise invalid(f"Type mismatch: actual {type_word(array.dtype)} vs. expect {type_word(expected)}")


def _read_inputs(signature: GraphSignature, given: Any) -> list[Array]:
    defaults = signature.definition.defaults
    if len(given) > len(signature.inputs) or (len(given) < len(signature.inputs) and not defaults):
        sent, required = set(given), set(signature.inputs)
        raise invalid(
            f"input size does not match signature: {len(sent)}!={len(required)} len({{{joined(sent)}}}) != "
            f"len({{{joined(required)}}}). Sent extra: {{{joined(sent - required)}}}. "
            f"Missing but required: {{{joined(required - sent)}}}."
        )
    arrays, used, implied = [], 0, ImpliedValues()
    for alias, (feed, _) in signature.inputs.items():
        tensor = given.get(alias)
        if tensor is not None:
            used += 1
            arrays.append(tensor if isinstance(tensor, np.ndarray) else read_tensor(tensor, alias, implied))
        elif alias in defaults:
            arrays.append(read_tensor(defaults[alias], alias))
        else:
            raise invalid(
                f"Signature input alias: {alias}(feed name: {feed}) not found in request and no default value provided."
                f" Inputs expected to be in the request {{{joined(given)}}}, or default input alias set: "
                f"{joined(defaults)}"
            )
    if used != len(given):
        raise invalid(
            f"Inputs contains invalid name. Used request inputs: {joined(set(given) & set(signature.inputs))}, "
            f"request input: {joined(given)}"
        )
    return arrays


def _chosen_outputs(signature: GraphSignature, output_filter: Iterable[str]) -> tuple[str, ...]:
    chosen: list[str] = []
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {cut(alias)} Outputs expected to be in the set "
                f"{{{joined(signature.outputs)}}}."
            )
        if alias in chosen:
            raise invalid(f"duplicate output tensor alias: {alias}")
        chosen.append(alias)
    return tuple(sorted(chosen))


def type_word(dtype: np.dtype[Any]) -> str:
    """Returns C++'s name of a type."""
    return _TYPE_WORDS.get(dtype.name, dtype.name)
