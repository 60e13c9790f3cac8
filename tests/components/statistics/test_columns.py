from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import statistics_pb2

from crossnet.components.records.dataset import Column
from crossnet.components.statistics.columns import by_column, custom_number, dataset_proto
from crossnet.components.statistics.values import COUNT_ERROR, NUM_INFINITE, RANK_ERROR, UNIQUE, outward
from crossnet.components.validation.distances import points
from support.column_fixtures import numbers, statistics_of, texts

STANDARD, QUANTILES = statistics_pb2.Histogram.STANDARD, statistics_pb2.Histogram.QUANTILES


def buckets(histogram):
    return [(bucket.low_value, bucket.high_value, bucket.sample_count) for bucket in histogram.buckets]


def test_numbers_give_figures_one_can_check_on_paper():
    proto = statistics_of("FLOAT", numbers([0, 1, None, 2]), numbers([5, None]), num_histogram_buckets=2).proto()
    assert proto.path.step == ["c"]
    assert proto.type == statistics_pb2.FeatureNameStatistics.FLOAT
    common, num = proto.num_stats.common_stats, proto.num_stats
    assert (common.num_non_missing, common.num_missing, common.tot_num_values) == (4, 2, 4)
    assert (common.min_num_values, common.max_num_values, common.avg_num_values) == (1, 1, 1.0)
    assert (num.mean, num.min, num.max, num.median, num.num_zeros) == (2.0, 0.0, 5.0, 1.0, 1)
    assert num.std_dev == pytest.approx(math.sqrt((4 + 1 + 0 + 9) / 4))
    assert custom_number(proto, UNIQUE) == 4
    assert custom_number(proto, RANK_ERROR) == 0
    standard, quantiles = num.histograms
    assert (standard.type, buckets(standard)) == (STANDARD, [(0, 2.5, 3), (2.5, 5, 1)])
    assert (quantiles.type, buckets(quantiles)) == (QUANTILES, [(0, 1, 2), (1, 5, 2)])


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


def test_a_column_without_values_is_all_missing():
    for type_name, column in (("INT", numbers([None, None], np.int64)), ("BYTES", texts([None, None]))):
        proto = statistics_of(type_name, column).proto()
        common = (proto.string_stats if type_name == "BYTES" else proto.num_stats).common_stats
        assert (common.num_non_missing, common.num_missing, common.max_num_values) == (0, 2, 0)


def test_a_constant_column_has_one_bucket_of_no_width():
    proto = statistics_of("FLOAT", numbers([0.1] * 7)).proto()
    assert [bucket[2] for bucket in buckets(proto.num_stats.histograms[0])] == [7]
    assert proto.num_stats.std_dev == 0


def test_texts_give_figures_one_can_check_on_paper():
    column = texts([b"JFK", b"LGA", None, b"JFK", b"", "Zürich".encode()])
    proto = statistics_of("BYTES", column, num_top_values=2, max_vocabulary=3).proto()
    assert proto.type == statistics_pb2.FeatureNameStatistics.STRING
    stats = proto.string_stats
    assert (stats.common_stats.num_non_missing, stats.common_stats.num_missing, stats.unique) == (5, 1, 4)
    assert stats.avg_length == pytest.approx((3 + 3 + 3 + 0 + 7) / 5)
    assert [(top.value, top.frequency) for top in stats.top_values] == [("JFK", 2), ("", 1)]
    ranks = [(b.low_rank, b.high_rank, b.label, b.sample_count) for b in stats.rank_histogram.buckets]
    assert ranks == [(0, 0, "JFK", 2), (1, 1, "", 1), (2, 2, "LGA", 1)]
    assert custom_number(proto, COUNT_ERROR) == 0


def test_texts_that_are_not_utf8_are_counted_and_not_listed():
    stats = statistics_of("BYTES", texts([b"ok", b"\xff", b"\xc3", b"\xbc", b"\xff"])).proto().string_stats
    assert (stats.invalid_utf8_count, stats.unique) == (4, 4)
    assert [bucket.label for bucket in stats.rank_histogram.buckets] == ["ok"]


def test_several_values_per_row_are_counted_one_by_one():
    lengths = np.array([2, 0, 1, 3])
    column = Column(np.array([1, 2, 3, 4, 5, 6], np.int64), lengths > 0, lengths)
    common = statistics_of("INT", column, numbers([7, None], np.int64)).proto().num_stats.common_stats
    assert (common.num_non_missing, common.num_missing, common.tot_num_values) == (4, 2, 7)
    assert (common.min_num_values, common.max_num_values, common.avg_num_values) == (1, 3, 1.75)


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


number = st.one_of(st.none(), st.floats(width=32), st.sampled_from([0.0, -0.0, 1.0]))
text = st.one_of(st.none(), st.binary(max_size=4))


@settings(max_examples=100, deadline=None)
@given(a=st.lists(number, max_size=50), b=st.lists(number, max_size=50))
def test_merge_of_numbers_equals_whole(a, b):
    one, other = statistics_of("FLOAT", numbers(a)), statistics_of("FLOAT", numbers(b))
    one.merge(other)
    merged, whole = one.proto(), statistics_of("FLOAT", numbers(a + b)).proto()
    # Sums of floats depend on their order in the last digits; everything else is equal to the bit.
    for name in ("mean", "std_dev"):
        expected = getattr(whole.num_stats, name)
        scale = max(abs(whole.num_stats.min), abs(whole.num_stats.max))
        assert getattr(merged.num_stats, name) == pytest.approx(expected, rel=1e-9, abs=1e-7 * scale)
        setattr(merged.num_stats, name, expected)
    assert merged == whole


@settings(max_examples=100, deadline=None)
@given(a=st.lists(text, max_size=50), b=st.lists(text, max_size=50))
def test_merge_of_texts_equals_whole(a, b):
    one, other = statistics_of("BYTES", texts(a)), statistics_of("BYTES", texts(b))
    one.merge(other)
    assert one.proto() == statistics_of("BYTES", texts(a + b)).proto()


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
    sample = points(proto)
    assert len(sample.values) <= 1024
    assert sample.total == pytest.approx(len(values))


def test_dataset_proto_parses_back_by_column():
    columns = [statistics_of("FLOAT", numbers([1, 2]))]
    data = dataset_proto("train", 2, columns).SerializeToString()
    parsed = statistics_pb2.DatasetFeatureStatisticsList.FromString(data)
    assert (parsed.datasets[0].name, parsed.datasets[0].num_examples) == ("train", 2)
    assert by_column(parsed)["c"].num_stats.mean == 1.5
