"""Reads the artifact of SchemaGen: the schema of the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossnet.components.artifacts.base import Artifact

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

SCHEMA_FILE = "schema.pbtxt"


class Schema(Artifact):
    """What the columns must look like: schema.pbtxt (tensorflow_metadata's Schema, text format).

    The label is the feature that is `not_in_environment: "SERVING"`, as in TFX. Property `inferred` is false when the
    user gave a reviewed file.
    """

    @property
    def inferred(self) -> bool:
        """Whether the schema was inferred from this run's data."""
        return bool(self.properties["inferred"])

    def proto(self) -> schema_pb2.Schema:
        """Returns the schema."""
        from google.protobuf import text_format
        from tensorflow_metadata.proto.v0 import schema_pb2

        text = (self.path / SCHEMA_FILE).read_text(encoding="utf-8")
        return text_format.Parse(text, schema_pb2.Schema())
