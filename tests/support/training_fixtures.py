"""Makes artifacts for tests of training from columns, without other steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.clock import FORMATS
from crossnet.components.features import read_schema, time_format
from crossnet.components.networks.input_choice import make_preprocessing
from crossnet.components.networks.preprocessing import Preprocessing
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.statistics.columns import dataset_parts
from support.column_fixtures import numbers, statistics_of, texts

Table = Mapping[str, list[Any]]


def column_type(values: list[Any]) -> str:
    kinds = {type(value) for value in values if value is not None}
    return "BYTES" if str in kinds else "FLOAT" if float in kinds else "INT"


def make_artifacts(
    folder: Path,
    train: Table,
    evaluation: Table,
    label: str = "y",
    *,
    times: Mapping[str, str] = MappingProxyType({}),
    categorical: Sequence[str] = (),
    clock: Sequence[str] | Mapping[str, str] = (),
    weight: str = "",
) -> tuple[Examples, Schema, Statistics]:
    """Writes Examples, Schema and Statistics of a table given as lists; None is a missing value.

    Args:
      folder: An empty folder.
      train, evaluation: The rows.
      label: The column to predict.
      times: The unit of each column of times.
      categorical: Columns of whole numbers that the schema calls categories.
      clock: Columns of times of day, hhmm, or the form of each.
      weight: The column of the rows' weights; "" for none.
    """
    types = {name: column_type([*train[name], *evaluation[name]]) for name in train}
    counts = {}
    for split, table in (("train", train), ("eval", evaluation)):
        path = folder / "examples" / f"Split-{split}"
        path.mkdir(parents=True)
        counts[split] = len(table[label])
        with tf.io.TFRecordWriter(str(path / "data_tfrecord-00000-of-00001")) as writer:
            for row in zip(*table.values(), strict=True):
                example = tf.train.Example()
                for name, value in zip(table, row, strict=True):
                    if value is None:
                        continue
                    feature = example.features.feature[name]
                    if types[name] == "BYTES":
                        feature.bytes_list.value.append(value.encode())
                    elif types[name] == "INT":
                        feature.int64_list.value.append(value)
                    else:
                        feature.float_list.value.append(value)
                writer.write(example.SerializeToString(deterministic=True))
    columns = [{"name": name, "source_name": name, "type": kind} for name, kind in types.items()]
    properties = {"label": label, "compression": "", "columns": columns, "weight": weight}
    examples = Examples(folder / "examples", counts, properties)
    proto = _schema(types, train, evaluation, label)
    for column in proto.feature:
        if column.name == weight:
            column.not_in_environment.extend(["TRAINING", "SERVING"])
        if column.name in times:
            column.time_domain.integer_format = time_format(times[column.name])
        if column.name in clock:
            column.time_of_day_domain.string_format = FORMATS[
                clock[column.name] if isinstance(clock, Mapping) else "hhmm"
            ]
        if column.name in categorical:
            column.int_domain.is_categorical = True
    (folder / "schema").mkdir()
    (folder / "schema" / "schema.pbtxt").write_text(text_format.MessageToString(proto))
    return examples, Schema(folder / "schema"), _statistics(folder, types, train)


def _schema(types: dict[str, str], train: Table, evaluation: Table, label: str) -> schema_pb2.Schema:
    proto = schema_pb2.Schema(default_environment=["TRAINING", "SERVING"])
    for name, kind in types.items():
        column = proto.feature.add(name=name, type=schema_pb2.FeatureType.Value(kind))
        column.presence.min_fraction = 0.0 if None in [*train[name], *evaluation[name]] else 1.0
        if name == label:
            column.not_in_environment.append("SERVING")
    return proto


def _statistics(folder: Path, types: dict[str, str], train: Table) -> Statistics:
    columns = []
    for name, kind in types.items():
        make = texts if kind == "BYTES" else numbers
        dtype = {} if kind == "BYTES" else {"dtype": np.int64 if kind == "INT" else np.float32}
        values = [value.encode() if isinstance(value, str) else value for value in train[name]]
        columns.append(statistics_of(kind, make(values, **dtype), name=name).serialized())
    data = b"".join(dataset_parts("train", len(next(iter(train.values()))), columns))
    for split in ("train", "eval"):  # of train alone: eval's are only read for their values
        path = folder / "statistics" / f"Split-{split}"
        path.mkdir(parents=True)
        (path / "FeatureStats.pb").write_bytes(data)
    return Statistics(folder / "statistics")


def fitted(folder: Path, table: Table, *, settings: Mapping[str, Any], **schema: Any) -> Preprocessing:
    """Returns the preprocessing of a table whose label is `y`, under settings of Trainer.

    Args:
      folder: An empty folder.
      table: The rows.
      settings: Of `TrainerParams`.
      schema: `times`, `categorical` and `clock` of `make_artifacts`.
    """
    _, made, statistics = make_artifacts(folder, table, table, **schema)
    features, label = read_schema(made.proto())
    return make_preprocessing(features, label, statistics.proto("train"), params=TrainerParams(**settings))


def article_table(rows: int) -> dict[str, list[Any]]:
    """Returns the first rows of the article's table: y = x0 x0 + x0 x1 + x1 x2 + x2 x2."""
    x = np.random.RandomState(42).randint(200, size=(rows, 3)) / 200.0
    y = x[:, 0] ** 2 + x[:, 0] * x[:, 1] + x[:, 1] * x[:, 2] + x[:, 2] ** 2
    return {**{f"x{i}": x[:, i].tolist() for i in range(3)}, "y": y.tolist()}


def mixed_table(rows: int) -> dict[str, list[Any]]:
    """Returns a table of numbers, whole numbers, text and holes."""
    random = np.random.default_rng(7)
    length = random.normal(40, 5, rows)
    year = random.integers(2007, 2010, rows)
    species = random.choice(["Adelie", "Chinstrap", "Gentoo"], rows)
    mass = 100 * length + 50.0 * (year - 2008) + 500.0 * (species == "Gentoo") + random.normal(0, 1, rows)
    holes = random.random(rows) < 0.2
    return {
        "length": [None if hole else float(value) for hole, value in zip(holes, length, strict=True)],
        "year": [int(value) for value in year],
        "age": [None if i % 7 == 0 else i % 5 for i in range(rows)],
        "species": [str(value) for value in species],
        "island": [None if i % 11 == 0 else "Dream" if i % 2 else "Biscoe" for i in range(rows)],
        "y": [float(value) for value in mass],
    }
