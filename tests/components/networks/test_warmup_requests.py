from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from crossnet.components.features import Feature
from crossnet.components.networks.warmup_requests import MAX_SINGLE_ROWS, WARMUP_FILE, write_warmup_requests

FEATURES = (
    Feature("a", "FLOAT"),
    Feature("n", "INT"),
    Feature("hole", "INT", required=False),
    Feature("s", "BYTES", required=False),
)
COLUMNS = {
    "a": np.array([0.5] * 12, np.float32),
    "n": np.arange(12),
    "hole": np.array([np.nan, *range(11)], np.float32),
    "s": np.array([b"", *[b"x"] * 11], object),
}


def read(folder: Path) -> list[Any]:
    records = tf.data.TFRecordDataset(str(folder / WARMUP_FILE)).as_numpy_iterator()
    return [prediction_log_pb2.PredictionLog.FromString(record) for record in records]


def test_warmup_file_holds_every_kind_of_call(tmp_path: Path) -> None:
    write_warmup_requests(tmp_path, FEATURES, COLUMNS, model_name="rides")
    logs = read(tmp_path)
    predicts = [log.predict_log.request for log in logs if log.HasField("predict_log")]
    sizes = [
        r.inputs["a"].tensor_shape.dim[0].size for r in predicts if r.model_spec.signature_name == "serving_default"
    ]
    assert sizes == [1] * MAX_SINGLE_ROWS + [12]
    assert [r.model_spec.signature_name for r in predicts][-1] == "serving_examples"
    assert len(logs[-1].regress_log.request.input.example_list.examples) == 12
    names = {r.model_spec.name for r in predicts} | {logs[-1].regress_log.request.model_spec.name}
    assert names == {"rides"}


def test_warmup_tensors_use_the_field_of_their_type(tmp_path: Path) -> None:
    write_warmup_requests(tmp_path, FEATURES, COLUMNS, model_name="rides")
    inputs = read(tmp_path)[0].predict_log.request.inputs
    assert list(inputs["a"].float_val) == [0.5]
    assert list(inputs["n"].int64_val) == [0]
    assert np.isnan(inputs["hole"].float_val[0])
    assert list(inputs["s"].string_val) == [b""]
    assert not any(tensor.tensor_content for tensor in inputs.values())


def test_warmup_examples_leave_missing_values_out(tmp_path: Path) -> None:
    write_warmup_requests(tmp_path, FEATURES, COLUMNS, model_name="rides")
    log = read(tmp_path)[-2].predict_log.request
    first, second = (tf.train.Example.FromString(value) for value in log.inputs["examples"].string_val[:2])
    assert sorted(first.features.feature) == ["a", "n"]
    assert list(second.features.feature["hole"].int64_list.value) == [0]
    assert list(second.features.feature["s"].bytes_list.value) == [b"x"]


def test_warmup_file_is_made_of_one_row_too(tmp_path: Path) -> None:
    write_warmup_requests(tmp_path, FEATURES, {k: v[:1] for k, v in COLUMNS.items()}, model_name="rides")
    assert len(read(tmp_path)) == 4
