"""Predict on a loaded model: every way to answer a request, and the words of each refusal."""

from __future__ import annotations

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from crossnet.serving.embedded import predictor
from crossnet.serving.status import ServingError
from support.serving_fixtures import predict_request
from support.serving_models import save_graph, save_model

CODE = grpc.StatusCode
ROW = predict_request(x0=[1.0, 2.0], x1=[0.5, 0.5])


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("model") / "1", scale=3.0)


def template_of(request):
    return predictor.request_templates().template_of(request.SerializeToString(), request)


def predict(model, request):
    """Answers a request in each way, which must agree: parsed, with a new template, and with a checked one."""

    def outcome(answer, *arguments):
        try:
            name, outputs = answer(*arguments)
        except Exception as error:
            return error, str(error)
        return None, (name, {alias: (values.dtype, values.tolist()) for alias, values in outputs.items()})

    message, template = request.SerializeToString(), template_of(request)
    error, expected = outcome(predictor.predict, model, request)
    for _ in range(2 if template else 0):
        assert outcome(predictor.predict_from_template, model, template, message)[1] == expected
    if error:
        raise error
    return predictor.predict(model, request)


# ---- Predict ----


def test_predict_names_the_resolved_signature(path, load):
    name, outputs = predict(load(path), ROW)
    assert name == "serving_default"
    assert outputs["prediction"].tolist() == [3.5, 6.5]


@pytest.mark.parametrize(
    ("dtype", "word"),
    [(np.float64, "double"), (np.float16, "half"), (np.int64, "int64"), (np.bool_, "bool"), (np.object_, "string")],
)
def test_predict_never_casts(path, load, dtype, word):
    values = np.array([b"1", b"2"], object) if dtype is np.object_ else np.array([1, 2], dtype)
    with pytest.raises(ServingError, match=f"^Type mismatch: actual {word} vs. expect float$") as error:
        predict(load(path), predict_request(x0=values, x1=[0.5, 0.5]))
    assert error.value.code == CODE.INVALID_ARGUMENT


def test_predict_takes_defaults_of_the_signature_for_inputs_left_out(tmp_path, load):
    save_graph(tmp_path / "1", lambda x, bias: {"y": x + bias}, x=(tf.float32, None), bias=(tf.float32, None))
    file = tmp_path / "1" / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    defaults = saved.meta_graphs[0].signature_def["serving_default"].defaults
    defaults["bias"].CopyFrom(tf.make_tensor_proto(np.float32(10)))
    file.write_bytes(saved.SerializeToString())
    model = load(tmp_path / "1")
    assert predict(model, predict_request(x=[1.0, 2.0]))[1]["y"].tolist() == [11.0, 12.0]
    assert predict(model, predict_request(x=[1.0, 2.0], bias=[5.0, 6.0]))[1]["y"].tolist() == [6.0, 8.0]
    with pytest.raises(
        ServingError, match="Inputs contains invalid name. Used request inputs: x, request input: bais,x"
    ):
        predict(model, predict_request(x=[1.0], bais=[5.0]))
    with pytest.raises(ServingError, match=r"not found in request .* \{bias\}, or default input alias set: bias$"):
        predict(model, predict_request(bias=[5.0]))
    with pytest.raises(ServingError, match=r"input size does not match signature: 3!=2 .* Sent extra: \{z\}"):
        predict(model, predict_request(x=[1.0], bias=[5.0], z=[1.0]))


def test_predict_computes_the_filtered_outputs_in_the_order_of_their_names(tmp_path, load):
    model = load(save_graph(tmp_path / "1", lambda x: {"y": x * 2.0, "z": x * 3.0}, x=(tf.float32, None)))
    request = predict_request(x=[1.0])
    for order in (["y"], ["z", "y"], ["y", "z"], []):
        request.output_filter[:] = order
        outputs = predict(model, request)[1]
        assert list(outputs) == (sorted(order) or ["y", "z"])
        assert [outputs[name].tolist() for name in outputs] == [{"y": [2.0], "z": [3.0]}[name] for name in outputs]
    assert len(model._callables) == 2


def test_predict_counts_the_inputs_before_it_looks_at_them(path, load):
    words = (
        "input size does not match signature: 1!=2 len({x0}) != len({x0,x1}). Sent extra: {}. "
        "Missing but required: {x1}."
    )
    with pytest.raises(ServingError) as error:
        predict(load(path), predict_request(x0=[1.0]))
    assert (error.value.code, str(error.value)) == (CODE.INVALID_ARGUMENT, words)


def test_each_model_checks_a_template_for_itself_and_forgets_it_when_it_closes(path, tmp_path, load):
    message, template = ROW.SerializeToString(), template_of(ROW)
    old, new = load(path), load(save_model(tmp_path / "2", scale=10.0))
    for model, expected in ((old, [3.5, 6.5]), (new, [10.5, 20.5]), (old, [3.5, 6.5])):
        assert predictor.predict_from_template(model, template, message)[1]["prediction"].tolist() == expected
        assert list(model.checked_requests) == [template]
    new.close()
    assert not new.checked_requests


def test_a_checked_template_is_not_checked_again(path, load, monkeypatch):
    model, message, template = load(path), ROW.SerializeToString(), template_of(ROW)
    predictor.predict_from_template(model, template, message)
    monkeypatch.setattr(predictor, "_checked", None)
    assert predictor.predict_from_template(model, template, message)[1]["prediction"].tolist() == [3.5, 6.5]


def test_checked_templates_have_a_bound(path, load, monkeypatch):
    monkeypatch.setattr(predictor, "_MAX_CHECKED", 2)
    model, kept = load(path), []
    for _ in range(5):
        answer = predictor.predict_from_template(model, template_of(ROW), ROW.SerializeToString())
        assert answer[1]["prediction"].tolist() == [3.5, 6.5]
        kept.append(len(model.checked_requests))
    assert kept == [1, 2, 1, 2, 1]


def test_inputs_of_a_template_come_in_the_graphs_order(tmp_path, load):
    build = lambda b, a: {"y": a - b}  # noqa: E731
    model = load(save_graph(tmp_path / "1", build, b=(tf.float32, None), a=(tf.float32, None)))
    for order in ("ab", "ba"):
        request = predict_request(**{name: np.float32([1, {"a": 5, "b": 2}[name]]) for name in order})
        assert template_of(request)
        assert predict(model, request)[1]["y"].tolist() == [0.0, 3.0]


def test_the_header_of_a_template_keeps_no_values():
    header = template_of(predict_request(version=3, x0=[1.0, 2.0], x1=[0.5, 0.5])).header
    assert header.target == ("demo", 3, "")
    assert header.request.inputs.keys() == {"x0", "x1"}
    assert all(not tensor.tensor_content for tensor in header.request.inputs.values())
