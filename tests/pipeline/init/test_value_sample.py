import numpy as np
import pytest

from crossnet.components.hashing import mix
from crossnet.pipeline.init.value_sample import ValueSample, facts_of


def sample_of(values, labels=None, *, size=4096, batch=1000, as_text=False):
    sample = ValueSample(size)
    values = np.asarray(values)
    labels = np.zeros(len(values)) if labels is None else np.asarray(labels, float)
    for start in range(0, len(values), batch):
        unique, indices = np.unique(values[start : start + batch], return_inverse=True)
        numbers = None if as_text else unique.astype(float)
        facts = facts_of(indices, len(unique), labels[start : start + batch], numbers)
        sample.update(mix(unique.astype(np.uint64)), facts)
    return sample


def test_values_rows_and_repeats_are_exact_below_the_size():
    sample = sample_of([1, 2, 2, 3, 3, 3] * 100)
    assert (sample.distinct, sample.repeated, sample.looked_at) == (3, 3, 3)
    assert sample.rows_per_value == 200
    assert sample_of(range(3000)).repeated == 0


def test_beyond_the_size_values_are_estimated_and_their_rows_are_exact():
    sample = sample_of(np.repeat(np.arange(20_000), 3), size=1000)
    assert sample.distinct == pytest.approx(20_000, rel=0.1)
    assert sample.looked_at == sample.repeated == 1000
    assert sample.rows_per_value == 3


def test_labels_that_are_alike_in_groups_are_explained_by_them():
    draw = np.random.default_rng(0)
    groups = np.repeat(np.arange(500), 10)
    of_group = draw.normal(size=500)
    labels = of_group[groups] + draw.normal(size=5000)
    assert sample_of(groups, labels).explained(labels.var()) == pytest.approx(0.5, abs=0.07)
    assert sample_of(groups, draw.permutation(labels)).explained(labels.var()) == 0
    assert sample_of(groups, labels).roughness == pytest.approx(1, abs=0.2)


def test_a_label_that_follows_a_number_is_not_rough():
    values = np.random.default_rng(0).permutation(np.repeat(np.arange(500), 10))
    assert sample_of(values, values * 2.0).roughness < 0.01
    assert sample_of(values, values * 2.0, as_text=True).roughness == 1


def test_a_number_that_the_label_follows_is_not_rough_where_chance_hides_it():
    draw = np.random.default_rng(0)
    values = draw.permutation(np.repeat(np.arange(1000), 3))
    labels = values / 290 + 2 * draw.normal(size=3000)  # a mean of three rows is moved more by chance than by its value
    assert sample_of(values, labels).roughness < 0.25
    assert sample_of(values, draw.permutation(1000)[values] / 290 + 2 * draw.normal(size=3000)).roughness > 0.75
    assert sample_of(values, draw.normal(size=3000)).roughness >= 0


def test_amounts_have_their_median_at_one_end():
    assert sample_of(range(101)).place_of_median == 0.5
    assert sample_of([0, 1, 2, 3, 10]).place_of_median == 0.2
    assert sample_of([7, 7]).place_of_median == sample_of([1, 5], as_text=True).place_of_median == 0.5


def test_the_most_frequent_value_can_be_set_aside():
    sample = sample_of([0] * 50 + [1, 2, 2, 3], [9.0] * 50 + [1.0, 2.0, 4.0, 5.0])
    rest = sample.without_most_frequent()
    assert (rest.distinct, rest.rows_per_value, rest.variance) == (3, pytest.approx(4 / 3), pytest.approx(2.5))
    assert (sample.distinct, ValueSample().without_most_frequent().variance) == (4, 0)


def test_rows_without_a_label_count_as_rows_only():
    labels = np.where(np.arange(4000) % 2, np.nan, np.arange(4000) // 40)
    sample = sample_of(np.arange(4000) // 40, labels)
    assert sample.rows_per_value == 40
    assert sample.explained(float(np.nanvar(labels))) == 1


def test_whole_numbers_may_be_days():
    assert sample_of([20_240_229, 20_251_231, 19_990_101]).are_days()
    assert not sample_of([20_250_229, 20_251_231]).are_days()  # no leap year
    assert not sample_of([20_251_301]).are_days()
    assert not sample_of([20_250_100]).are_days()
    assert sample_of([20_240_229_2359, 20_240_229_0000]).are_days(4)
    assert not sample_of([20_240_229_2359, 20_240_229_2400]).are_days(4)
    assert sample_of([20_240_229_235_959]).are_days(6)
    assert not any(sample_of([time]).are_days(6) for time in (20_240_229_235_960, 20_240_229_236_000))
