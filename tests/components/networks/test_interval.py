from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossnet.components.files import write_json
from crossnet.components.networks import interval
from crossnet.components.networks.export import TRAINING_FILE
from crossnet.components.networks.interval import Interval, calibrate, fewest_rows, read_interval


def test_half_width_is_the_error_that_only_the_fewest_exceed() -> None:
    errors = np.array([*range(1, 100)], float) * np.where(np.arange(99) % 2, 1, -1)  # 1 to 99, signs mixed
    np.random.default_rng(0).shuffle(errors)
    assert calibrate(errors, 0.95) == Interval(0.95, 95.0, 99)  # the 0.95 * (99 + 1)-th smallest
    assert calibrate(errors, 0.9) == Interval(0.9, 90.0, 99)
    assert calibrate(errors, 0.901) == Interval(0.901, 91.0, 99)


@pytest.mark.parametrize(("coverage", "rows"), [(0.95, 19), (0.9, 9), (0.5, 1), (0.8, 4), (0.99, 99), (0.001, 1)])
def test_fewer_rows_than_a_coverage_needs_give_no_interval(coverage: float, rows: int) -> None:
    assert fewest_rows(coverage) == rows
    errors = np.arange(rows, dtype=float)
    assert calibrate(errors[1:], coverage) is None
    found = calibrate(errors, coverage)
    assert found is not None
    assert found.half_width == (0 if coverage == 0.001 else rows - 1)  # the largest error


@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.95])
def test_half_width_of_many_rows_is_the_error_that_sorting_finds(
    coverage: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interval, "ROWS_AT_ONCE", 1000)
    random = np.random.default_rng(3)
    errors = np.concatenate(
        [random.normal(size=5000) * 10.0 ** random.integers(-300, 300, 5000), np.zeros(99), [np.inf]]
    )
    random.shuffle(errors)
    found = calibrate(errors, coverage)
    assert found is not None
    assert found.half_width == np.sort(np.abs(errors))[int(np.ceil(5101 * coverage)) - 1]
    weight = random.integers(1, 9, len(errors)).astype(np.float32)
    order = np.argsort(np.abs(errors), kind="stable")
    alike = interval.effective_rows(weight)
    assert alike == pytest.approx(weight.sum() ** 2 / (weight**2).sum(), rel=1e-6)
    place = np.searchsorted(np.cumsum(weight[order], dtype=float), (alike + 1) / alike * coverage * weight.sum() - 1e-3)
    found = calibrate(errors, coverage, weight)
    assert found is not None
    assert found.half_width == np.abs(errors[order[place]])


def test_errors_that_are_not_numbers_are_the_largest() -> None:
    errors = np.array([1.0, np.nan, -2.0, np.nan])
    assert calibrate(errors, 0.4) == Interval(0.4, 2.0, 4)
    found = calibrate(errors, 0.6)
    assert found is not None
    assert np.isnan(found.half_width)


@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_new_labels_lie_inside_as_often_as_promised_whatever_the_errors(coverage: float) -> None:
    random = np.random.default_rng(1)
    held = []
    for _ in range(300):
        errors = random.standard_t(2, size=200)
        found = calibrate(errors[:100], coverage)
        assert found is not None
        held.append(np.mean(np.abs(errors[100:]) <= found.half_width))
    assert coverage - 0.01 <= np.mean(held) <= coverage + 0.02


def test_interval_is_read_back_from_an_export_and_absent_where_there_is_none(tmp_path: Path) -> None:
    assert read_interval(tmp_path) is None
    (tmp_path / TRAINING_FILE).parent.mkdir()
    write_json(tmp_path / TRAINING_FILE, {"network": {}})
    assert read_interval(tmp_path) is None
    known = Interval(0.95, 1.5, 200)
    write_json(tmp_path / TRAINING_FILE, {"network": {}, "interval": known.to_json()})
    assert read_interval(tmp_path) == known


def test_errors_are_counted_by_weight() -> None:
    """Weights 3, 1, 1 and 1 say as much as 6 * 6 / 12 = 3 rows, so half of a row and three: 2/3 of the weight."""
    errors = np.array([1.0, -2.0, 3.0, -4.0])
    assert calibrate(errors, 0.5, np.array([3.0, 1, 1, 1])) == Interval(0.5, 2.0, 4)
    assert calibrate(errors, 0.5, np.array([1.0, 1, 1, 3])) == Interval(0.5, 4.0, 4)
    assert calibrate(errors, 0.8) == Interval(0.8, 4.0, 4)
    assert calibrate(errors, 0.8, np.array([1.0, 1, 1, 3])) is None


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95, 0.99])
def test_equal_weights_change_nothing(coverage: float) -> None:
    random = np.random.default_rng(1)
    for rows in range(1, 140):
        errors = random.normal(size=rows)
        assert calibrate(errors, coverage, np.full(rows, 0.3, np.float32)) == calibrate(errors, coverage)


def test_weighted_rows_give_the_promise_for_rows_that_come_as_often_as_they_weigh() -> None:
    """Rows are even over [0, 1] and new ones are as frequent as they weigh; errors grow likewise."""
    random = np.random.default_rng(1)
    held, unweighted = [], []
    for _ in range(300):
        weight, new = random.random(100), np.sqrt(random.random(200))
        errors, later = random.normal(size=100) * weight, np.abs(random.normal(size=200) * new)
        found, plain = calibrate(errors, 0.9, weight), calibrate(errors, 0.9)
        assert found is not None
        assert plain is not None
        held.append(np.mean(later <= found.half_width))
        unweighted.append(np.mean(later <= plain.half_width))
    assert 0.89 <= np.mean(held) <= 0.92
    assert np.mean(unweighted) < 0.85
