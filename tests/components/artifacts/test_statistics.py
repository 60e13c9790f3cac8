from tensorflow_metadata.proto.v0 import statistics_pb2

from crossnet.components.artifacts.statistics import Statistics, statistics_file


def test_statistics_are_read_by_split(tmp_path):
    for split, rows in (("train", 90), ("eval", 10)):
        proto = statistics_pb2.DatasetFeatureStatisticsList()
        proto.datasets.add(name=split, num_examples=rows)
        statistics_file(tmp_path, split).parent.mkdir()
        statistics_file(tmp_path, split).write_bytes(proto.SerializeToString())
    statistics = Statistics(tmp_path)
    assert statistics_file(tmp_path, "eval") == tmp_path / "Split-eval" / "FeatureStats.pb"
    assert [statistics.proto(split).datasets[0].num_examples for split in ("train", "eval")] == [90, 10]
