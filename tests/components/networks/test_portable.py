from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from crossnet.components.errors import ExportError
from crossnet.components.networks.columns import TextColumn
from crossnet.components.networks.export import prediction_function
from crossnet.components.networks.portable import Category, category_ids, portable_function, rebuilt
from crossnet.components.networks.preprocessing import Transform
from crossnet.components.params.networks import ARCHITECTURES
from support.converted_models import in_memory, rows_of


def lookup(column: Category, values: tf.Tensor) -> tf.Tensor:
    known = dict(zip(column.vocabulary, category_ids(column), strict=True))
    texts = [value.decode(errors="replace") for value in values.numpy()] if isinstance(column, TextColumn) else values
    return tf.constant([known.get(value if isinstance(value, str) else float(value), 0) for value in texts], tf.int64)


@pytest.mark.parametrize("case", [pytest.param("every", marks=pytest.mark.slow), "keys"])
def test_answers_are_those_of_the_exported_graph_for_odd_values_too(case: str) -> None:
    exported, network = in_memory(case)
    rows = {name: tf.constant(values) for name, values in rows_of(case).items()}
    expected = prediction_function(network, Transform(exported.preprocessing), exported.network)(rows)["prediction"]
    expected = expected.numpy()
    found = portable_function(exported, rebuilt(exported), lookup)(rows).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.isnan(expected[-3:]).all()
    assert np.unique(expected[:-3]).size > 40


def test_ids_of_a_vocabulary_come_after_the_others() -> None:
    exported, _ = in_memory("keys")
    required, optional, other = exported.preprocessing.keys
    assert [*category_ids(required)] == [1, 2, 3]
    assert [*category_ids(optional)] == [2, 3, 4]  # 1 is a missing value
    assert [*category_ids(other)] == [2]


def test_a_network_of_a_kind_of_ones_own_is_refused() -> None:
    exported, _ = in_memory("numbers")
    newer = dataclasses.replace(exported, network={**exported.network, "kind": "attention"})
    with pytest.raises(ExportError) as error:
        rebuilt(newer)
    assert str(error.value) == (
        "`nowhere` is a `attention` network, which cannot be converted: this kind comes from somebody's own code, of "
        "which a model records the settings and weights alone, so that its layers cannot be made again for another "
        f"runtime. Expected one of: {', '.join(ARCHITECTURES)}. Name a model of one of these kinds with --model, or "
        "serve this one as it is: `crossnet serve`."
    )
