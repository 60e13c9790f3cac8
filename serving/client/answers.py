"""Reads a server's answers into plain, frozen objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError

from crossnet.serving.protocol import messages
from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.protocol.message_templates import TemplateCache
from crossnet.serving.protocol.tensors import read_tensor
from crossnet.serving.status import ServerError


class Timings(NamedTuple):
    """Seconds that a call took.

    Attributes:
      encode: Checks and encoding.
      wire: The network and the server.
      decode: Reading the answer.
    """

    encode: float
    wire: float
    decode: float


@dataclass(frozen=True)
class Prediction:
    """The answer to a request.

    Attributes:
      outputs: Output name -> values, sorted by name; one value per row where the signature is batched.
      version: The version that answered.
      signature_name: The signature that was used.
      timings: The seconds that it took.
    """

    outputs: dict[str, Array]
    version: int
    signature_name: str
    timings: Timings

    @property
    def values(self) -> Array:
        """The values of the only output.

        Raises:
          ValueError: There are several outputs.
        """
        if len(self.outputs) != 1:
            raise ValueError(f"The model has several outputs: {', '.join(self.outputs)}. Take one from `outputs`.")
        return next(iter(self.outputs.values()))


@dataclass(frozen=True)
class VersionStatus:
    """One version of a model on a server.

    Attributes:
      version: Its number.
      state: "START", "LOADING", "AVAILABLE", "UNLOADING" or "END".
      error_code: 0, or the code of the error that ended it (google.rpc.Code).
      error_message: The error in words, or "".
    """

    version: int
    state: str
    error_code: int = 0
    error_message: str = ""


def parse(message_class: Any, answer: bytes) -> Any:
    """Returns the message of a class in an answer's bytes.

    Raises:
      ServerError: The bytes are not such a message.
    """
    try:
        return message_class.FromString(answer)
    except DecodeError as error:
        name = message_class.DESCRIPTOR.name
        raise ServerError(
            f"The server's answer of {len(answer)} bytes is not a {name}. Check that the address is TensorFlow Serving."
        ) from error


class Origin(NamedTuple):
    """The version and the signature that gave an answer; the signature is "" where the server does not name it."""

    version: int
    signature_name: str


class AnswerReader:
    """Reads PredictResponses, without parsing those that differ from an earlier one only in their values."""

    def __init__(self) -> None:
        field = messages.PredictResponse.DESCRIPTOR.fields_by_name["outputs"].number
        self._templates: TemplateCache[Origin] = TemplateCache(field, _outputs, _origin)

    def read(self, answer: bytes) -> tuple[dict[str, Array], Origin]:
        """Returns the outputs in a serialized PredictResponse, as arrays of their own, and their origin.

        Raises:
          ServerError: It cannot be read.
        """
        template = self._templates.find(answer)
        if template is not None:
            return {name: place.view(answer).copy() for name, place in template.tensors.items()}, template.header
        response = parse(messages.PredictResponse, answer)
        outputs = _outputs(response)
        self._templates.remember(answer, response)
        return outputs, _origin(response)


def read_origin(answer: bytes) -> Origin:
    """Returns the origin of a serialized PredictResponse."""
    return _origin(parse(messages.PredictResponse, answer))


def _outputs(response: Any) -> dict[str, Array]:
    return {name: read_tensor(tensor) for name, tensor in sorted(response.outputs.items())}


def _origin(response: Any) -> Origin:
    return Origin(response.model_spec.version.value, response.model_spec.signature_name)


def read_status(answer: bytes) -> tuple[VersionStatus, ...]:
    """Returns the versions in a serialized GetModelStatusResponse, newest first."""
    response = parse(messages.GetModelStatusResponse, answer)
    versions = [
        VersionStatus(
            version=found.version,
            state=messages.VERSION_STATES.get(found.state, f"STATE_{found.state}"),
            error_code=found.status.error_code,
            error_message=found.status.error_message,
        )
        for found in response.model_version_status
    ]
    return tuple(sorted(versions, key=lambda version: version.version, reverse=True))
