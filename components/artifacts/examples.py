"""Reads the artifact of ExampleGen: rows in TFRecord shards."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from crossnet.components.artifacts.base import SPLIT_PREFIX, Artifact, Outcome, split_folder
from crossnet.components.errors import MissingArtifactError
from crossnet.serving.protocol.column_rules import ColumnRules

SHARD_PREFIX, COLUMNS_PREFIX = "data_tfrecord", "data_columns"
TEST_SPLIT = "test"  # no step reads it: neither statistics, schema, training nor a rule, only `crossnet evaluate`


def shard_path(folder: Path, split: str, number: int, total: int, compression: str) -> Path:
    """Returns the path of shard `number` of `total`, named as in TFX.

    Args:
      folder: The artifact's folder.
      split: The split.
      number: The shard's number, from 0.
      total: How many shards the split has.
      compression: `""` or `"GZIP"`.
    """
    suffix = ".gz" if compression == "GZIP" else ""
    return split_folder(folder, split) / f"{SHARD_PREFIX}-{number:05d}-of-{total:05d}{suffix}"


def columns_path(shard: Path) -> Path:
    """Returns the path of the file that holds the columns of a shard."""
    return shard.with_name(f"{shard.name.removesuffix('.gz').replace(SHARD_PREFIX, COLUMNS_PREFIX)}.arrow")


class ExampleColumn(NamedTuple):
    """A column of the records.

    Attributes:
      name: As a signature takes it, `[A-Za-z_][A-Za-z0-9_]*`.
      source_name: As the source has it.
      type: "FLOAT", "INT" or "BYTES".
    """

    name: str
    source_name: str
    type: str


class Examples(Artifact):
    """Rows as TFRecord shards of tf.train.Example.

    File structure:
      Split-train/data_tfrecord-00000-of-00004[.gz]
      Split-train/data_columns-00000-of-00004.arrow   the same rows for the steps, so that they parse no record
      Split-eval/data_tfrecord-00000-of-00004[.gz]    and so on
      Split-test/data_tfrecord-00000-of-00004[.gz]    where there is a test split

    Counts: rows by split. Properties: `label`, `compression` ("" or "GZIP"), `columns` (name, source_name, type
    "FLOAT" | "INT" | "BYTES"), `weight` and `group` (columns that are not features, or ""), `dropped` (by reason, such
    as "unlabelled": rows, splits, files, first, holes), `doubts` (about columns: column, text, setting), `notes`
    (sentences for the screen) and what `crossnet.components.example_gen` needs to find a record's place in its source.
    """

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that steps read, train first: all but `TEST_SPLIT`."""
        return tuple(split for split in self.all_splits if split != TEST_SPLIT)

    @property
    def all_splits(self) -> tuple[str, ...]:
        """Names of all splits, train first."""
        return tuple(
            sorted((p.name.removeprefix(SPLIT_PREFIX) for p in self.path.glob(f"{SPLIT_PREFIX}*")), reverse=True)
        )

    def outcome(self, *, force: bool = False) -> Outcome:
        """Returns what is worth knowing about the rows that were read, such as how many have no label."""
        return Outcome(warnings=tuple(self.properties.get("notes", ())))

    @property
    def label(self) -> str:
        """The column to predict."""
        return str(self.properties["label"])

    @property
    def weight(self) -> str:
        """The column of the rows' weights, FLOAT of at least 0; "" where rows have none."""
        return str(self.properties.get("weight", ""))

    @property
    def group(self) -> str:
        """The column of what rows belong to; "" where they belong to nothing."""
        return str(self.properties.get("group", ""))

    @property
    def time_units(self) -> dict[str, str]:
        """The unit ("s", "ms", "us" or "ns") of each column of times since 1970, whole numbers in the records."""
        return dict(self.properties.get("time_units", {}))

    @property
    def clock(self) -> dict[str, str]:
        """The form, "hhmm" or "hhmmss", of each column of times of day, whole numbers in the records."""
        found = self.properties.get("clock", {})  # of an older version, the names of columns hhmm
        return dict.fromkeys(found, "hhmm") if isinstance(found, list) else dict(found)

    @property
    def unit(self) -> str:
        """The column whose values are what rows belong to: the group or, of a split by key, its column; "" for none."""
        column = str(self.properties.get("split_column", "")) if self.properties.get("split") == "key" else ""
        return self.group or next((c.name for c in self.columns if column and column in (c.name, c.source_name)), "")

    @property
    def extra(self) -> tuple[str, ...]:
        """The columns that are neither features nor the label: weight and group."""
        return tuple(name for name in (self.weight, self.group) if name)

    @property
    def holes_without_label(self) -> tuple[str, ...]:
        """Columns that lack a value in a row that was left out for want of a label: rows to predict have holes too."""
        return tuple(self.properties.get("dropped", {}).get("unlabelled", {}).get("holes", ()))

    @property
    def columns(self) -> tuple[ExampleColumn, ...]:
        """The columns of the records, the label among them, in the source's order."""
        return tuple(ExampleColumn(**column) for column in self.properties["columns"])

    @property
    def column_rules(self) -> ColumnRules:
        """How the columns of the source became those of the records, for requests that name them as the source does."""
        renamed = {column.source_name: column.name for column in self.columns if column.name != column.source_name}
        units = {**self.time_units, **self.properties.get("duration_units", {})}
        return ColumnRules(renamed, units, self._not_features())

    def _not_features(self) -> dict[str, str]:
        """Returns what the columns of the source are that are not features, see `ColumnRules`."""
        named = {"label": self.label, "weight": self.weight, "group": self.group}
        sources = {column.name: column.source_name for column in self.columns}
        excluded = dict.fromkeys(self.properties.get("settings", {}).get("exclude", ()), "excluded")
        roles = {**excluded, **{sources.get(name, name): role for role, name in named.items() if name}}
        return dict(sorted(roles.items()))  # the order in which settings name columns is in no fingerprint

    @property
    def column_types(self) -> dict[str, str]:
        """Type by column: "FLOAT", "INT" or "BYTES"."""
        return {column.name: column.type for column in self.columns}

    @property
    def source(self) -> str:
        """Where the rows came from: the source's name in the settings, such as "csv" or "parquet"."""
        return str(self.properties["source"])

    @property
    def compression(self) -> str:
        """`""` or `"GZIP"`, as TensorFlow's readers take it."""
        return str(self.properties["compression"])

    def shards(self, split: str) -> list[Path]:
        """Returns the shard files of `split` in order."""
        if split not in self.all_splits:
            raise MissingArtifactError(f"No split `{split}` in `{self.path}`. There are: {', '.join(self.all_splits)}.")
        return sorted(split_folder(self.path, split).glob(f"{SHARD_PREFIX}-*"))
