"""Predict and Regress on a loaded model: every way to answer a request, and the words of each refusal."""

from __future__ import annotations

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import regression_pb2

from crossnet.serving.embedded import predictor
from crossnet.serving.status import ServingError
from support.serving_fixtures import predict_request
from support.serving_models import save_graph, save_model, set_method_name

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


# ---- Regress ----


def regression(*rows, context=None):
    """A RegressionRequest with one example per dict of features."""
    request = regression_pb2.RegressionRequest()
    request.model_spec.signature_name = "regress"
    kind = request.input.example_list if context is None else request.input.example_list_with_context
    examples = [kind.examples.add() for _ in rows]
    if context is not None:
        rows, examples = (*rows, context), [*examples, kind.context]
    for row, example in zip(rows, examples, strict=True):
        for name, value in row.items():
            example.features.feature[name].float_list.value.append(value)
    return request


def test_regress_merges_the_context_into_each_example(path, load):
    request = regression({"x0": 1.0}, {"x0": 2.0, "x1": 0.5}, context={"x1": 4.0})
    name, values = predictor.regress(load(path), request)
    assert (name, values.tolist(), values.dtype) == ("regress", [7.0, 6.5], np.float32)


def test_regress_does_not_multiply_a_large_context_by_its_examples(path, load):
    request = regression(*[{}] * 20, context={"x1": 4.0})
    request.input.example_list_with_context.context.features.feature["more"].bytes_list.value.append(b"x" * 2**20)
    with pytest.raises(
        ServingError, match="^tensor parsing error: inputs: the inputs of a request may imply at most 16"
    ):
        predictor.regress(load(path), request)


def test_regress_refuses_with_the_contracts_words(path, load):
    model, request = load(path), regression({"x0": 1.0})
    request.model_spec.signature_name = "S"
    with pytest.raises(ServingError, match="^No signature was found with the name: S$"):
        predictor.regress(model, request)
    request.model_spec.signature_name = ""
    sentence = "^Expected regression signature method_name to be tensorflow/serving/regress. Was: tensorflow/serving/pr"
    with pytest.raises(ServingError, match=sentence):
        predictor.regress(model, request)
    with pytest.raises(ServingError, match=r"^Input is empty\.$"):
        predictor.regress(model, regression())


@pytest.mark.parametrize(
    ("build", "inputs", "code", "sentence"),
    [
        (lambda inputs, x: {"outputs": tf.zeros([2])}, "inputs x", CODE.INVALID_ARGUMENT, "Expected one input Tensor."),
        (
            lambda inputs: {"outputs": tf.zeros([2]), "z": tf.zeros([2])}, "inputs",
            CODE.INVALID_ARGUMENT, "Expected one output Tensor.",
        ),
        (
            lambda x: {"outputs": tf.zeros([2])}, "x",
            CODE.FAILED_PRECONDITION, "No regression inputs found in SignatureDef: inputs {",
        ),
        (
            lambda inputs: {"y": tf.zeros([2])}, "inputs",
            CODE.FAILED_PRECONDITION, "No regression outputs found in SignatureDef: inputs {",
        ),
        (
            lambda inputs: {"outputs": tf.zeros([2, 3])}, "inputs", CODE.INVALID_ARGUMENT,
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [2,3]",
        ),
        (
            lambda inputs: {"outputs": tf.zeros([])}, "inputs", CODE.INVALID_ARGUMENT,
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got []",
        ),
        (
            lambda inputs: {"outputs": tf.zeros([5])}, "inputs",
            CODE.INVALID_ARGUMENT, "Input batch size did not match output batch size: 2 vs. 5",
        ),
        (
            lambda inputs: {"outputs": tf.zeros([2], tf.float64)}, "inputs",
            CODE.INVALID_ARGUMENT, "Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE",
        ),
    ],
)  # fmt: skip
def test_regress_refuses_a_signature_that_is_not_a_regression(tmp_path, load, build, inputs, code, sentence):
    save_graph(tmp_path / "1", build, **{name: (tf.string, [None]) for name in inputs.split()})
    set_method_name(tmp_path / "1", "serving_default", predictor.REGRESS_METHOD)
    request = regression({"x0": 1.0}, {"x0": 2.0})
    request.model_spec.signature_name = ""
    with pytest.raises(ServingError) as error:
        predictor.regress(load(tmp_path / "1"), request)
    assert error.value.code == code
    assert str(error.value).startswith(sentence)


def test_regress_flattens_a_column_of_predictions(tmp_path, load):
    build = lambda inputs: {"outputs": tf.constant([[1.5], [2.5]])}  # noqa: E731
    save_graph(tmp_path / "1", build, inputs=(tf.string, [None]))
    set_method_name(tmp_path / "1", "serving_default", predictor.REGRESS_METHOD)
    request = regression({}, {})
    request.model_spec.signature_name = ""
    name, values = predictor.regress(load(tmp_path / "1"), request)
    assert (name, values.tolist()) == ("serving_default", [1.5, 2.5])
