from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from crossnet.components.networks.interval import Interval
from crossnet.components.networks.preprocessing import Preprocessing
from crossnet.components.training import rows as rows_module
from crossnet.components.training.calibration import doubt, held_out_errors, measure_interval
from crossnet.components.training.disk_array import DiskArray
from crossnet.components.training.out_of_fold import OutOfFold
from crossnet.components.training.rows import Rows


def rows(count: int) -> Rows:
    x = np.arange(1, count + 1, dtype=np.float32)
    return Rows((x[:, None],), np.zeros(count, np.float32), count)


def held_out(*rows: int, factors: Sequence[float] = (1.0,)) -> OutOfFold:
    """Row i, counted from 0, is predicted as i + 1 times a factor, one per group."""
    return OutOfFold(np.array(rows), np.array([[(row + 1) * factor for factor in factors] for row in rows]))


UNIT = Preprocessing((), (), label_mean=5.0, label_scale=10.0)


def test_errors_are_of_held_out_rows_in_the_labels_unit() -> None:
    errors = held_out_errors(held_out(0, 3, 6), [1.0], rows(7), UNIT)
    np.testing.assert_allclose(errors, [-10, -40, -70])


def test_predictions_are_limited_as_the_exported_models_are() -> None:
    limited = Preprocessing((), (), label_mean=5.0, label_scale=10.0, label_range=(0.0, 30.0))
    errors = held_out_errors(held_out(0, 3, 6), [1.0], rows(7), limited)
    np.testing.assert_allclose(errors, [-10, -25, -25])


def test_interval_is_measured_on_those_errors() -> None:
    found = measure_interval(held_out(1, 3, 5, 7), [1.0], rows(8), UNIT, coverage=0.6)
    assert found == Interval(0.6, 60.0, 4)  # the third of 20, 40, 60 and 80


def test_too_few_held_out_rows_are_said_and_give_none(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert measure_interval(held_out(*range(18)), [1.0], rows(36), UNIT, coverage=0.95) is None
    assert caplog.messages == [
        "The model gets no prediction intervals: 18 rows are held out, and 95 % intervals are measured on at least 19. "
        "Raise `trainer.validation_fraction`, or set `trainer.interval_coverage` to none."
    ]


def test_groups_count_by_their_shares() -> None:
    errors = held_out_errors(held_out(0, 1, factors=(1.0, 2.0)), [0.25, 0.75], rows(2), UNIT)
    np.testing.assert_allclose(errors, [-17.5, -35.0])


def test_interval_counts_held_out_rows_by_weight(caplog: pytest.LogCaptureFixture) -> None:
    weighed, found = rows(8), held_out(1, 3, 5, 7)
    weighed.weight = np.array([9, 3, 9, 1, 9, 1, 9, 1], np.float32)  # held out: 2, 4, 6 and 8, of errors 20 to 80
    assert measure_interval(found, [1.0], weighed, UNIT, coverage=0.5) == Interval(0.5, 40.0, 4)
    with caplog.at_level(logging.WARNING):
        assert measure_interval(found, [1.0], weighed, UNIT, coverage=0.8) is None
    assert (
        "4 rows are held out, which say as much as 3 of equal weight, and 80 % intervals are measured on at least 4"
        in (caplog.text)
    )


@pytest.mark.parametrize("weights", [None, [9, 3, 9, 1, 9, 1, 9, 1]])
def test_of_many_rows_the_errors_are_in_a_file_and_the_interval_is_the_same(
    weights: list[int] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some, found = rows(8), held_out(1, 3, 5, 7)
    some.weight = None if weights is None else np.array(weights, np.float32)
    expected = measure_interval(found, [1.0], some, UNIT, coverage=0.5)
    monkeypatch.setattr(rows_module, "MANY_ROWS", 3)
    some.folder = tmp_path
    assert isinstance(held_out_errors(found, [1.0], some, UNIT), DiskArray)
    assert expected is not None
    assert measure_interval(found, [1.0], some, UNIT, coverage=0.5) == expected
    assert (tmp_path / "errors.bin").stat().st_size == 4 * 8


def test_few_groups_and_few_rows_are_doubted_in_words() -> None:
    assert doubt(Interval(0.95, 1.0, 400), 18, "user") == (
        "Its 95 % intervals are measured on rows of 18 values of `user`, and rows of one value err alike: of other "
        "values they may hold less than 95 %. At least 19 values are expected."
    )
    assert doubt(Interval(0.95, 1.0, 400), 19, "user") == ""
    # sqrt(0.95 * 0.05 / 27) is 0.042: two of these below 0.95 are 0.866
    assert doubt(Interval(0.95, 1.0, 25)).startswith(
        "Its 95 % intervals are measured on 25 rows: they may as well hold 86.6 % of new labels."
    )
    assert doubt(Interval(0.95, 1.0, 51)) == ""
