from __future__ import annotations

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from crossnet.components.statistics.buckets import bucket_values, decoded_buckets, encoded_buckets, evenly_spaced


@pytest.mark.parametrize("values", [[1.5, 2.5, -3.0], [0.0, 1.0], [], [-0.0]])
def test_the_points_of_a_distribution_are_read_as_written(values):
    histogram = statistics_pb2.Histogram()
    for number, value in enumerate(values, 1):
        histogram.buckets.add(low_value=value, high_value=value, sample_count=number)
    low, counts = bucket_values(histogram)
    assert (low.tolist(), counts.tolist()) == (values, list(range(1, len(values) + 1)))
    histogram.buckets.add(low_value=7.0, sample_count=2)  # as another tool may write it
    histogram.num_nan = 3
    assert [part.tolist()[-1] for part in bucket_values(histogram)] == [7.0, 2.0]


@pytest.mark.parametrize("low", [[1.5, 2.5, -3.0], [0.0, 1.0], []])
@pytest.mark.parametrize("count", [2.5, 0.0])
def test_buckets_are_written_as_messages_are(low, count):
    histogram = statistics_pb2.Histogram()
    for value in low:
        histogram.buckets.add(low_value=value, high_value=value + 1, sample_count=count)
    found = encoded_buckets(np.array(low), np.array(low) + 1, np.full(len(low), count))
    assert found == histogram.SerializeToString(deterministic=True)
    assert (decoded_buckets(found) is None) == (len(low) > 0 and not (all(low) and count))


@pytest.mark.parametrize(
    ("low", "high"), [(-1.25, 3.7), (-3.4e38, 3.4e38), (0.0, 5e-324), (1.0, 1.0 + 2.0**-52), (-(2.0**63), 2.0**63)]
)
@pytest.mark.parametrize("number", [1, 3, 10])
def test_ends_of_equal_width_are_those_of_numpy(low, high, number):
    assert evenly_spaced(low, high, number).tolist() == np.linspace(low, high, number + 1).tolist()
