from tensorflow_metadata.proto.v0 import anomalies_pb2

from crossnet.components.artifacts.anomalies import ANOMALIES_FILE, Anomalies, schema_diff_file
from crossnet.components.artifacts.base import Outcome
from crossnet.components.files import write_json


def test_anomalies_are_read_in_tfx_form_and_in_ours(tmp_path):
    proto = anomalies_pb2.Anomalies()
    proto.anomaly_info["fare"].description = "is missing"
    schema_diff_file(tmp_path, "eval").parent.mkdir()
    schema_diff_file(tmp_path, "eval").write_bytes(proto.SerializeToString())
    write_json(tmp_path / ANOMALIES_FILE, {"anomalies": [{"column": "fare"}]})
    anomalies = Anomalies(tmp_path)
    assert schema_diff_file(tmp_path, "eval") == tmp_path / "Split-eval" / "SchemaDiff.pb"
    assert anomalies.proto("eval").anomaly_info["fare"].description == "is missing"
    assert anomalies.anomalies == [{"column": "fare"}]


def test_errors_stop_the_run_even_where_it_is_forced(tmp_path):
    anomalies = Anomalies(tmp_path, {"errors": 1, "warnings": 2}, {"summary": "`fare` is missing."})
    assert anomalies.has_errors
    assert not anomalies.passes(force=True)
    assert anomalies.outcome() == Outcome(error="`fare` is missing.", exit_code=1)


def test_warnings_are_shown_and_stop_nothing(tmp_path):
    anomalies = Anomalies(tmp_path, {"errors": 0, "warnings": 1}, {"summary": "`fare` is skewed."})
    assert anomalies.passes()
    assert anomalies.outcome() == Outcome(warnings=("`fare` is skewed.",))
    assert Anomalies(tmp_path, {"errors": 0, "warnings": 0}, {"summary": ""}).outcome() == Outcome()
