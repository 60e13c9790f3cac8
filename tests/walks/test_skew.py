"""Checks that a served model sees each kind of column as training did, odd values too."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from crossnet.components.evaluation.session import ServingSession
from crossnet.components.features import read_schema
from crossnet.components.networks.export import export_model
from crossnet.components.networks.input_choice import make_preprocessing
from crossnet.components.networks.layers import CrossLayer, Embeddings
from crossnet.components.networks.piecewise import PiecewiseLinear
from crossnet.components.networks.preprocessing import Preprocessing, Transform
from crossnet.components.params.setting import AUTO
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.training.rows import read_rows
from support.validation_walk import csv_walk

SETTINGS = {
    "normalize": "robust",
    "number_bins": AUTO,
    "embed_whole_numbers": True,
    "min_count": AUTO,
    "date_parts": True,
    "clip_predictions": True,
}
ROWS = 2600
LARGE = 2**63 - 1


def table() -> str:
    """Returns a CSV with a column of each kind that the network sees in its own way."""
    random = np.random.default_rng(5)
    lines = ["at,day,departs,arrives,income,stops,left,key,zone,name,constant,fare"]
    keys = random.permutation(5000)[:211] + LARGE - 10_000
    for n in range(ROWS):
        hour, income = n % 24, math.exp(random.normal(8, 2))
        cells = [
            f"2024-{1 + n % 12:02}-{1 + n % 28:02}T{hour:02}:{n % 60:02}:00",
            "" if n % 9 == 0 else f"2023-{1 + n % 12:02}-{1 + n % 27:02}",
            hour * 100 + n % 59,
            "" if n % 8 == 0 else (hour + 2) % 25 * 100,
            "" if n % 7 == 0 else f"{income:.2f}",
            n % 13,
            "" if n % 5 == 0 else n % 11,
            keys[n % 211 if n % 5 else n % 17],
            "" if n % 31 == 0 else ["north", "south", "west"][n % 3] if n % 50 else f"once {n}",
            f"name {n}",
            7,
            f"{5 + math.sin(hour) + 0.1 * (n % 13):.3f}",
        ]
        lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


def network_of(preprocessing: Preprocessing, *, wide: bool) -> tf_keras.Model:
    """Returns a network of random weights; a wide one is exported as Keras computes it, a narrow one by feature."""
    numbers = tf_keras.Input((len(preprocessing.number_names),), name="numbers")
    ids = tf_keras.Input((len(preprocessing.tables),), name="ids", dtype="int64")
    bins = PiecewiseLinear(preprocessing.edges, preprocessing.number_dim)(numbers)
    x0 = tf_keras.layers.Concatenate()([numbers, bins, Embeddings(preprocessing.tables)(ids)])
    deep = tf_keras.layers.Dense(300 if wide else 8, "relu")(x0)
    x = tf_keras.layers.Concatenate()([CrossLayer(projection_dim=2)(x0), deep])
    network = tf_keras.Model([numbers, ids], tf_keras.layers.Dense(1)(x))
    random = np.random.default_rng(6)
    network.set_weights([random.normal(0, 0.15, weight.shape) for weight in network.get_weights()])
    return network


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return csv_walk(tmp_path_factory.mktemp("walk"), table(), clock=("departs", "arrives"))


@pytest.fixture(scope="module")
def preprocessing(walk: Any) -> Preprocessing:
    features, label = read_schema(walk.schema.proto())
    statistics = walk.statistics.proto("train")
    return make_preprocessing(features, label, statistics, params=TrainerParams(**SETTINGS))


def seconds(moment: str) -> int:
    return int(np.datetime64(moment, "s").astype(np.int64))


NAN, LARGEST = math.nan, float(np.finfo(np.float32).max)
# One odd value in each row, beside those of a usual row.
USUAL = {
    "at": seconds("2024-05-06T07:08:09"),
    "day": float(seconds("2023-05-06")),
    "departs": 830,
    "arrives": 1030.0,
    "income": 3000.0,
    "stops": 3,
    "left": 4.0,
    "key": LARGE - 9_000,
    "zone": b"north",
    "name": b"Ann",
    "constant": 7,
}
ODD: list[dict[str, Any]] = [
    {},
    *({"at": seconds(moment)} for moment in ("1815-12-10T12:00:00", "2199-01-01T00:00:00", "2024-02-29T23:59:59")),
    *({"at": value} for value in (-(2**63), LARGE)),
    *({"day": value} for value in (NAN, 0.0, -LARGEST, LARGEST)),
    *({"departs": value} for value in (0, 2400, 875, 2500, -1, -(2**63), LARGE)),  # 875 and on are not times
    *({"arrives": value} for value in (NAN, 0.0, 2400.0, 875.0, -LARGEST, LARGEST)),
    *({"income": value} for value in (NAN, 0.0, -0.0, 1e-45, -LARGEST, LARGEST)),
    *({"stops": value} for value in (-1, 13, -(2**63), LARGE)),
    *({"left": value} for value in (NAN, 4.5, 99.0, LARGEST)),
    *({"key": value} for value in (0, LARGE, -(2**63))),
    *({"zone": value} for value in (b"", b"moon", b"once 50", "nörth".encode(), b"\xff")),
    {"name": b"name 1"},
    {"constant": -(2**63)},
]


def test_each_kind_of_column_is_seen_in_its_own_way(preprocessing: Preprocessing) -> None:
    numbers = {column.name: column for column in preprocessing.numbers}
    assert set(numbers) == {"at", "day", "departs", "arrives", "income", "stops", "left", "key"}
    assert (numbers["at"].cycles, numbers["day"].cycles) == (("year", "week", "day"), ("year", "week"))
    assert [numbers[name].is_clock for name in numbers] == [name in ("departs", "arrives") for name in numbers]
    assert all(len(column.edges) > 5 for column in numbers.values())
    assert {column.name: column.required for column in preprocessing.keys} == {
        "stops": True,
        "left": False,
        "key": True,
    }
    assert len(next(c for c in preprocessing.keys if c.name == "key").vocabulary) > 200
    assert [sorted(text.vocabulary) for text in preprocessing.texts] == [["", "north", "south", "west"]]
    assert [column.name for column in preprocessing.left_out] == ["name", "constant"]


def test_training_reads_rows_as_the_export_does(walk: Any, preprocessing: Preprocessing, tmp_path: Path) -> None:
    """The rows that training learns from, by their records, give what the exported model answers for those records."""
    network, transform = network_of(preprocessing, wide=False), Transform(preprocessing)
    export_model(network, transform, tmp_path / "model", description={"shapes": []})
    _, label = read_schema(walk.schema.proto())
    with read_rows(walk.examples, "train", transform, label, scratch=tmp_path, cache_mib=64) as rows:
        expected = in_label_units(network([*rows.inputs]), preprocessing)
    records = [
        record.numpy() for shard in walk.examples.shards("train") for record in tf.data.TFRecordDataset(str(shard))
    ]
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    found = loaded.signatures["serving_examples"](examples=tf.constant(records))["prediction"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.std(expected) > 0.1


@pytest.mark.parametrize("wide", [False, True])
def test_served_answers_are_those_of_the_network_for_odd_values(
    preprocessing: Preprocessing, tmp_path: Path, wide: bool
) -> None:
    network, transform = network_of(preprocessing, wide=wide), Transform(preprocessing)
    export_model(network, transform, tmp_path / "model", description={"shapes": []})
    rows = [USUAL | odd for odd in ODD]
    kinds = {"float32": np.float32, "int64": np.int64, "string": object}
    columns: dict[str, Any] = {
        feature.name: np.array([row[feature.name] for row in rows], kinds[feature.dtype])
        for feature in preprocessing.features
    }
    inputs = transform({name: tf.constant(values) for name, values in columns.items()})
    assert np.isfinite(inputs[0]).all()
    assert np.abs(inputs[0]).max() <= 3.0
    with ServingSession(tmp_path / "model") as session:
        found = session.predict(columns)
        single = np.array([session.predict({k: v[i : i + 1] for k, v in columns.items()})[0] for i in range(len(rows))])
        bad = dict(columns, income=np.full(len(rows), math.inf, np.float32))
        assert np.isnan(session.predict(bad)).all()  # infinity is not a value: NaN, not an answer made up
    expected = in_label_units(network(list(inputs)), preprocessing)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(single, expected, rtol=1e-5)
    places = {name: rows.index(USUAL | {name: value}) for name, value in (("name", b"name 1"), ("constant", -(2**63)))}
    assert {float(found[0])} == {float(found[place]) for place in places.values()}
    low, high = preprocessing.limits
    assert low <= found.min() <= found.max() <= high


def test_a_time_of_day_is_answered_as_its_minutes(preprocessing: Preprocessing, tmp_path: Path) -> None:
    """Requests send 759 as the table has it, a minute before 800; a number that is not a time is the next full hour."""
    export_model(network_of(preprocessing, wide=False), Transform(preprocessing), tmp_path, description={"shapes": []})
    kinds = {"float32": np.float32, "int64": np.int64, "string": object}
    sent = [759, 800, 875, 899, 900]
    columns: dict[str, Any] = {
        feature.name: np.array([(USUAL | {"departs": value})[feature.name] for value in sent], kinds[feature.dtype])
        for feature in preprocessing.features
    }
    with ServingSession(tmp_path) as session:
        found = session.predict(columns)
    assert found[2] == found[3] == found[4]
    assert abs(found[1] - found[0]) < abs(found[4] - found[1]) / 10  # a minute beside an hour


def in_label_units(output: tf.Tensor, preprocessing: Preprocessing) -> Any:
    predictions = output.numpy()[:, 0].astype(np.float64) * preprocessing.label_scale + preprocessing.label_mean
    return np.clip(predictions, *preprocessing.limits)
