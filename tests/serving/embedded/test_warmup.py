"""Warm-up files: each record is answered before a client's request, and a wrong one fails the load."""

from __future__ import annotations

import pytest
from tensorflow_serving.apis import prediction_log_pb2

from crossnet.serving.embedded.model import LoadedModel
from crossnet.serving.embedded.warmup import warm_up
from crossnet.serving.status import ServingError
from support.serving_fixtures import predict_request
from support.serving_models import save_model, write_warmup

ROW = predict_request(x0=[1.0, 2.0], x1=[0.5, 0.5])


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("model") / "1", scale=3.0)


def _log(request=ROW):
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(request)
    return log


def test_warm_up_answers_each_record(tmp_path, load, monkeypatch):
    other_name = predict_request("another_name", x0=[1.0], x1=[1.0])  # the name in a record is not checked
    path = save_model(tmp_path / "1", warmup=[_log(), _log(other_name)])
    regression = prediction_log_pb2.PredictionLog()
    regression.regress_log.request.model_spec.signature_name = "regress"
    for name in ("x0", "x1"):
        example = regression.regress_log.request.input.example_list.examples
        (example.add() if not example else example[0]).features.feature[name].float_list.value.append(1.0)
    several = prediction_log_pb2.PredictionLog()
    task = several.multi_inference_log.request.tasks.add(method_name="tensorflow/serving/regress")
    task.model_spec.name, task.model_spec.signature_name = "any", "regress"
    several.multi_inference_log.request.input.CopyFrom(regression.regress_log.request.input)
    write_warmup(path, [_log(), _log(other_name), regression, several])
    ran = []
    original = LoadedModel.run
    monkeypatch.setattr(LoadedModel, "run", lambda self, *rest: ran.append(rest[0].name) or original(self, *rest))
    assert warm_up(load(path), iterations=2) == 4
    assert ran == ["serving_default"] * 4 + ["regress"] * 4


def test_warm_up_without_a_file_does_nothing(path, load):
    assert warm_up(load(path)) == 0


def _damaged(path):
    file = path / "assets.extra" / "tf_serving_warmup_requests"
    file.write_bytes(file.read_bytes()[:-2])


@pytest.mark.parametrize(
    ("logs", "damage", "sentence"),
    [
        (
            [_log(), _log(predict_request(x0=[1.0]))],
            None,
            "Warm-up record 1 of .*: input size does not match signature: 1!=2",
        ),
        ([_log()], _damaged, "Warm-up record 0 of .*: .*truncated record"),
        ([prediction_log_pb2.PredictionLog()], None, "Unsupported log_type for warmup: None"),
        ([_log()] * 1001, None, r"Number of warmup records exceeds the maximum \(1000\)"),
    ],
)
def test_warm_up_fails_the_load(tmp_path, load, logs, damage, sentence):
    path = save_model(tmp_path / "1", warmup=logs)
    if damage:
        damage(path)
    with pytest.raises(ServingError, match=sentence):
        warm_up(load(path))
