from __future__ import annotations

import math

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.components.records.dataset import Column
from crossnet.components.records.texts import as_texts
from crossnet.components.statistics.columns import custom_number
from crossnet.components.statistics.stored import stored_of
from crossnet.components.statistics.values import (
    COUNT_ERROR,
    DISTRIBUTION,
    MAX_DISTRIBUTION_POINTS,
    MIN_COUNTED_TEXTS,
    NUM_INFINITE,
    RANK_ERROR,
    UNIQUE,
    VALUE_COUNTS,
    Numbers,
    Texts,
    outward,
)
from support.column_fixtures import numbers, statistics_of, texts

FOUR_BUCKETS = StatisticsGenParams(num_histogram_buckets=4)


def buckets(histogram):
    return [(bucket.low_value, bucket.high_value, bucket.sample_count) for bucket in histogram.buckets]


def numbers_of(*batches, dtype=np.float32):
    summary = Numbers()
    for batch in batches:
        summary.update(np.array(batch, dtype))
    return summary


def texts_of(*batches, max_vocabulary=10):
    summary = Texts(max_vocabulary)
    for batch in batches:
        summary.update(as_texts(batch))
    return summary


def filled(summary, settings):
    statistics = statistics_pb2.FeatureNameStatistics()
    statistics.MergeFromString(b"".join(summary.fill(statistics, settings)))
    return statistics


def test_numbers_count_zeros_of_both_signs_as_one_value():
    summary = numbers_of([-0.0, 3.0], [0.0, -0.0])
    assert (summary.zeros, summary.count, summary.distinct.estimate) == (3, 4, 2)
    assert math.copysign(1, summary.min) == 1


def listed(summary, **settings):
    statistics = filled(summary, StatisticsGenParams(**settings))
    (counts,) = [custom.rank_histogram for custom in statistics.custom_stats if custom.name == VALUE_COUNTS] or [None]
    return counts and [(bucket.label, bucket.sample_count) for bucket in counts.buckets]


def test_whole_numbers_that_repeat_are_counted_and_others_are_not():
    largest = 2**63 - 1
    assert listed(numbers_of([7, largest], [7, largest, 7], dtype=np.int64)) == [("7", 3), (str(largest), 2)]
    assert listed(numbers_of([7, 7, 7, 8, 8, 8, 9], dtype=np.int64), max_vocabulary=2) == [("7", 3), ("8", 3)]
    assert listed(numbers_of([1, 2, 2], dtype=np.int64)) is None
    assert listed(numbers_of([7, 7, 7], dtype=np.float32)) is None


def test_numbers_keep_moments_over_batches():
    summary = numbers_of([1, 2], [], [6], dtype=np.int64)
    assert (summary.count, summary.mean, summary.squares) == (3, 3.0, 4 + 1 + 9)
    assert (summary.min, summary.max) == (1, 6)


def test_numbers_leave_the_callers_array_as_it_is():
    values = np.array([1.0, 5.0])
    Numbers().update(values)
    np.testing.assert_array_equal(values, [1.0, 5.0])


@pytest.mark.parametrize("empty_first", [True, False])
def test_merge_with_an_empty_summary_changes_nothing(empty_first):
    one, other = numbers_of([1, 2, 4]), numbers_of([])
    expected = filled(numbers_of([1, 2, 4]), FOUR_BUCKETS)
    merged, added = (other, one) if empty_first else (one, other)
    merged.merge(added)
    assert filled(merged, FOUR_BUCKETS) == expected


def test_merge_of_two_empty_summaries_is_empty():
    summary = numbers_of([])
    summary.merge(numbers_of([math.nan]))
    assert (summary.count, summary.mean, summary.num_nan) == (0, 0.0, 1)


def test_merge_adds_the_counts_of_nan_and_infinity():
    summary = numbers_of([math.nan, math.inf, 0])
    summary.merge(numbers_of([math.nan, -math.inf, math.inf, 0, 1]))
    assert (summary.num_nan, summary.num_infinite, summary.zeros, summary.count) == (2, 3, 2, 3)


def test_distribution_holds_each_distinct_value_with_its_rows_while_there_are_few():
    (distribution,) = (
        custom.histogram
        for custom in filled(numbers_of([2, 1, 2]), FOUR_BUCKETS).custom_stats
        if custom.name == DISTRIBUTION
    )
    assert buckets(distribution) == [(1, 1, 1), (2, 2, 2)]


def test_distribution_is_thinned_and_states_the_error_of_it():
    values = np.arange(3000.0)
    proto = filled(numbers_of(values), FOUR_BUCKETS)
    sample = stored_of(proto).points
    assert len(sample.values) <= MAX_DISTRIBUTION_POINTS
    assert custom_number(proto, RANK_ERROR) == sample.rank_error == pytest.approx(3000 / MAX_DISTRIBUTION_POINTS / 2)
    assert np.abs(sample.ranks(values) - np.arange(1, 3001)).max() <= sample.rank_error
    assert custom_number(proto, UNIQUE) == 3000


def test_texts_measure_lengths_in_bytes():
    summary = texts_of([b"a", "é".encode()], [b""])
    assert (summary.count, summary.num_bytes) == (3, 3)
    assert filled(summary, StatisticsGenParams()).string_stats.avg_length == 1.0
    assert filled(texts_of(), StatisticsGenParams()).string_stats.avg_length == 0.0


def test_ranks_have_no_gap_where_the_most_frequent_text_is_not_utf8():
    summary = texts_of([b"\xff", b"\xff", b"\xff", b"b", b"b", b"a"])
    proto = filled(summary, StatisticsGenParams(max_vocabulary=2, num_top_values=5)).string_stats
    assert [(b.low_rank, b.high_rank, b.label) for b in proto.rank_histogram.buckets] == [(0, 0, "b"), (1, 1, "a")]
    assert [top.value for top in proto.top_values] == ["b", "a"]
    assert (proto.unique, proto.invalid_utf8_count) == (3, 3)


def test_two_halves_of_a_character_are_two_invalid_texts():
    assert texts_of([b"\xc3", b"\xbc"]).num_invalid == 2
    assert texts_of(["ü".encode(), b""]).num_invalid == 0


def test_merge_of_texts_adds_all_counts():
    summary = texts_of([b"a", b"\xff"])
    summary.merge(texts_of([b"a", b"bc", b"\xfe"]))
    assert (summary.count, summary.num_bytes, summary.num_invalid) == (5, 6, 2)
    values, rows = summary.counts.most_common(1)
    assert (values.to_pylist(), rows.tolist()) == ([b"a"], [2])


def test_texts_keep_counts_for_the_vocabulary_that_is_asked_for():
    assert Texts(10).counts.capacity == MIN_COUNTED_TEXTS
    assert Texts(2 * MIN_COUNTED_TEXTS).counts.capacity == 2 * MIN_COUNTED_TEXTS


def test_rows_that_a_count_may_be_too_low_are_stated():
    values = [str(number).encode() for number in range(2 * MIN_COUNTED_TEXTS + 1)]
    proto = filled(texts_of(values, values[:3]), StatisticsGenParams(num_top_values=1))
    assert custom_number(proto, COUNT_ERROR) == 1
    assert proto.string_stats.unique == pytest.approx(len(values), rel=0.06)


def test_standard_histogram_counts_a_value_on_an_edge_in_the_bucket_above():
    proto = statistics_of("INT", numbers([0, 1, 2, 3, 4], np.int64), num_histogram_buckets=4).proto()
    assert buckets(proto.num_stats.histograms[0]) == [(0, 1, 1), (1, 2, 1), (2, 3, 1), (3, 4, 2)]


def test_nan_and_infinity_are_counted_and_kept_out_of_the_figures():
    values = [1.0, math.nan, math.inf, 3.0, -math.inf, math.nan, math.nan]
    proto = statistics_of("FLOAT", numbers(values)).proto()
    assert [histogram.num_nan for histogram in proto.num_stats.histograms] == [3, 3]
    assert custom_number(proto, NUM_INFINITE) == 2
    assert (proto.num_stats.mean, proto.num_stats.min, proto.num_stats.max) == (2.0, 1.0, 3.0)
    assert proto.num_stats.common_stats.num_non_missing == 7


def test_a_column_of_nan_alone_has_counts_and_no_buckets():
    proto = statistics_of("FLOAT", numbers([math.nan, math.nan])).proto()
    assert [(h.num_nan, len(h.buckets)) for h in proto.num_stats.histograms] == [(2, 0), (2, 0)]


def test_a_constant_column_has_one_bucket_of_no_width():
    proto = statistics_of("FLOAT", numbers([0.1] * 7)).proto()
    assert [bucket[2] for bucket in buckets(proto.num_stats.histograms[0])] == [7]
    assert proto.num_stats.std_dev == 0


def test_texts_that_are_not_utf8_are_counted_and_not_listed():
    stats = statistics_of("BYTES", texts([b"ok", b"\xff", b"\xc3", b"\xbc", b"\xff"])).proto().string_stats
    assert (stats.invalid_utf8_count, stats.unique) == (4, 4)
    assert [bucket.label for bucket in stats.rank_histogram.buckets] == ["ok"]


def test_extremes_of_large_integers_are_rounded_outward():
    low, high = -(2**60) - 1, 2**60 + 1
    num = statistics_of("INT", numbers([low, high], np.int64)).proto().num_stats
    assert int(num.min) < low
    assert int(num.max) > high
    assert outward(2**53 + 1, down=True) == 2**53
    assert outward(5, down=True) == outward(5, down=False) == 5.0


def test_moments_hold_far_from_zero():
    values = 1e6 + np.random.default_rng(0).normal(size=200_000).astype(np.float32).astype(np.float64)
    column = values.astype(np.float32)
    statistics = statistics_of("FLOAT", *[Column(part, None) for part in np.array_split(column, 31)])
    num = statistics.proto().num_stats
    assert num.mean == pytest.approx(column.astype(np.float64).mean(), rel=1e-12)
    assert num.std_dev == pytest.approx(column.astype(np.float64).std(), rel=1e-9)


@pytest.mark.parametrize("sigma", [0.1, 3.0])
def test_quantiles_and_histogram_of_many_rows_keep_the_stated_error(sigma):
    values = np.random.default_rng(1).lognormal(sigma=sigma, size=300_000).astype(np.float32)
    proto = statistics_of("FLOAT", *[Column(part, None) for part in np.array_split(values, 5)]).proto()
    most = custom_number(proto, RANK_ERROR)
    assert 0 < most <= 0.0011 * len(values)
    standard, quantiles = proto.num_stats.histograms
    true, _ = np.histogram(values.astype(np.float64), [b.low_value for b in standard.buckets] + [proto.num_stats.max])
    assert np.abs(true - [b.sample_count for b in standard.buckets]).max() <= 2 * most
    edges = np.array([bucket.high_value for bucket in quantiles.buckets])
    ranks = np.searchsorted(np.sort(values.astype(np.float64)), edges, side="right")
    assert np.abs(ranks - np.arange(1, 21) / 20 * len(values)).max() <= most + 1
    sample = stored_of(proto).points
    assert len(sample.values) <= 1024
    assert sample.total == pytest.approx(len(values))
