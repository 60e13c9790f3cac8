"""Reads a model's signatures from a GetModelMetadata response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from crossnet.serving.protocol import messages, tensors
from crossnet.serving.protocol.dtypes import numpy_type
from crossnet.serving.status import InvalidRequestError, ServerError


@dataclass(frozen=True)
class TensorSpec:
    """One input or output.

    Attributes:
      data_type: TensorFlow's DataType number.
      shape: Size of each dimension, None where any size fits; None instead of a tuple if the rank is unknown.
    """

    data_type: int
    shape: tuple[int | None, ...] | None

    @cached_property
    def dtype(self) -> np.dtype[Any] | None:
        """NumPy's type, `object` (of bytes) for text; None where NumPy has none."""
        return numpy_type(self.data_type)

    @cached_property
    def is_text(self) -> bool:
        """Whether the values are bytes."""
        return self.dtype is not None and self.dtype.kind == "O"

    @cached_property
    def is_batched(self) -> bool:
        """Whether the first dimension counts rows."""
        return bool(self.shape) and self.shape[0] is None  # type: ignore[index]

    @cached_property
    def is_column(self) -> bool:
        """Whether the shape is [rows, 1], the usual one of Keras models: each row has one value."""
        return self.shape == (None, 1)

    @property
    def type_name(self) -> str:
        """Name of the type for a message, such as "float32" or "text"."""
        return tensors.type_name(self.data_type)

    @property
    def shape_text(self) -> str:
        """The shape for a message, such as "[rows, 3]"."""
        if self.shape is None:
            return "of any rank"
        sizes = ["any" if size is None else str(size) for size in self.shape]
        if self.is_batched:
            sizes[0] = "rows"
        return f"[{', '.join(sizes)}]"

    def __str__(self) -> str:
        return f"{self.type_name} {self.shape_text}"


@dataclass(frozen=True)
class Signature:
    """One way to call a model.

    Attributes:
      name: Such as "serving_default".
      method_name: Such as "tensorflow/serving/predict".
      inputs: Name -> specification.
      outputs: Name -> specification.
      optional: Inputs with a default in the model, which a request may leave out.
    """

    name: str
    method_name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    optional: frozenset[str] = frozenset()

    @cached_property
    def is_batched(self) -> bool:
        """Whether rows can be split over several requests and the answers concatenated."""
        specs = [*self.inputs.values(), *self.outputs.values()]
        return bool(self.inputs) and all(spec.is_batched for spec in specs)


@dataclass(frozen=True)
class ModelMetadata:
    """The signatures of the model version that answers requests."""

    model_name: str
    version: int
    signatures: Mapping[str, Signature]

    @cached_property
    def title(self) -> str:
        """The model and its version for a message."""
        return f"`{self.model_name}` version {self.version}"

    def signature(self, name: str) -> Signature:
        """Returns one signature.

        Raises:
          InvalidRequestError: The model has no signature of this name.
        """
        if name not in self.signatures:
            known = ", ".join(f"`{known}`" for known in sorted(self.signatures))
            raise InvalidRequestError(f"Model {self.title} has no signature `{name}`. It has: {known}.")
        return self.signatures[name]


def read_metadata(response: Any) -> ModelMetadata:
    """Returns the content of a GetModelMetadataResponse.

    Raises:
      ServerError: Its signatures cannot be parsed.
    """
    try:
        found = messages.SignatureDefMap.FromString(response.metadata["signature_def"].value)
    except DecodeError as error:
        raise ServerError("The server's metadata has signatures that cannot be read.") from error
    return ModelMetadata(
        model_name=response.model_spec.name,
        version=response.model_spec.version.value,
        signatures=read_signatures(found.signature_def),
    )


def read_signatures(definitions: Mapping[str, Any]) -> dict[str, Signature]:
    """Returns the callable signatures of a SignatureDef map, sorted by name.

    Signatures that TensorFlow adds for itself, such as `__saved_model_init_op`, have no inputs and are left out.
    """
    return {
        name: Signature(
            name=name,
            method_name=definition.method_name,
            inputs={key: _read_spec(info) for key, info in sorted(definition.inputs.items())},
            outputs={key: _read_spec(info) for key, info in sorted(definition.outputs.items())},
            optional=frozenset(definition.defaults),
        )
        for name, definition in sorted(definitions.items())
        if not name.startswith("__saved_model")
    }


def _read_spec(info: Any) -> TensorSpec:
    """Returns a TensorInfo as a specification; sizes below zero mean that any size fits."""
    if info.tensor_shape.unknown_rank:
        return TensorSpec(info.dtype, None)
    return TensorSpec(info.dtype, tuple(dim.size if dim.size >= 0 else None for dim in info.tensor_shape.dim))
