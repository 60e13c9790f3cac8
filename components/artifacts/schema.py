"""Reads the artifact of SchemaGen: the schema of the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossnet.components.artifacts.base import Artifact

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

SCHEMA_FILE = "schema.pbtxt"

_last: dict[str, bytes] = {}  # the schema that was written or read last, serialized, by its text


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
        """Returns the schema.

        Each step of a run reads the same one: of 1,000 columns, the text takes Python 0.12 s to parse (2026-11-30).
        """
        from google.protobuf import text_format
        from tensorflow_metadata.proto.v0 import schema_pb2

        text = (self.path / SCHEMA_FILE).read_text(encoding="utf-8")
        if text in _last:
            return schema_pb2.Schema.FromString(_last[text])
        schema = text_format.Parse(text, schema_pb2.Schema())
        keep_parsed(text, schema)
        return schema


def keep_parsed(text: str, schema: schema_pb2.Schema) -> None:
    """Keeps the schema that a text stands for, until another is written or read in this process."""
    _last.clear()
    _last[text] = schema.SerializeToString(deterministic=True)
