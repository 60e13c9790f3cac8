"""Reads the artifact of ExampleValidator: anomalies of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crossnet.components.artifacts.base import Artifact
from crossnet.components.files import read_json

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import anomalies_pb2


class Anomalies(Artifact):
    """What is wrong with the data.

    File structure:
      Split-train/SchemaDiff.pb    (Anomalies)
      Split-eval/SchemaDiff.pb
      anomalies.json               {"anomalies": [{split, column, rule, severity, count, rows, first, message}]}

    Counts: `errors` and `warnings`. Properties: `summary`, the errors in words, or the warnings where there is none.
    """

    def proto(self, split: str) -> anomalies_pb2.Anomalies:
        """Returns the anomalies of one split."""
        from tensorflow_metadata.proto.v0 import anomalies_pb2

        return anomalies_pb2.Anomalies.FromString((self.path / f"Split-{split}" / "SchemaDiff.pb").read_bytes())

    @property
    def anomalies(self) -> list[dict[str, Any]]:
        """All anomalies, errors first."""
        return list(read_json(self.path / "anomalies.json")["anomalies"])

    @property
    def has_errors(self) -> bool:
        """Whether the run must stop."""
        return self.counts["errors"] > 0

    @property
    def summary(self) -> str:
        """The errors in words, or the warnings where there is no error; "" where there is neither."""
        return str(self.properties["summary"])
