from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from crossnet.components.statistics.ranks import encoded_ranks


@pytest.mark.parametrize(
    "labels",
    [
        [],
        [""],
        ["x"],
        ["b", "", "é" * 70, "a" * 200, "a" * 20_000, "z" * 16_384],
        [str(number) for number in range(-3, 20_000)],
    ],
)
@pytest.mark.parametrize("kind", [pa.large_string(), pa.binary()])
def test_the_histogram_is_the_one_of_messages(kind: pa.DataType, labels: list[str]) -> None:
    counts = np.arange(len(labels), 0, -1)
    expected, found = statistics_pb2.RankHistogram(), statistics_pb2.RankHistogram()
    for rank, (label, count) in enumerate(zip(labels, counts.tolist(), strict=True)):
        expected.buckets.add(low_rank=rank, high_rank=rank, label=label, sample_count=count)
    array = pa.array(["before", *labels, "behind"], kind).slice(1, len(labels))
    found.MergeFromString(encoded_ranks(array, counts))
    assert found.SerializeToString(deterministic=True) == expected.SerializeToString(deterministic=True)
