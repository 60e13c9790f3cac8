"""Reads the artifact of ExampleGen: rows in TFRecord shards."""

from __future__ import annotations

from pathlib import Path

from crossnet.components.artifacts.base import Artifact
from crossnet.components.errors import MissingArtifactError


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
