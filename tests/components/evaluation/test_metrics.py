"""Metrics: numbers a reader can check by hand, and precision that float32 sums would not have."""

from __future__ import annotations

import math
import weakref

import numpy as np
import pytest

from crossnet.components.evaluation.metrics import ErrorSums, WorstRows, thinned


def sums(labels, *predictions, batch=None):
    labels, predictions = np.array(labels, float), np.array(predictions, float)
    total = ErrorSums(len(predictions))
    for start in range(0, len(labels), batch or max(len(labels), 1)):
        stop = start + (batch or len(labels))
        total.add(labels[start:stop], predictions[:, start:stop])
    return total


def test_error_sums_give_the_metrics_of_four_rows():
    metrics = sums([1, 2, 3, 4], [2, 2, 3, 2]).metrics(0)
    assert metrics == {
        "rmse": pytest.approx(math.sqrt(5 / 4)),
        "mae": 3 / 4,
        "bias": -1 / 4,
        "r2": 1 - 5 / 5,
        "mape": (1 + 2 / 4) / 4,
        "mape_rows": 4,
    }


def test_error_sums_know_the_labels_mean_and_spread():
    total = sums([1, 2, 3, 4], [0, 0, 0, 0])
    assert total.label_mean == 2.5
    assert total.label_std == pytest.approx(math.sqrt(1.25))


def test_error_sums_do_not_depend_on_batches():
    random = np.random.default_rng(1)
    labels, predictions = random.normal(3, 1, 1000), random.normal(3, 1, (2, 1000))
    whole, parts = sums(labels, *predictions), sums(labels, *predictions, batch=7)
    assert parts.metrics(1) == pytest.approx(whole.metrics(1), rel=1e-13)
    assert parts.label_std == pytest.approx(whole.label_std, rel=1e-13)
    np.testing.assert_allclose(parts.moments().products, whole.moments().products, rtol=1e-13)


@pytest.mark.parametrize("groups", [None, np.repeat(np.arange(40), 25)])
def test_error_sums_of_parts_are_those_of_the_whole(groups):
    random = np.random.default_rng(3)
    labels, predictions, weights = random.normal(3, 1, 1000), random.normal(3, 1, (2, 1000)), random.random(1000)
    labels[5], predictions[0, 7] = 0.0, math.nan

    def of(*bounds):
        total = ErrorSums(2)
        for part in map(slice, bounds, bounds[1:]):
            sums = ErrorSums(2)
            sums.add(labels[part], predictions[:, part], weights[part], None if groups is None else groups[part])
            total.merge(sums)
        return total

    direct = ErrorSums(2)
    direct.add(labels, predictions, weights, groups)
    whole, parts = of(0, 1000), of(0, 400, 400, 1000)
    for found, exactly in ((whole, True), (parts, False)):  # of one part not even the last digit differs
        near = (lambda value: value) if exactly else lambda value: pytest.approx(value, rel=1e-12)
        assert found.metrics(1) == near(direct.metrics(1))
        assert (found.rows, found.weight, found.label_mean) == (1000, near(direct.weight), near(direct.label_mean))
        assert found.label_std == near(direct.label_std)
        assert found.effective_rows == near(direct.effective_rows)
        assert found.tail_index(1) == near(direct.tail_index(1))
        assert found.largest_share(1) == near(direct.largest_share(1))
        assert found.nonfinite.tolist() == [1, 0]
        assert math.isnan(found.rmse(0))
        moments, expected = found.moments(), direct.moments()
        assert moments.units == expected.units
        np.testing.assert_allclose(moments.products[1:, 1:], expected.products[1:, 1:], rtol=0 if exactly else 1e-12)


def test_error_sums_measure_an_rmse_of_1e_7_beside_labels_near_one():
    random = np.random.default_rng(2)
    labels = random.uniform(1, 2, 100_000).astype(np.float32)
    steps = random.integers(-1, 2, 100_000).astype(np.float32)
    predictions = labels + steps * np.float32(2**-23)  # exact in float32
    expected = 2**-23 * math.sqrt(np.mean(steps != 0))
    assert sums(labels, predictions, batch=1000).rmse(0) == pytest.approx(expected, rel=1e-12)


def test_mape_is_over_the_rows_whose_label_is_not_zero():
    metrics = sums([0, 2], [5, 3]).metrics(0)
    assert (metrics["mape"], metrics["mape_rows"]) == (0.5, 1)
    assert sums([0, 0], [5, 3]).metrics(0)["mape"] is None


def test_r2_is_not_defined_for_labels_of_one_value():
    assert sums([2, 2], [1, 3]).metrics(0)["r2"] is None


def test_error_sums_without_rows_have_no_metrics():
    empty = sums([], [])
    assert math.isnan(empty.rmse(0))
    assert math.isnan(empty.label_mean)
    assert math.isnan(empty.label_std)
    assert set(empty.metrics(0).values()) == {None}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_error_sums_count_predictions_that_are_not_finite_and_spare_the_other_models(value):
    total = sums([1, 2], [1, value], [1, 3])
    assert total.nonfinite.tolist() == [1, 0]
    assert not math.isfinite(total.rmse(0))
    assert total.rmse(1) == pytest.approx(math.sqrt(0.5))


def test_error_sums_of_a_model_without_error_have_an_rmse_of_zero():
    assert sums([1, 2], [1, 2]).rmse(0) == 0.0


def test_floor_is_four_units_in_the_last_place_of_a_typical_label():
    assert sums([1, -1], [0, 0]).floor == pytest.approx(4 * 2**-23)
    assert sums([0, 0], [0, 0]).floor == 0


def test_worst_rows_are_sorted_and_carry_their_features():
    worst = WorstRows(size=2)
    features = {"zone": np.array([b"a", b"b", b"c"], object), "miles": np.array([0.1, np.nan, 2], np.float32)}
    worst.add(10, np.array([1.0, 2, 3]), np.array([1.5, 5, 3]), features)
    worst.add(13, np.array([1.0]), np.array([2.0]), {"zone": np.array([b""], object), "miles": np.zeros(1, np.float32)})
    assert worst.rows() == [
        {"record": 11, "label": 2.0, "prediction": 5.0, "features": {"zone": "b", "miles": None}},
        {"record": 13, "label": 1.0, "prediction": 2.0, "features": {"zone": "", "miles": 0.0}},
    ]


def test_worst_rows_of_parts_are_those_of_the_whole():
    labels, predictions = np.zeros(100), np.random.default_rng(0).normal(0, 1, 100)
    whole, total = WorstRows(size=5), WorstRows(size=5)
    whole.add(0, labels, predictions, {"x": predictions})
    for first in (0, 3, 50):
        part = WorstRows(size=5)
        stop = {0: 3, 3: 50, 50: 100}[first]
        part.add(first, labels[first:stop], predictions[first:stop], {"x": predictions[first:stop]})
        total.merge(part)
    assert total.rows() == whole.rows()
    assert len(total.rows()) == 5


def test_worst_rows_put_nan_first():
    worst = WorstRows(size=1)
    worst.add(0, np.zeros(2), np.array([1e30, np.nan]), {})
    assert worst.rows() == [{"record": 1, "label": 0.0, "prediction": None, "features": {}}]


def test_thinned_does_not_keep_what_it_was_given():
    given, alive = [], []

    def chunks():
        for _ in range(20):
            chunk = np.arange(50.0)
            given.append(weakref.ref(chunk))
            yield chunk
        del chunk
        alive.extend(array for array in given[:-1] if array() is not None)

    assert len(thinned(chunks(), limit=20)) == 16
    assert alive == []


def test_thinned_keeps_every_kth_value_of_a_stream():
    chunks = [np.arange(start, start + 7) for start in range(0, 70, 7)]
    assert thinned(iter(chunks), limit=70).tolist() == list(range(70))
    kept = thinned(iter(chunks), limit=20)
    stride = int(kept[1] - kept[0])
    assert kept.tolist() == list(range(0, 70, stride))
    assert 10 <= len(kept) <= 20


def test_weights_weigh_every_metric_as_repeated_rows_would():
    random = np.random.default_rng(4)
    labels, predictions = random.normal(3, 1, 50), random.normal(3, 1, (2, 50))
    labels[7] = 0.0
    weights = random.integers(0, 4, 50).astype(float)
    once, repeated = ErrorSums(2), ErrorSums(2)
    once.add(labels[:20], predictions[:, :20], weights[:20])
    once.add(labels[20:], predictions[:, 20:], weights[20:])
    times = weights.astype(int)
    repeated.add(np.repeat(labels, times), np.repeat(predictions, times, axis=1))
    expected = repeated.metrics(1)
    found = once.metrics(1)
    assert {**found, "mape_rows": 0} == pytest.approx({**expected, "mape_rows": 0}, rel=1e-12)
    assert (once.label_mean, once.label_std) == pytest.approx((repeated.label_mean, repeated.label_std), rel=1e-12)
    assert once.effective_rows == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    assert (once.rows, once.is_weighted, repeated.is_weighted) == (50, True, False)


def test_a_row_that_weighs_nothing_is_only_asked_for_a_finite_prediction():
    sums = ErrorSums(1)
    sums.add(np.array([1.0, 2.0]), np.array([[np.nan, 2.5]]), np.array([0.0, 1.0]))
    assert (sums.rmse(0), sums.nonfinite[0]) == (0.5, 1)
    nothing = ErrorSums(1)
    nothing.add(np.array([1.0]), np.array([[1.0]]), np.zeros(1))
    assert np.isnan(nothing.rmse(0))
    assert nothing.metrics(0)["rmse"] is None


def test_tail_index_tells_a_heavy_tail_from_normal_errors_whatever_the_batches():
    random = np.random.default_rng(0)
    errors = np.stack([random.normal(0, 1, 5000), random.standard_t(3, 5000), random.laplace(0, 1, 5000)])
    whole, parts = sums(np.zeros(5000), *errors), sums(np.zeros(5000), *errors, batch=37)
    normal, student, laplace = (whole.tail_index(i) for i in range(3))
    assert student < 3.5 < laplace < normal
    assert [parts.tail_index(i) for i in range(3)] == [normal, student, laplace]
    assert whole.largest_share(1) == pytest.approx((errors[1] ** 2).max() / (errors[1] ** 2).sum())


def test_tail_index_on_paper():
    # 49 of 1,000 errors are twice as large as the fiftieth: 1 / ln 2 = 1.44.
    errors = np.full(1000, 0.1)
    errors[:50] = [1.0, *[2.0] * 49]
    assert sums(np.zeros(1000), errors).tail_index(0) == pytest.approx(1 / math.log(2))
    assert math.isnan(sums(np.zeros(600), errors[:600]).tail_index(0))  # too few rows
    errors[3] = math.nan
    assert math.isnan(sums(np.zeros(1000), errors).tail_index(0))
    assert sums(np.zeros(1000), np.ones(1000)).tail_index(0) == math.inf
