"""A SavedModel on disk answers as the server does."""

from __future__ import annotations

import asyncio
import json
import shutil

import grpc
import numpy as np
import pytest

from crossnet.serving.client import PredictionClient
from crossnet.serving.client.aio import AsyncPredictionClient
from crossnet.serving.launcher import running_server
from crossnet.serving.offline import (
    OfflineModel,
    find_saved_model,
    known_rules,
    known_values,
    recorded_format,
    recorded_rules,
)
from crossnet.serving.protocol import messages
from crossnet.serving.protocol.column_rules import COLUMNS_FILE, ColumnRules
from crossnet.serving.protocol.csv_format import FORMAT_FILE, CsvFormat
from crossnet.serving.protocol.train_values import NOTHING, TRAIN_VALUES_FILE, TrainValues
from crossnet.serving.status import InvalidRequestError, NotFoundError, ServerError
from support.predict_rows import predict_file
from support.row_files import example, read, tfrecords


def test_offline_model_answers_as_a_server_would(model_folder):
    with OfflineModel(model_folder / "12", model_name="rides") as model:
        prediction = model.predict({"x0": [1, 2], "x1": [3.0, 4.0]})
        assert prediction.values.tolist() == [31.0, 42.0]
        assert (prediction.version, prediction.signature_name) == (12, "serving_default")
        assert sorted(model.metadata().signatures) == ["serving_default", "serving_examples"]
        with pytest.raises(InvalidRequestError, match="of model `rides` version 12. Missing: `x1`"):
            model.predict({"x0": [1.0]})
        with pytest.raises(InvalidRequestError, match="`rides` version 12 refuses the inputs: .*x0 is too large"):
            model.predict({"x0": [1000.0], "x1": [0.0]})


def test_an_input_with_a_default_may_be_left_out(model_folder, tmp_path):
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    shutil.copytree(model_folder / "12", tmp_path / "1")
    file = tmp_path / "1" / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    defaults = saved.meta_graphs[0].signature_def["serving_default"].defaults
    defaults["x1"].CopyFrom(tf.make_tensor_proto(np.float32([5])))
    file.write_bytes(saved.SerializeToString())
    with OfflineModel(tmp_path / "1") as model:
        assert model.predict({"x0": [1.0]}).values.tolist() == [51.0]
        assert model.predict([{"x0": 1.0, "x1": 2.0}]).values.tolist() == [21.0]


def test_rows_are_predicted_without_a_server(model_folder, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"x0": 1, "x1": 2}\n{"x0": 0.5, "x1": 0}\n')
    summary = predict_file(rows=tmp_path / "in.jsonl", output=tmp_path / "out.jsonl", offline=model_folder)
    assert (summary.rows, summary.versions) == (2, (12,))
    answers = [json.loads(line)["prediction"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert answers == [21.0, 0.5]


def test_examples_are_predicted_without_a_server(model_folder, tmp_path):
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(tmp_path / "in.tfrecord")) as writer:
        features = {
            name: tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
            for name, value in {"x0": 1.0, "x1": 2.0}.items()
        }
        writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    predict_file(rows=tmp_path / "in.tfrecord", output=tmp_path / "out.tfrecord", offline=model_folder)
    (record,) = tf.data.TFRecordDataset(str(tmp_path / "out.tfrecord")).as_numpy_iterator()
    assert tf.train.Example.FromString(record).features.feature["prediction"].float_list.value[:] == [21.0]


def test_newest_version_is_found_and_other_names_are_skipped(tmp_path):
    for name in ("9", "10", "11.rolled_back", "12"):
        (tmp_path / name).mkdir()
    for name in ("9", "10", "11.rolled_back"):
        (tmp_path / name / "saved_model.pb").touch()
    assert find_saved_model(tmp_path) == tmp_path / "10"


def test_model_artifact_is_found(tmp_path):
    (tmp_path / "Format-Serving").mkdir()
    (tmp_path / "Format-Serving/saved_model.pb").touch()
    assert find_saved_model(tmp_path) == tmp_path / "Format-Serving"


def test_folder_without_a_model_is_told(tmp_path):
    with pytest.raises(NotFoundError, match="No SavedModel is in .* Expected `saved_model.pb` there"):
        OfflineModel(tmp_path)


def test_damaged_model_is_told(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\xff\xff no model")
    with pytest.raises(ServerError, match="TensorFlow cannot load the model in"):
        OfflineModel(tmp_path)


def test_offline_and_float32_agree(model_folder):
    with OfflineModel(model_folder) as model:
        x = np.linspace(0, 1, 1001, dtype=np.float32)
        np.testing.assert_array_equal(model.predict({"x0": x, "x1": x}).values, x + np.float32(10) * x)


def test_server_and_offline_model_write_the_same_file(model_folder, tmp_path):
    lines = "".join(json.dumps({"x0": i / 7, "x1": i / 3}) + "\n" for i in range(1000))
    (tmp_path / "in.jsonl").write_text(lines)
    predict_file(rows=tmp_path / "in.jsonl", output=tmp_path / "offline.jsonl", offline=model_folder, batch_size=300)
    with running_server(model_folder, "crossnet", server="embedded", timeout_seconds=60) as server:
        summary = predict_file(
            rows=tmp_path / "in.jsonl", output=tmp_path / "served.jsonl", target=server.target, batch_size=300
        )
    assert summary.versions == (12,)
    assert (tmp_path / "served.jsonl").read_bytes() == (tmp_path / "offline.jsonl").read_bytes()


def test_both_clients_talk_to_the_embedded_server(model_folder):
    inputs = {"x0": [1, 2], "x1": [3.0, 4.0]}

    async def ask(target):
        async with AsyncPredictionClient(target) as client:
            await client.wait_ready(30)
            return await client.predict(inputs)

    with (
        running_server(model_folder, "crossnet", server="embedded", timeout_seconds=60) as server,
        PredictionClient(server.target, timeout_seconds=30, max_rows_per_call=300) as client,
    ):
        client.wait_ready(30)
        assert [(version.version, version.state) for version in client.status()] == [(12, "AVAILABLE")]
        prediction = client.predict(inputs)
        assert prediction.values.tolist() == [31.0, 42.0]
        assert (prediction.version, prediction.signature_name) == (12, "serving_default")
        assert asyncio.run(ask(server.target)).values.tolist() == [31.0, 42.0]
        many = np.linspace(0, 1, 1000, dtype=np.float32)
        np.testing.assert_array_equal(client.predict({"x0": many, "x1": many}).values, many + np.float32(10) * many)
        with pytest.raises(InvalidRequestError, match="has no signature `regress`. It has: `serving_default`"):
            client.predict(inputs, signature_name="regress")
        with pytest.raises(InvalidRequestError, match="refused the inputs for `crossnet`: .*x0 is too large") as caught:
            client.predict({"x0": [1000.0], "x1": [0.0]})
        assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
        with (
            PredictionClient(server.target, version=3) as pinned,
            pytest.raises(NotFoundError, match=r"does not serve `crossnet` version 3: .*Specific\(crossnet, 3\)"),
        ):
            pinned.predict(inputs)


def test_offline_finds_versions_as_the_server_does(tmp_path):
    for name in ("0007", "12", "99999999999999999999", "²"):
        (tmp_path / name).mkdir()
    (tmp_path / "0007" / "saved_model.pb").touch()
    (tmp_path / "99999999999999999999" / "saved_model.pb").touch()  # beyond int64
    (tmp_path / "²" / "saved_model.pb").touch()  # no number to TensorFlow Serving
    assert find_saved_model(tmp_path).name == "0007"


def test_a_folder_records_the_format_of_the_csv_that_its_model_was_trained_on(tmp_path):
    record = tmp_path / "7" / FORMAT_FILE
    record.parent.mkdir(parents=True)
    (tmp_path / "7" / "saved_model.pb").write_bytes(b"")
    assert recorded_format(tmp_path) == CsvFormat()
    record.write_text(CsvFormat(delimiter=";", names=("a",)).to_json())
    assert recorded_format(tmp_path) == recorded_format(tmp_path / "7") == CsvFormat(delimiter=";", names=("a",))
    record.write_text('{"delimiter": 1')
    with pytest.raises(
        ServerError, match=r"csv_format.json` cannot be read: .* Restore the model's folder, or push it"
    ):
        recorded_format(tmp_path)


def test_values_of_training_are_known_by_the_model_s_folder_or_by_the_one_of_the_version_that_answers(tmp_path):
    record, values = tmp_path / "7" / TRAIN_VALUES_FILE, TrainValues({"x": (0.0, 1.0)})
    record.parent.mkdir(parents=True)
    (tmp_path / "7" / "saved_model.pb").write_bytes(b"")
    assert known_values(tmp_path, None, 0) == known_values(None, tmp_path, 7) == (NOTHING, None)
    record.write_text(values.to_json())
    assert known_values(tmp_path, None, 0) == known_values(None, tmp_path, 7) == (values, tmp_path / "7")
    assert known_values(None, tmp_path, 8) == known_values(None, tmp_path, 0) == (NOTHING, None)
    record.write_text("{")
    assert known_values(None, tmp_path, 7) == (NOTHING, None)
    with pytest.raises(ServerError, match=r"train_values.json` cannot be read: .* Restore the model's folder"):
        known_values(tmp_path, None, 0)


def test_renamed_columns_are_predicted_as_the_model_s_folder_records_them(model_folder, tmp_path):
    shutil.copytree(model_folder / "12", tmp_path / "1")
    record = tmp_path / "1" / COLUMNS_FILE
    record.parent.mkdir(exist_ok=True)
    record.write_text(ColumnRules({"Trip Miles": "x0"}).to_json())
    assert recorded_rules(tmp_path) == ColumnRules({"Trip Miles": "x0"})
    assert known_rules(tmp_path, None, 0) == recorded_rules(tmp_path)
    assert known_rules(None, tmp_path.parent, 0) == known_rules(None, tmp_path / "none", 7) == ColumnRules()
    (tmp_path / "in.csv").write_text("Trip Miles,x1\n1,2\n")
    (tmp_path / "in.tfrecord").write_bytes(tfrecords(example(**{"Trip Miles": 1, "x1": 2})))
    predict_file(tmp_path / "in.csv", tmp_path / "out.csv", offline=tmp_path / "1")
    assert (tmp_path / "out.csv").read_text() == "Trip Miles,x1,prediction\n1,2,21.0\n"
    predict_file(tmp_path / "in.tfrecord", tmp_path / "out.tfrecord", offline=tmp_path / "1")
    (row,) = read((tmp_path / "out.tfrecord").read_bytes(), "tfrecord")
    features = messages.Example.FromString(row.values).features.feature
    assert {name: features[name].float_list.value[0] for name in features} == {
        "Trip Miles": 1,
        "x1": 2,
        "prediction": 21,
    }
    record.write_text("[]")
    with pytest.raises(ServerError, match=r"columns.json` cannot be read: .* Restore the model's folder"):
        recorded_rules(tmp_path)
