from __future__ import annotations

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.records.dataset import Column
from crossnet.components.statistics import stored
from crossnet.components.statistics.columns import by_column, dataset_parts
from crossnet.components.statistics.stored import stored_columns, stored_of, summaries
from crossnet.components.statistics.values import DISTRIBUTION
from support.column_fixtures import numbers, statistics_of, texts

RANDOM = np.random.default_rng(0)
COLUMNS = {
    "many": statistics_of("FLOAT", Column(RANDOM.normal(3, size=5000).astype(np.float32), None), name="many"),
    "whole": statistics_of("INT", Column(RANDOM.integers(1, 9, 500), None), name="whole"),
    "with zeros": statistics_of("INT", numbers([0, 1, None, 1], np.int64), name="with zeros"),
    "empty": statistics_of("FLOAT", numbers([None, float("nan")]), name="empty"),
    "text": statistics_of("BYTES", texts([b'\n\x0cdistribution"', b"b", None]), name="text"),
    "é": statistics_of("FLOAT", numbers([1, 2]), name="é"),
}


def written(folder, data):
    path = folder / "Split-train" / "FeatureStats.pb"
    path.parent.mkdir()
    path.write_bytes(data)
    return Statistics(folder)


def test_what_is_read_is_what_the_message_holds(tmp_path):
    data = b"".join(dataset_parts("train", 5000, [column.serialized() for column in COLUMNS.values()]))
    statistics = written(tmp_path, data)
    found, whole = stored_columns(statistics, "train"), by_column(statistics.proto("train"))
    assert list(found) == list(whole) == list(COLUMNS)
    for name, summary in summaries(statistics, "train").items():
        assert summary.num_stats == whole[name].num_stats
        assert summary.string_stats == whole[name].string_stats
    for name, (summary, points) in found.items():
        expected = stored_of(whole[name])
        assert [part.tolist() for part in points[:2]] == [part.tolist() for part in expected.points[:2]]
        assert points.rank_error == expected.points.rank_error
        kept = [custom for custom in whole[name].custom_stats if custom.name != DISTRIBUTION]
        assert [custom for custom in summary.custom_stats if custom.name != DISTRIBUTION] == kept
        for each in (summary, whole[name]):
            del each.custom_stats[:]
        assert summary == whole[name]
    assert len(found["many"].points.values) == 1024
    assert found["with zeros"].points.weights.tolist() == [1, 2]


def test_points_of_a_table_as_ours_need_no_message(tmp_path, monkeypatch):
    statistics = written(tmp_path, b"".join(dataset_parts("train", 5000, [COLUMNS["many"].serialized()])))
    monkeypatch.setattr(stored, "stored_of", None)
    assert stored_columns(statistics, "train")["many"].points.total == pytest.approx(5000)


def test_fields_that_ours_does_not_write_are_read_past(tmp_path):
    column = COLUMNS["whole"].serialized()
    others = b"\xf9\x07" + bytes(8) + b"\xfd\x07" + bytes(4)  # fields 127, of 8 and of 4 bytes
    (found,) = stored_columns(
        written(tmp_path, b"".join(dataset_parts("train", 500, [column + others]))), "train"
    ).items()
    assert found[0] == "whole"
    assert found[1].points.total == 500


def test_a_serialized_column_is_what_protobuf_writes():
    for column in COLUMNS.values():
        parsed = statistics_pb2.FeatureNameStatistics.FromString(column.serialized())
        assert parsed == column.proto()
        assert parsed.SerializeToString(deterministic=True) == column.serialized()
