from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import statistics_pb2

from crossnet.components.records.dataset import Column
from crossnet.components.statistics.columns import by_column, custom_number, dataset_parts
from crossnet.components.statistics.values import COUNT_ERROR, RANK_ERROR, UNIQUE
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


def test_a_column_without_values_is_all_missing():
    for type_name, column in (("INT", numbers([None, None], np.int64)), ("BYTES", texts([None, None]))):
        proto = statistics_of(type_name, column).proto()
        common = (proto.string_stats if type_name == "BYTES" else proto.num_stats).common_stats
        assert (common.num_non_missing, common.num_missing, common.max_num_values) == (0, 2, 0)


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


def test_several_values_per_row_are_counted_one_by_one():
    lengths = np.array([2, 0, 1, 3])
    column = Column(np.array([1, 2, 3, 4, 5, 6], np.int64), lengths > 0, lengths)
    common = statistics_of("INT", column, numbers([7, None], np.int64)).proto().num_stats.common_stats
    assert (common.num_non_missing, common.num_missing, common.tot_num_values) == (4, 2, 7)
    assert (common.min_num_values, common.max_num_values, common.avg_num_values) == (1, 3, 1.75)


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


def test_dataset_parts_parse_back_by_column():
    columns = [statistics_of("FLOAT", numbers([1, 2])).serialized()]
    data = b"".join(dataset_parts("train", 2, columns))
    parsed = statistics_pb2.DatasetFeatureStatisticsList.FromString(data)
    assert parsed.SerializeToString(deterministic=True) == data
    assert (parsed.datasets[0].name, parsed.datasets[0].num_examples) == ("train", 2)
    assert by_column(parsed)["c"].num_stats.mean == 1.5
