"""Makes artifacts for tests of training from columns, without other steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics

Table = Mapping[str, list[Any]]


def column_type(values: list[Any]) -> str:
    kinds = {type(value) for value in values if value is not None}
    return "BYTES" if str in kinds else "FLOAT" if float in kinds else "INT"


def make_artifacts(
    folder: Path, train: Table, evaluation: Table, label: str = "y"
) -> tuple[Examples, Schema, Statistics]:
    """Writes Examples, Schema and Statistics of a table given as lists; None is a missing value."""
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
    examples = Examples(folder / "examples", counts, {"label": label, "compression": "", "columns": columns})
    return examples, _schema(folder, types, train, evaluation, label), _statistics(folder, types, train)


def _schema(folder: Path, types: dict[str, str], train: Table, evaluation: Table, label: str) -> Schema:
    proto = schema_pb2.Schema(default_environment=["TRAINING", "SERVING"])
    for name, kind in types.items():
        column = proto.feature.add(name=name, type=schema_pb2.FeatureType.Value(kind))
        column.presence.min_fraction = 0.0 if None in [*train[name], *evaluation[name]] else 1.0
        if name == label:
            column.not_in_environment.append("SERVING")
    (folder / "schema").mkdir()
    (folder / "schema" / "schema.pbtxt").write_text(text_format.MessageToString(proto))
    return Schema(folder / "schema")


def _statistics(folder: Path, types: dict[str, str], train: Table) -> Statistics:
    proto = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = proto.datasets.add(name="train")
    for name, kind in types.items():
        column = dataset.features.add()
        column.path.step.append(name)
        values = [value for value in train[name] if value is not None]
        if kind == "BYTES":
            for value, count in Counter(values).most_common():
                column.string_stats.rank_histogram.buckets.add(label=value, sample_count=count)
        elif values:
            stats = column.num_stats
            stats.mean, stats.std_dev = float(np.mean(values)), float(np.std(values))
            stats.min, stats.max = float(min(values)), float(max(values))
    path = folder / "statistics" / "Split-train"
    path.mkdir(parents=True)
    (path / "FeatureStats.pb").write_bytes(proto.SerializeToString())
    return Statistics(folder / "statistics")


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
