from __future__ import annotations

import math

import numpy as np
import pytest

from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.components.records.dataset import Column
from crossnet.components.records.texts import as_texts
from crossnet.components.statistics.columns import ColumnStatistics
from crossnet.components.statistics.stored import stored_of
from crossnet.components.validation.distances import chi_square, distance, jensen_shannon


def statistics_of(values, type_name="FLOAT", present=None, max_vocabulary=10_000):
    statistics = ColumnStatistics("c", type_name, StatisticsGenParams(max_vocabulary=max_vocabulary))
    if type_name == "BYTES":
        filled = as_texts(values)
    else:
        filled = np.asarray(values, np.float32 if type_name == "FLOAT" else np.int64)
    statistics.update(Column(filled, present))
    return stored_of(statistics.proto())


def test_jensen_shannon_figures_one_can_check_on_paper():
    assert jensen_shannon(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 0
    assert jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1
    # 0.5 * (log2(4/3)) + 0.5 * (0.5 log2(2/3) + 0.5 log2(2)) = 0.3113
    assert jensen_shannon(np.array([1.0, 0.0]), np.array([0.5, 0.5])) == pytest.approx(0.3112781)


@pytest.mark.parametrize("degrees", [2, 4, 8])
def test_chi_square_is_as_rare_as_five_deviations(degrees):
    half = chi_square(5, degrees) / 2
    # For even degrees the tail has a closed form; that of five normal deviations is 2.87e-7.
    tail = math.exp(-half) * sum(half**k / math.factorial(k) for k in range(degrees // 2))
    assert 5e-8 < tail < 3.5e-7


def test_infinite_samples_have_no_distance():
    infinite = statistics_of([math.inf] * 50)
    assert distance(infinite, infinite).value == 0
    assert distance(infinite, infinite).noise == 0


def test_equal_samples_have_no_distance():
    values = np.random.default_rng(0).normal(size=1000)
    found = distance(statistics_of(values), statistics_of(values))
    assert (found.measure, found.value) == ("Jensen-Shannon", 0.0)


def test_disjoint_numbers_are_as_far_apart_as_can_be():
    found = distance(statistics_of(range(1000)), statistics_of(range(1000, 2000)))
    assert found.value == pytest.approx(1.0)
    assert found.value > found.noise


def test_distance_of_normals_is_near_the_true_divergence():
    rng = np.random.default_rng(0)
    found = distance(statistics_of(rng.normal(size=50_000)), statistics_of(rng.normal(1, size=50_000)))
    x = np.linspace(-8, 9, 20_001)
    p, q = np.exp(-(x**2) / 2), np.exp(-((x - 1) ** 2) / 2)
    true = jensen_shannon(p / p.sum(), q / q.sum())
    # Ten bins keep nearly all of it.
    assert true * 0.95 < found.value < true * 1.02


def test_distance_of_texts_is_the_largest_difference_of_shares_and_names_the_value():
    one = statistics_of([b"a"] * 600 + [b"b"] * 400, "BYTES")
    other = statistics_of([b"a"] * 300 + [b"b"] * 500 + [b"c"] * 200, "BYTES")
    found = distance(one, other)
    assert (found.measure, found.detail) == ("L-infinity", "'a'")
    assert found.value == pytest.approx(0.3)
    assert found.noise == pytest.approx(5 * math.sqrt(0.45 * 0.55 * 2 / 1000) + 1 / 1000)


def test_a_missing_value_counts_as_a_value():
    half = np.arange(1000) % 2 == 0
    numbers = distance(statistics_of(range(1000)), statistics_of(range(1000), present=half))
    assert numbers.value == pytest.approx(jensen_shannon(np.array([1.0, 0.0]), np.array([0.5, 0.5])), abs=0.01)
    texts = [b"a"] * 1000
    found = distance(statistics_of(texts, "BYTES"), statistics_of(texts, "BYTES", present=half))
    assert (found.detail, found.value) in [("missing", 0.5), ("'a'", 0.5)]
    gone = distance(statistics_of(range(1000)), statistics_of(range(1000), present=np.zeros(1000, bool)))
    assert gone.value == pytest.approx(1.0)


def test_a_value_that_a_short_list_leaves_out_is_not_taken_for_absent():
    texts = [b"%d" % (n % 10) for n in range(10_000)]
    more = [b"%d" % (9 - n % 10) for n in range(9_999)]  # the ten are as frequent, and another three lead the list
    found = distance(statistics_of(texts, "BYTES", max_vocabulary=3), statistics_of(more, "BYTES", max_vocabulary=3))
    assert found.value < 0.001


def test_samples_that_cannot_be_compared_have_no_distance():
    assert distance(statistics_of([1.0]), statistics_of([b"a"], "BYTES")) is None
    assert distance(statistics_of([1.0]), statistics_of([])) is None


@pytest.mark.parametrize(("few", "many"), [(34, 300), (5, 45), (100, 100), (1000, 9000)])
@pytest.mark.parametrize("kind", ["normal", "counts", "rare", "heavy", "cities", "words"])
def test_chance_does_not_pass_for_a_distance(kind, few, many):
    rng = np.random.default_rng(7)
    type_name, draw = {
        "normal": ("FLOAT", lambda n: rng.normal(size=n)),
        "counts": ("INT", lambda n: rng.poisson(1.5, n)),
        "rare": ("INT", lambda n: rng.random(n) < 0.03),
        "heavy": ("FLOAT", lambda n: rng.lognormal(sigma=3, size=n)),
        "cities": ("BYTES", lambda n: [b"%d" % v for v in rng.integers(0, 3, n)]),
        "words": ("BYTES", lambda n: [b"%d" % v for v in rng.zipf(1.5, n) % 1000]),
    }[kind]
    for _ in range(25):
        found = distance(statistics_of(draw(few), type_name), statistics_of(draw(many), type_name))
        assert found.value <= found.noise


@pytest.mark.parametrize(("few", "shift"), [(34, 2.0), (1000, 1.0)])
def test_a_shift_is_not_taken_for_chance_even_in_34_rows(few, shift):
    rng = np.random.default_rng(8)
    for _ in range(20):
        found = distance(statistics_of(rng.normal(shift, size=few)), statistics_of(rng.normal(size=few * 9)))
        assert found.value > max(0.1, found.noise)


def test_the_error_of_the_sketch_is_not_taken_for_a_distance():
    values = np.random.default_rng(9).normal(size=600_000).astype(np.float32)
    parts = [ColumnStatistics("c", "FLOAT", StatisticsGenParams()) for _ in range(2)]
    for piece in np.array_split(values, 10):
        parts[0].update(Column(piece, None))
    for piece in np.array_split(values[::-1], 3):
        parts[1].update(Column(piece, None))
    found = distance(stored_of(parts[0].proto()), stored_of(parts[1].proto()))
    assert 0 < found.value < found.noise < 0.001
