"""Opens a run's statistics, schema and anomalies with TensorFlow Data Validation, where it is installed."""

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from crossnet.pipeline.config import make_config
from crossnet.pipeline.runner import run_pipeline

tfdv = pytest.importorskip("tensorflow_data_validation", reason="it needs glibc 2.38 and an environment of its own")


def test_tfdv_reads_statistics_schema_and_anomalies_and_finds_no_other(tmp_path):
    result = run_pipeline(make_config({"example_gen": {"num_examples": 500}}), tmp_path, until="example_validator")
    run = tmp_path / "runs" / result.run
    schema = tfdv.load_schema_text(str(run / "schema_gen" / "schema.pbtxt"))
    for split in ("train", "eval"):
        content = (run / "statistics_gen" / f"Split-{split}" / "FeatureStats.pb").read_bytes()
        statistics = statistics_pb2.DatasetFeatureStatisticsList.FromString(content)
        assert not tfdv.validate_statistics(statistics, schema).anomaly_info
        found = (run / "example_validator" / f"Split-{split}" / "SchemaDiff.pb").read_bytes()
        assert not anomalies_pb2.Anomalies.FromString(found).anomaly_info
