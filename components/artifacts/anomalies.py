"""Reads the artifact of ExampleValidator: anomalies of the data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossnet.components.artifacts.base import Artifact, Outcome, split_folder
from crossnet.components.errors import DataAnomalyError
from crossnet.components.files import read_json

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import anomalies_pb2

ANOMALIES_FILE = "anomalies.json"


def schema_diff_file(folder: Path, split: str) -> Path:
    """Returns the file of one split's anomalies inside an artifact's folder."""
    return split_folder(folder, split) / "SchemaDiff.pb"


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

        return anomalies_pb2.Anomalies.FromString(schema_diff_file(self.path, split).read_bytes())

    @property
    def anomalies(self) -> list[dict[str, Any]]:
        """All anomalies, errors first."""
        return list(read_json(self.path / ANOMALIES_FILE)["anomalies"])

    @property
    def has_errors(self) -> bool:
        """Whether the run must stop."""
        return self.counts["errors"] > 0

    @property
    def summary(self) -> str:
        """The errors in words, or the warnings where there is no error; "" where there is neither."""
        return str(self.properties["summary"])

    def passes(self, *, force: bool = False) -> bool:
        """Whether there is no error."""
        return not self.has_errors

    def outcome(self, *, force: bool = False) -> Outcome:
        """Returns the errors as the run's error, or the warnings."""
        if self.has_errors:
            return Outcome(error=self.summary, exit_code=DataAnomalyError.exit_code)
        return Outcome(warnings=(self.summary,) if self.summary else ())
