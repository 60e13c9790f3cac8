from __future__ import annotations

import numpy as np
import pytest

from crossnet.components.features import Feature
from crossnet.components.networks.seen_numbers import distribution, moments
from support.column_fixtures import numbers, statistics_of

COLUMN = statistics_of("INT", numbers([100, 130, 159, 200], np.int64)).proto()


def test_times_of_day_are_read_in_minutes() -> None:
    feature = Feature("c", "INT", clock="hhmm")
    values, weights = distribution(feature, COLUMN)
    assert (values.tolist(), weights.tolist()) == ([60, 90, 119, 120], [1, 1, 1, 1])
    assert moments(feature, COLUMN) == pytest.approx((97.25, np.std([60, 90, 119, 120]), 60, 120))


def test_other_numbers_are_read_as_they_are() -> None:
    feature = Feature("c", "INT")
    assert distribution(feature, COLUMN)[0].tolist() == [100, 130, 159, 200]
    assert moments(feature, COLUMN) == pytest.approx((147.25, np.std([100, 130, 159, 200]), 100, 200))


@pytest.mark.parametrize("clock", ["hhmm", "hhmmss", ""])
def test_a_column_without_values_has_a_mean_all_the_same(clock: str) -> None:
    empty = statistics_of("INT", numbers([None, None], np.int64)).proto()
    assert moments(Feature("c", "INT", clock=clock), empty).mean == 0.0
