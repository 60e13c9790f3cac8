from __future__ import annotations

import dataclasses

import numpy as np
import tf_keras

from crossnet.components.networks.columns import NumberColumn, TextColumn
from crossnet.components.networks.models import build_network
from crossnet.components.networks.preprocessing import Preprocessing
from crossnet.components.params.networks import CrossLayerParams
from crossnet.components.training.rows import Rows
from crossnet.components.training.unused_embeddings import count_ids, fill_unused_embeddings
from support.meetings import share_of, sharing

TEXTS = (TextColumn("city", True, ("a", "b", "c"), 2), TextColumn("zone", True, ("x",), 1))
PREPROCESSING = Preprocessing((NumberColumn("miles", "FLOAT", True),), TEXTS)
CITY = np.array([[9.0, 9.0], [1.0, 10.0], [4.0, 40.0], [9.0, 9.0]], np.float32)  # ids 0 and 3 are never used
ZONE = np.array([[7.0], [5.0]], np.float32)  # id 0 is never used


def rows(ids: list[list[int]]) -> Rows:
    return Rows((np.zeros((len(ids), 1), np.float32), np.array(ids)), np.zeros(len(ids), np.float32), len(ids))


def network() -> tf_keras.Model:
    made = build_network("cross_layer", CrossLayerParams(), num_numbers=1, tables=PREPROCESSING.tables)
    made.get_layer("embeddings").set_weights([CITY, ZONE])
    return made


def test_ids_are_counted_by_feature() -> None:
    data = Rows((np.array([[1, 0], [1, 2], [0, 2]]),), np.zeros(3, np.float32), 3)
    assert [counts.tolist() for counts in count_ids(data, [2, 3], has_numbers=False)] == [[1, 2], [1, 0, 2]]


def test_ids_are_counted_behind_the_numbers_and_over_all_chunks() -> None:
    data = dataclasses.replace(rows([[1, 0]] * 10_000 + [[0, 1]] * 10_001), chunk=10_000)
    assert [counts.tolist() for counts in count_ids(data, [2, 2], has_numbers=True)] == [[10001, 10000], [10000, 10001]]


def test_value_that_was_never_seen_gets_the_mean_of_those_that_were_by_their_use() -> None:
    made = network()
    fill_unused_embeddings(made, rows([[1, 1], [1, 1], [2, 1]]), PREPROCESSING, known=None)
    city, zone = made.get_layer("embeddings").get_weights()
    np.testing.assert_allclose(city, [[2.0, 20.0], [1.0, 10.0], [4.0, 40.0], [2.0, 20.0]])  # (1 + 1 + 4) / 3
    np.testing.assert_allclose(zone, [[5.0], [5.0]])


def test_rows_of_the_model_that_training_started_from_stay_as_they_are() -> None:
    known = dataclasses.replace(PREPROCESSING, texts=(dataclasses.replace(TEXTS[0], vocabulary=("a", "b")), TEXTS[1]))
    made = network()
    fill_unused_embeddings(made, rows([[1, 1], [1, 1], [2, 1]]), PREPROCESSING, known=known)
    city, zone = made.get_layer("embeddings").get_weights()
    np.testing.assert_allclose(city, [*CITY[:3], [2.0, 20.0]])  # only the new token, "c", is filled
    np.testing.assert_allclose(zone, ZONE)


def test_network_without_text_has_nothing_to_fill() -> None:
    made = build_network("cross_layer", CrossLayerParams(), num_numbers=1)
    before = made.get_weights()
    data = Rows((np.ones((2, 1), np.float32),), np.zeros(2, np.float32), 2)
    fill_unused_embeddings(made, data, dataclasses.replace(PREPROCESSING, texts=()), known=None)
    for one, other in zip(made.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_ids_of_all_workers_are_counted() -> None:
    ids = np.stack([np.arange(30) // 10, np.arange(30) % 5], 1)
    whole = Rows((ids,), np.zeros(30, np.float32), 30, weight=(np.arange(30) % 2).astype(np.float32))
    found = sharing(2, lambda workers: count_ids(share_of(whole, workers), [4, 5], has_numbers=False))
    for first, second in found:
        assert first.tolist() == [5, 5, 5, 0]
        assert second.tolist() == [3, 3, 3, 3, 3]
