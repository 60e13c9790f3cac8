from __future__ import annotations

import math

import numpy as np
import pytest
import tf_keras

from crossnet.components.training.schedules import EXPONENTIAL_END, learning_rates


def test_constant_schedule_stays_at_the_highest_rate() -> None:
    assert learning_rates(0, 3, updates=3, highest=0.4, schedule="constant").tolist() == [0.4, 0.4, 0.4]


def test_cosine_schedule_is_that_of_keras() -> None:
    theirs = tf_keras.optimizers.schedules.CosineDecay(0.2, decay_steps=50)
    ours = learning_rates(0, 50, updates=50, highest=0.2, schedule="cosine")
    np.testing.assert_allclose(ours, [float(theirs(i)) for i in range(50)], rtol=1e-4, atol=1e-7)


def test_exponential_schedule_falls_by_the_same_factor_to_its_end() -> None:
    rates = learning_rates(0, 11, updates=10, highest=1.0, schedule="exponential")
    np.testing.assert_allclose(rates[1:] / rates[:-1], EXPONENTIAL_END**0.1)
    assert rates[-1] == pytest.approx(EXPONENTIAL_END)


def test_warm_up_rises_in_a_line_to_the_highest_rate() -> None:
    rates = learning_rates(0, 8, updates=8, highest=1.0, schedule="constant", warmup_fraction=0.5)
    assert rates.tolist() == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("schedule", ["constant", "cosine", "exponential"])
def test_rates_do_not_depend_on_where_they_are_cut(schedule: str) -> None:
    def rates(first: int, last: int) -> list[float]:
        found = learning_rates(first, last, updates=20, highest=0.3, schedule=schedule, warmup_fraction=0.2)
        return [float(rate) for rate in found]

    assert rates(0, 7) + rates(7, 20) == rates(0, 20)
    assert all(math.isfinite(rate) for rate in rates(0, 20))
