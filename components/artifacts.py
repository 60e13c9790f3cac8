"""Artifacts: folders that say what they are. What a later step needs travels inside them.

A component fills a folder and returns the artifact with `counts` and `properties`; the runner writes both into
`artifact.json`, last, and renames the folder to its final name. So a folder with its final name is whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from crossnet.components.errors import MissingArtifactError
from crossnet.components.files import folder_checksum, read_json

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

ARTIFACT_FILE = "artifact.json"
MEAN_PREDICTOR = "mean_predictor"  # predicts the mean label of train for every row: a line of the tables, no model


@dataclass(frozen=True)
class Artifact:
    """A finished folder.

    Attributes:
      path: The folder.
      counts: Whole numbers worth a line on the screen, such as rows by split.
      properties: Facts for later steps; JSON values only.
      fingerprint: Hex digest of all that made it; empty while it is being made.
    """

    path: Path
    counts: Mapping[str, int] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str = ""

    FORMAT: ClassVar[int] = 1

    @classmethod
    def load(cls, path: Path) -> Self:
        """Returns the finished artifact in `path`.

        Raises:
          MissingArtifactError: There is none, or it is of another type or format.
        """
        try:
            facts = read_json(path / ARTIFACT_FILE)
        except (FileNotFoundError, NotADirectoryError):
            raise MissingArtifactError(
                f"No finished {cls.__name__} in `{path}`: it has no {ARTIFACT_FILE}. Make it again with `crossnet run`."
            ) from None
        if (facts["type"], facts["format"]) != (cls.__name__, cls.FORMAT):
            raise MissingArtifactError(
                f"`{path}` holds {facts['type']} (format {facts['format']}), expected {cls.__name__} "
                f"(format {cls.FORMAT}). Remove the folder and call `crossnet run` again."
            )
        return cls(path, facts["counts"], facts["properties"], facts["fingerprint"])


class Examples(Artifact):
    """Rows as TFRecord shards of tf.train.Example.

    File structure:
      Split-train/data_tfrecord-00000-of-00004[.gz]
      Split-eval/data_tfrecord-00000-of-00004[.gz]

    Counts: rows by split. Properties: `label`, `compression` ("" or "GZIP"), `columns` (name, source_name, type
    "FLOAT" | "INT" | "BYTES") and what `crossnet.components.example_gen` needs to find a record's place in its source.
    """

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits, train first."""
        return tuple(sorted((p.name.removeprefix("Split-") for p in self.path.glob("Split-*")), reverse=True))

    @property
    def label(self) -> str:
        """The column to predict."""
        return str(self.properties["label"])

    @property
    def compression(self) -> str:
        """`""` or `"GZIP"`, as TensorFlow's readers take it."""
        return str(self.properties["compression"])

    def shards(self, split: str) -> list[Path]:
        """Returns the shard files of `split` in order."""
        if split not in self.splits:
            raise MissingArtifactError(f"No split `{split}` in `{self.path}`. There are: {', '.join(self.splits)}.")
        return sorted((self.path / f"Split-{split}").glob("data_tfrecord-*"))


class Statistics(Artifact):
    """Statistics of every column, by split.

    File structure:
      Split-train/FeatureStats.pb    (DatasetFeatureStatisticsList)
      Split-eval/FeatureStats.pb
    """

    def proto(self, split: str) -> statistics_pb2.DatasetFeatureStatisticsList:
        """Returns the statistics of one split."""
        from tensorflow_metadata.proto.v0 import statistics_pb2

        data = (self.path / f"Split-{split}" / "FeatureStats.pb").read_bytes()
        return statistics_pb2.DatasetFeatureStatisticsList.FromString(data)


class Schema(Artifact):
    """What the columns must look like: schema.pbtxt (tensorflow_metadata's Schema, text format).

    The label is the feature that is `not_in_environment: "SERVING"`, as in TFX. Property `inferred` is false when the
    user gave a reviewed file.
    """

    def proto(self) -> schema_pb2.Schema:
        """Returns the schema."""
        from google.protobuf import text_format
        from tensorflow_metadata.proto.v0 import schema_pb2

        text = (self.path / "schema.pbtxt").read_text(encoding="utf-8")
        return text_format.Parse(text, schema_pb2.Schema())


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


class Model(Artifact):
    """An exported model and how it was trained.

    File structure:
      Format-Serving/saved_model.pb, variables/, assets/, assets.extra/tf_serving_warmup_requests
      history.json                 {"loss": [mean squared error per epoch, label units squared], ...}

    Counts: `parameters`. Properties: `kind`, `checksum` of Format-Serving, `train_seconds`, `diagnosis`.
    """

    @property
    def serving_path(self) -> Path:
        """The SavedModel: what is judged, checked and pushed, unchanged."""
        return self.path / "Format-Serving"

    @property
    def kind(self) -> str:
        """`cross_layer`, `tfrs_cross` or `dense`."""
        return str(self.properties["kind"])

    @property
    def num_parameters(self) -> int:
        """Trainable weights."""
        return int(self.counts["parameters"])

    @property
    def checksum(self) -> str:
        """`folder_checksum` of `serving_path`."""
        return str(self.properties["checksum"])

    @property
    def history(self) -> dict[str, Any]:
        """The training history."""
        return dict(read_json(self.path / "history.json"))


class Evaluation(Artifact):
    """Metrics and verdict of every model, judged as exported.

    File structure:
      metrics.json                 by model, the mean predictor too: num_parameters, train_rmse, eval_rmse, mae, ...
      details.json                 by model: calibration, worst_rows, slices, explanation
      verdict.json                 by candidate: blessed, rules; see `crossnet.components.evaluation.verdict`
      BLESSED | NOT_BLESSED        empty; the run's verdict
      predictions/<model>.npy      float32 (eval rows,), in record order
      labels.npy                   float32 (eval rows,)

    Properties: `champion` (a model's name or null), `reasons` (one sentence per failed rule), `skipped` (per rule that
    was not asked), `baseline`, `served_version`, `batch_size` (rows per call), `label_std` (of the eval split).
    """

    @property
    def blessed(self) -> bool:
        """Whether there is a champion to push."""
        return (self.path / "BLESSED").exists()

    @property
    def champion(self) -> str | None:
        """The first blessed candidate, or None."""
        champion = self.properties["champion"]
        return None if champion is None else str(champion)

    @property
    def reasons(self) -> list[str]:
        """Why the run is not blessed; empty when it is."""
        return list(self.properties["reasons"])

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """Metrics by model."""
        return dict(read_json(self.path / "metrics.json"))

    @property
    def verdict(self) -> dict[str, Any]:
        """The verdict with every rule."""
        return dict(read_json(self.path / "verdict.json"))


class InfraValidation(Artifact):
    """Whether the champion answers over gRPC as the Evaluator saw it: INFRA_BLESSED | INFRA_NOT_BLESSED, report.json.

    Properties: `model`, `server` ("binary" or "embedded"), `max_difference`, `reasons`.
    """

    @property
    def blessed(self) -> bool:
        """Whether the champion may be pushed."""
        return (self.path / "INFRA_BLESSED").exists()

    @property
    def reasons(self) -> list[str]:
        """Why it may not; empty when it may."""
        return list(self.properties["reasons"])


class PushedModel(Artifact):
    """The record of a push: pushed.json. The model itself is in the folder that the server watches.

    Properties: `model_name`, `version`, `destination` (absolute), `checksum`, `model` (fingerprint).
    """

    @property
    def version(self) -> int:
        """The version's number, the name of its folder."""
        return int(self.properties["version"])

    @property
    def destination(self) -> Path:
        """The version's folder."""
        return Path(self.properties["destination"])

    @property
    def in_service(self) -> bool:
        """Whether the version is still there and unchanged."""
        return self.destination.is_dir() and folder_checksum(self.destination) == self.properties["checksum"]
