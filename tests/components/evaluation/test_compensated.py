"""Sums whose small parts are seen."""

from __future__ import annotations

import math

import numpy as np
import pytest

from crossnet.components.evaluation.compensated import CompensatedSum


def test_compensated_sum_keeps_what_a_plain_sum_loses():
    total = CompensatedSum((1,))
    plain = 0.0  # added by hand: Python's own `sum` compensates too, from 3.12 on
    for value in [1.0, *[1e-17] * 1000]:
        total.add(np.array([value]))
        plain += value
    assert total.value[0] == pytest.approx(1 + 1e-14, abs=1e-16)
    assert plain == 1.0


def test_a_sum_of_sums_keeps_them_too():
    total = CompensatedSum((1,))
    for _ in range(10):
        part = CompensatedSum((1,))
        for value in [1.0, *[1e-17] * 100]:
            part.add(np.array([value]))
        total.merge(part)
    assert total.value[0] == pytest.approx(10 + 1e-14, abs=2e-15)


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_sum_that_is_not_finite_stays_so(value):
    total, part = CompensatedSum((2,)), CompensatedSum((2,))
    part.add(np.array([value, 1.0]))
    for _ in range(2):
        total.merge(part)
    assert not np.isfinite(total.value[0])
    assert total.value[1] == 2.0
