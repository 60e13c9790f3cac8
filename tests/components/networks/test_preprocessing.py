from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from crossnet.components.features import read_schema
from crossnet.components.networks.columns import KeyColumn, LeftOut, NumberColumn, TextColumn
from crossnet.components.networks.input_choice import make_preprocessing
from crossnet.components.networks.preprocessing import Preprocessing, Transform
from crossnet.components.params.trainer import TrainerParams
from support.training_fixtures import article_table, fitted, make_artifacts

SMALL = {
    "a": [0.0, 0.5, 1.0, -1.0],
    "b": [10.0, None, 14.0, 12.0],
    "n": [2007, 2008, 2009, 2008],
    "s": ["x", "y", "x", None],
    "y": [1000.0, 2000.0, 3000.0, 2000.0],
}


def make(folder: Path, table: Any, **settings: Any) -> Preprocessing:
    return fitted(folder, table, settings=settings)


def test_article_table_passes_as_it_is_where_nothing_is_normalised(tmp_path: Path) -> None:
    preprocessing = make(tmp_path, article_table(50), normalize="none")
    assert all((column.mean, column.scale) == (0.0, 1.0) for column in preprocessing.numbers)
    transform = Transform(preprocessing)
    assert not transform.trainable_variables
    columns = {f"x{i}": tf.constant(np.random.default_rng(i).random(9), tf.float32) for i in range(3)}
    (numbers,) = transform(columns)
    np.testing.assert_array_equal(numbers, np.stack([columns[f"x{i}"] for i in range(3)], axis=1))


def test_whole_rows_of_floats_are_normalised_in_float32_as_in_float64(tmp_path: Path) -> None:
    preprocessing = make(tmp_path, {"a": [250.25, 251.0, 249.5, 250.0], "y": [0.0, 1.0, 2.0, 3.0]})
    values = np.float32([249.3, 250.001, 251.9])
    (found,) = Transform(preprocessing)({"a": tf.constant(values)})
    (column,) = preprocessing.numbers
    np.testing.assert_allclose(found[:, 0], (values.astype(np.float64) - column.mean) / column.scale, atol=1e-6)


def test_columns_of_every_kind_are_normalised_together_as_in_float64() -> None:
    random = np.random.default_rng(3)
    numbers = (
        NumberColumn("metres", "FLOAT", True, mean=0.3, scale=0.7),
        NumberColumn("seconds", "INT", True, mean=1.7e9, scale=10.0),
        NumberColumn("age", "FLOAT", False, mean=40.1, scale=12.0, fill=40.1),
        NumberColumn("share", "FLOAT", True),
        NumberColumn("count", "INT", True),
        NumberColumn("visits", "INT", False, mean=5e8, scale=4.0, fill=5e8 + 2),
    )
    values = {
        "metres": random.normal(size=5).astype(np.float32),
        "seconds": 1_700_000_000 + np.arange(5),
        "age": np.float32([31.0, np.nan, 55.5, np.nan, 40.0]),
        "share": random.normal(size=5).astype(np.float32),
        "count": np.arange(5),
        "visits": np.float32([5e8, np.nan, np.nan, 5e8 + 32, 5e8 - 32]),
    }
    columns = {name: tf.constant(column) for name, column in values.items()}
    transform = Transform(Preprocessing(numbers, ()))
    expected = []
    for column in numbers:
        filled = np.where(np.isnan(values[column.name]), column.fill, values[column.name].astype(np.float64))
        expected.append((filled - column.mean) / column.scale)
    expected += [[0, 1, 0, 1, 0], [0, 1, 1, 0, 0]]
    (by_feature,) = transform.by_feature(columns)
    np.testing.assert_allclose(by_feature, expected, rtol=1e-6, atol=1e-6)
    (by_row,) = transform(columns)
    np.testing.assert_array_equal(by_row, np.transpose(by_feature))


def test_missing_numbers_become_the_mean_and_an_indicator(tmp_path: Path) -> None:
    preprocessing = make(tmp_path, SMALL)
    assert preprocessing.number_names == ("a", "b", "n", "b is missing")
    nan = float("nan")
    numbers, ids = Transform(preprocessing)(
        {
            "a": tf.constant([0.5, nan]),
            "b": tf.constant([nan, 12.0 + 1.632993]),
            "n": tf.constant([2008, 2009], tf.int64),
            "s": tf.constant(["", "y"]),
        }
    )
    np.testing.assert_allclose(numbers, [[0.507093, 0.0, 0.0, 1.0], [nan, 1.0, 1.414214, 0.0]], rtol=1e-5)
    assert numbers.dtype == tf.float32
    np.testing.assert_array_equal(ids, [[1], [3]])


def test_missing_numbers_become_the_mean_also_where_nothing_is_normalised(tmp_path: Path) -> None:
    transform = Transform(make(tmp_path, {"b": [0.2, None, 0.4], "y": [0.1, 0.2, 0.3]}, normalize="none"))
    (numbers,) = transform({"b": tf.constant([float("nan"), 0.7])})
    np.testing.assert_allclose(numbers, [[0.3, 1.0], [0.7, 0.0]], rtol=1e-6)


def test_large_whole_numbers_keep_their_differences() -> None:
    column = NumberColumn("seconds", "INT", True, mean=1.7e9, scale=10.0)
    (numbers,) = Transform(Preprocessing((column,), ()))({"seconds": tf.constant([1_700_000_001, 1_700_000_002])})
    np.testing.assert_allclose(numbers, [[0.1], [0.2]], rtol=1e-6)


def test_text_outside_of_the_vocabulary_has_id_zero(tmp_path: Path) -> None:
    preprocessing = make(tmp_path, {"s": ["x", "y", "x"], "y": [0.1, 0.2, 0.3]})
    (text,) = preprocessing.texts
    assert (text.vocabulary, preprocessing.tables) == (("x", "y"), ((3, 2),))
    (ids,) = Transform(preprocessing)({"s": tf.constant(["y", "z", "", "x"])})
    np.testing.assert_array_equal(ids, [[2], [0], [0], [1]])


def test_preprocessing_survives_json(tmp_path: Path) -> None:
    preprocessing = make(tmp_path, SMALL)
    assert Preprocessing.from_json(json.loads(json.dumps(preprocessing.to_json()))) == preprocessing


def test_edges_of_bins_come_as_the_numeric_inputs_do() -> None:
    numbers = (NumberColumn("a", "FLOAT", False, edges=(-1.0, 0.5, 2.0)), NumberColumn("b", "INT", True))
    preprocessing = Preprocessing(numbers, (), number_dim=2)
    assert preprocessing.number_names == ("a", "b", "a is missing")
    assert preprocessing.edges == ((-1.0, 0.5, 2.0), (), ())
    value = json.loads(json.dumps(preprocessing.to_json()))
    assert Preprocessing.from_json(value) == preprocessing
    plain = {"name": "b", "type": "INT", "required": True, "mean": 0.0, "scale": 1.0, "fill": 0.0}
    assert value["numbers"][1] == plain  # as before there were bins, so that such a model's bytes are the same


def test_text_column_without_values_in_train_is_all_unknown(tmp_path: Path) -> None:
    train, evaluation = {"s": [None], "y": [1.0]}, {"s": ["a"], "y": [1.0]}
    _, schema, statistics = make_artifacts(tmp_path, train, evaluation)
    features, label = read_schema(schema.proto())
    preprocessing = make_preprocessing(features, label, statistics.proto("train"), params=TrainerParams())
    (ids,) = Transform(preprocessing)({"s": tf.constant(["a", ""])})
    np.testing.assert_array_equal(ids, [[0], [1]])


def test_every_kind_of_column_becomes_the_inputs_that_are_named() -> None:
    numbers = (
        NumberColumn("t", "INT", True, cycles=("week", "day"), unit="s"),
        NumberColumn("a", "FLOAT", False, fill=1.0),
        NumberColumn("u", "INT", False, cycles=("day",), unit="ms"),
    )
    keys = (KeyColumn("k", True, (5, 2**62), 2), KeyColumn("h", False, (7, 2**24), 1), KeyColumn("t", True, (0,), 1))
    left_out = (LeftOut("name", "BYTES", False, "is left out"),)
    preprocessing = Preprocessing(numbers, (TextColumn("s", True, ("x",), 1),), keys=keys, left_out=left_out, clip=True)
    assert [feature.name for feature in preprocessing.features] == ["t", "a", "u", "k", "h", "s", "name"]
    assert preprocessing.tables == ((2, 1), (3, 2), (4, 1), (2, 1))
    assert preprocessing.notes == ["`name` is left out"]
    nan = math.nan
    numbers_found, ids = Transform(preprocessing)(
        {
            "t": tf.constant([0, 6 * 3600, 2**63 - 1], tf.int64),
            "a": tf.constant([4.0, nan, -4.0]),
            "u": tf.constant([nan, 43_200_000.0, 0.0]),
            "k": tf.constant([2**62, 5, 2**62 - 1], tf.int64),
            "h": tf.constant([nan, 2**24, 7.5]),
            "s": tf.constant(["x", "y", ""]),
            "name": tf.constant(["Ann", "Bob", ""]),
        }
    )
    cycles = [f"{wave} of the {cycle}" for cycle in ("week", "day") for wave in ("sine", "cosine")]
    names = ["t", "a", "u", "a is missing", "u is missing", *(f"t, {c}" for c in cycles)]
    assert preprocessing.number_names == (*names, "u, sine of the day", "u, cosine of the day")
    week = 2 * math.pi / 28
    expected = np.float32([2.4, 1 / np.sqrt(1 + 1 / 9), -2.4])
    np.testing.assert_allclose(numbers_found[:, 1], expected, rtol=1e-6)
    np.testing.assert_allclose(numbers_found[:, 3], [0, 1, 0])
    np.testing.assert_allclose(numbers_found[:2, 5:9], [[0, 1, 0, 1], [np.sin(week), np.cos(week), 1, 0]], atol=1e-6)
    place = (2**63 - 1) % 86_400 / 86_400 * 2 * math.pi
    np.testing.assert_allclose(numbers_found[2, 7:9], [math.sin(place), math.cos(place)], atol=1e-6)
    np.testing.assert_allclose(numbers_found[:, 9:], [[0, 0], [0, -1], [0, 1]], atol=1e-6)
    np.testing.assert_array_equal(ids, [[1, 2, 1, 1], [0, 1, 3, 0], [0, 0, 0, 0]])
    value = json.loads(json.dumps(preprocessing.to_json()))
    assert Preprocessing.from_json(value) == preprocessing


@pytest.mark.parametrize(
    ("limits", "share", "reach"),
    [
        ((90.0, 125.0), 0.0, (90.0, 125.0)),
        ((90.0, 125.0), 0.5, (89.0, 126.0)),
        ((90.0, 125.0), 0.9, (81.0, 134.0)),
        ((3.0, 125.0), 0.9, (0.0, 134.0)),  # a margin changes no sign
        ((-125.0, -3.0), 0.9, (-134.0, 0.0)),
        ((-5.0, 5.0), 1.0, (-1e6, 1e6)),
        ((), 0.9, ()),
    ],
)
def test_the_more_of_a_blend_is_linear_the_further_it_reaches(
    limits: tuple[float, ...], share: float, reach: tuple[float, ...]
) -> None:
    preprocessing = Preprocessing((), (), label_mean=100.0, label_scale=10.0, label_range=limits)
    reaching = preprocessing.reaching(share)
    assert reaching.limits == pytest.approx(reach, rel=1e-4)
    assert reaching.reaching(share) == reaching  # a training that starts from a model does not add to its reach
    assert reaching.label_range == limits
    assert Preprocessing.from_json(json.loads(json.dumps(reaching.to_json()))) == reaching
