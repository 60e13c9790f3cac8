from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tf_keras

from crossnet.components.networks.columns import NumberColumn
from crossnet.components.networks.preprocessing import Preprocessing
from crossnet.components.training.blend import Blend, blend
from crossnet.components.training.recipe import Recipe
from crossnet.components.training.rows import Rows

COUNT = 400
X = np.random.default_rng(4).normal(size=COUNT).astype(np.float32)
PREPROCESSING = Preprocessing((NumberColumn("x", "FLOAT", True),), ())


def made(label: np.ndarray, *factors: float, **settings: Any) -> Blend:
    """The blend of members that answer with |x| times a factor each, four of them in two groups."""
    inputs = tf_keras.Input((1,))
    network = tf_keras.Model(inputs, abs(inputs) * np.array(factors, np.float32))
    fold = (np.arange(COUNT) % 4).astype(np.int32)
    params = Recipe(**{"members": len(factors), "weight_decay": (0.1, 2.0), "blend_linear": True} | settings)
    return blend(network, Rows((X[:, None],), label.astype(np.float32), COUNT, fold), PREPROCESSING, params)


def test_a_linear_model_has_the_share_of_what_it_explains() -> None:
    found = made(0.25 * np.abs(X) + 0.75 * 2 * X, 1, 1, 1, 1)
    assert found.linear is not None
    assert sum(found.shares or ()) + found.linear_share == pytest.approx(1, abs=1e-5)
    assert found.found.predictions.shape == (200, 3)
    assert found.linear_share > 0.5
    assert found.of_groups[-1] == found.linear_share
    assert found.linear.numbers == pytest.approx([1.5], abs=0.1)


def test_one_that_explains_nothing_is_left_out() -> None:
    found = made(np.abs(X), 1, 1, 1, 1)
    assert (found.linear, found.linear_share, found.of_groups[-1]) == (None, 0.0, 0.0)
    assert sum(found.shares or ()) == pytest.approx(1, abs=1e-5)
    assert found.found.blended(found.of_groups) == pytest.approx(np.abs(X)[found.found.row], rel=1e-5)


def test_a_small_share_goes_to_the_members() -> None:
    found = made(0.99 * np.abs(X) + 0.01 * X, 1, 1, 1, 1)
    assert found.linear is None
    assert sum(found.of_groups[:2]) == pytest.approx(1)


def test_a_group_that_adds_nothing_is_left_out() -> None:
    label = np.abs(X) + np.random.default_rng(1).normal(size=COUNT)
    found = made(label, 1, 0.9, 1, 0.9)  # members of one group every other
    assert found.of_groups == [1.0, 0.0, 0.0]
    assert found.shares == [0.5, 0.0, 0.5, 0.0]


def test_a_group_that_explains_what_no_other_does_stays() -> None:
    found = made(np.abs(X), 0.5, 1.5, 0.5, 1.5)
    assert found.of_groups == pytest.approx([0.5, 0.5, 0], abs=1e-4)
    assert found.shares == pytest.approx([0.25] * 4, abs=1e-4)


@pytest.mark.parametrize("settings", [{"blend_linear": False}, {"members": 1, "weight_decay": (1.0,)}])
def test_it_is_fitted_where_it_is_asked_for_and_members_are_several(settings: dict[str, Any]) -> None:
    several = settings.get("members") != 1
    found = made(2 * X, *([1.0] * (4 if several else 1)), **settings)
    assert found.linear is None
    assert (found.shares is None) != several
    assert found.found.predictions.shape[1] == (2 if several else 1)
