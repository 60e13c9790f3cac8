"""Predict over gRPC, asked with the official stubs: each row of the contract."""

from __future__ import annotations

import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from support.serving_fixtures import contract_server, failure, predict_request, stubs_on

CODE = grpc.StatusCode


@pytest.fixture(scope="module")
def stubs(tmp_path_factory):
    with contract_server(tmp_path_factory.mktemp("models")) as server, stubs_on(f"127.0.0.1:{server.port}") as stubs:
        yield stubs


LONG = "x" * 1_000_000


@pytest.mark.parametrize("rows", [1, 2, 1000])
def test_predict_answers_in_float_val_for_every_batch_size(stubs, rows):
    x0 = np.arange(rows, dtype=np.float32)
    response = stubs.predict(predict_request(version=1, x0=x0, x1=np.ones(rows, np.float32)))
    tensor = response.outputs["prediction"]
    assert list(tensor.float_val) == [value + 1.0 for value in x0]
    assert tensor.tensor_content == b""
    assert [dim.size for dim in tensor.tensor_shape.dim] == [rows]


def test_predict_names_the_version_and_the_resolved_signature(stubs):
    spec = stubs.predict(predict_request(x0=[1.0], x1=[2.0])).model_spec
    assert (spec.name, spec.version.value, spec.signature_name, spec.version_label) == (
        "demo",
        7,
        "serving_default",
        "",
    )
    request = predict_request(x0=[1.0], x1=[2.0])
    request.model_spec.version_label = "stable"
    spec = stubs.predict(request).model_spec
    assert (spec.version.value, spec.WhichOneof("version_choice")) == (1, "version")


def test_predict_takes_serialized_examples(stubs):
    examples = [
        tf.train.Example(
            features=tf.train.Features(
                feature={
                    name: tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
                    for name, value in (("x0", float(i)), ("x1", 0.5))
                }
            )
        ).SerializeToString()
        for i in range(3)
    ]
    response = stubs.predict(
        predict_request(signature="serving_examples", version=1, examples=np.array(examples, object))
    )
    assert list(response.outputs["prediction"].float_val) == [0.5, 1.5, 2.5]


def test_predict_keeps_every_type_exactly(stubs):
    given = {
        "f": np.array([1.5, np.nan], np.float32),
        "d": np.array([[1e300], [-0.0]]),
        "i": np.array([-1, 2**31 - 1], np.int32),
        "l": np.array([-(2**63), 5]),
        "b": np.array([True, False]),
        "s": np.array([b"\xff", b""], object),
        "h": np.array([1.5, -2.0], np.float16),
        "u": np.array([0, 255], np.uint8),
        "c": np.array([1 + 2j, -1j], np.complex64),
        "w": np.array([1.5, -2.0], tf.bfloat16.as_numpy_dtype),
    }
    response = stubs.predict(predict_request("types", **given))
    for name, array in given.items():
        tensor = response.outputs[f"{name}_out"]
        answered = tf.make_ndarray(tensor)
        assert answered.dtype == array.dtype
        np.testing.assert_array_equal(answered, array)
        assert tensor.tensor_content == b""


def test_predict_answers_scalars_with_an_empty_shape(stubs):
    given = {
        name: np.array(1, kind) for name, kind in (("f", "f4"), ("d", "f8"), ("i", "i4"), ("l", "i8"), ("b", bool))
    }
    given |= {"s": np.array(b"a", object), "h": np.array(1, "f2"), "u": np.array(1, "u1"), "c": np.array(1, "c8")}
    response = stubs.predict(predict_request("types", w=np.array(1, tf.bfloat16.as_numpy_dtype), **given))
    assert response.outputs["s_out"].string_val[0] == b"a"
    assert response.outputs["f_out"].float_val[0] == 1.0
    assert all(t.HasField("tensor_shape") and not t.tensor_shape.dim for t in response.outputs.values())


def test_predict_repeats_the_last_value_fills_with_zeros_and_drops_the_excess(stubs):
    request = predict_request(version=1)
    for name, values in (("x0", [1.0, 2.0]), ("x1", [])):
        request.inputs[name].dtype = 1
        request.inputs[name].tensor_shape.dim.add(size=4)
        request.inputs[name].float_val.extend(values)
    assert list(stubs.predict(request).outputs["prediction"].float_val) == [1.0, 2.0, 2.0, 2.0]
    request.inputs["x0"].float_val.extend([3.0, 4.0, 5.0])
    assert list(stubs.predict(request).outputs["prediction"].float_val) == [1.0, 2.0, 3.0, 4.0]


def test_predict_answers_an_empty_batch(stubs):
    tensor = stubs.predict(predict_request("matrix", x=np.zeros((0, 3), np.float32))).outputs["y"]
    assert [dim.size for dim in tensor.tensor_shape.dim] == [0, 1]


def _without_spec(request):
    request.ClearField("model_spec")


def _set(**fields):
    def change(request):
        for name, value in fields.items():
            if name == "version":
                request.model_spec.version.value = value
            elif name == "output_filter":
                request.output_filter.extend(value)
            else:
                setattr(request.model_spec, name, value)

    return change


def _drop(name):
    return lambda request: request.inputs.pop(name)


def _rename(old, new):
    def change(request):
        request.inputs[new].CopyFrom(request.inputs.pop(old))

    return change


def _tensor(**fields):
    def change(request):
        tensor = request.inputs["x0"]
        for name, value in fields.items():
            if name == "shape":
                del tensor.tensor_shape.dim[:]
                for size in value:
                    tensor.tensor_shape.dim.add(size=size)
            elif name == "double":
                tensor.CopyFrom(tf.make_tensor_proto(np.array(value)))
            else:
                setattr(tensor, name, value)

    return change


def _add(count, name=""):
    """Changes a request so that it has further inputs."""

    def change(request):
        for number in range(count):
            request.inputs[f"{name}{number}"].dtype = 1

    return change


IMPLIED = (
    "tensor parsing error: x0: the inputs of a request may imply at most 16 MiB of values that it does not hold. Send "
    "each value, or fewer rows."
)


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (_without_spec, CODE.INVALID_ARGUMENT, "Missing ModelSpec"),
        (_set(name=""), CODE.INVALID_ARGUMENT, "ModelSpec has no name specified."),
        (_set(name="nope"), CODE.NOT_FOUND, "Servable not found for request: Latest(nope)"),
        (_set(version=3), CODE.NOT_FOUND, "Servable not found for request: Specific(demo, 3)"),
        (_set(version=0), CODE.NOT_FOUND, "Servable not found for request: Specific(demo, 0)"),
        (_set(version_label="beta"), CODE.INVALID_ARGUMENT, "Unrecognized servable version label: beta"),
        (_set(name="nope", version_label="L"), CODE.INVALID_ARGUMENT, "Unrecognized servable version label: L"),
        (_set(signature_name="S"), CODE.FAILED_PRECONDITION, 'Serving signature key "S" not found.'),
        (
            _drop("x1"),
            CODE.INVALID_ARGUMENT,
            "input size does not match signature: 1!=2 len({x0}) != len({x0,x1}). Sent extra: {}. "
            "Missing but required: {x1}.",
        ),
        (
            _rename("x1", "x9"),
            CODE.INVALID_ARGUMENT,
            "Signature input alias: x1(feed name: serving_default_x1:0) not found in request and no default value "
            "provided. Inputs expected to be in the request {x0,x9}, or default input alias set: ",
        ),
        (_tensor(tensor_content=b"\0\0\0"), CODE.INVALID_ARGUMENT, "tensor parsing error: x0"),
        (_tensor(shape=[-1]), CODE.INVALID_ARGUMENT, "tensor parsing error: x0"),
        (_tensor(shape=[2**60]), CODE.INVALID_ARGUMENT, IMPLIED),
        (_tensor(shape=[2**40, 2**40]), CODE.INVALID_ARGUMENT, "tensor parsing error: x0"),
        (_tensor(shape=[1] * 300), CODE.INVALID_ARGUMENT, "tensor parsing error: x0"),
        (_tensor(dtype=0), CODE.INVALID_ARGUMENT, "tensor parsing error: x0"),
        (_tensor(dtype=9999), CODE.INVALID_ARGUMENT, "tensor parsing error: x0"),
        (_tensor(double=[1.0]), CODE.INVALID_ARGUMENT, "Type mismatch: actual double vs. expect float"),
        (
            _set(output_filter=["Z"]),
            CODE.INVALID_ARGUMENT,
            "output tensor alias not found in signature: Z Outputs expected to be in the set {prediction}.",
        ),
        (
            _set(output_filter=["prediction", "prediction"]),
            CODE.INVALID_ARGUMENT,
            "duplicate output tensor alias: prediction",
        ),
    ],
)
def test_predict_refuses_with_the_contracts_code_and_words(stubs, change, code, message):
    request = predict_request(x0=[1.0], x1=[2.0])
    change(request)
    assert failure(stubs.predict, request) == (code, message)


def test_predict_leaves_shapes_to_the_graph(stubs):
    assert list(stubs.predict(predict_request(version=1, x0=[1.0, 2.0], x1=[5.0])).outputs["prediction"].float_val) == [
        6,
        7,
    ]
    code, message = failure(stubs.predict, predict_request("matrix", x=np.ones((2, 2), np.float32)))
    assert code == CODE.INVALID_ARGUMENT
    assert "Matrix size-incompatible: In[0]: [2,2], In[1]: [3,1]" in message


@pytest.mark.parametrize(
    "change",
    [
        _set(name=LONG), _set(version_label=LONG), _set(signature_name=LONG), _set(output_filter=[LONG]),
        _rename("x1", LONG), _add(3000), _add(1, LONG),
    ],
)  # fmt: skip
def test_no_message_grows_with_the_request(stubs, change):
    request = predict_request(x0=[1.0], x1=[2.0])
    change(request)
    _, message = failure(stubs.predict, request)
    assert "..." in message
    assert len(message) <= 1000
    assert "TRUNCATED" not in message


def test_a_request_of_a_few_bytes_does_not_compute_on_gigabytes(stubs):
    request = predict_request(x0=[1.0], x1=[1.0])
    for alias in ("x0", "x1"):
        request.inputs[alias].CopyFrom(
            tensor_pb2.TensorProto(dtype=1, float_val=[1.0], tensor_shape={"dim": [{"size": 2**21 + 2}]})
        )
    assert request.ByteSize() < 100
    assert failure(stubs.predict, request)[1] == IMPLIED.replace("x0", "x1")


@pytest.mark.parametrize("example", [b"garbage", b"\xff\xfe\x00garbage", b"\xff" * 10_000])
def test_a_garbage_example_is_an_invalid_argument_in_a_few_words(stubs, example, caplog):
    request = predict_request(signature="serving_examples", examples=np.array([example], object))
    code, message = failure(stubs.predict, request)
    assert code == CODE.INVALID_ARGUMENT
    assert message.startswith("Could not parse example input, value: '")
    assert len(message) < 300
    assert caplog.text == ""


def test_predict_ends_at_the_deadline_and_does_not_run_after_it(stubs, monkeypatch):
    from crossnet.serving.embedded import predictor
    from crossnet.serving.embedded.manager import ModelManager

    ran, original = [], ModelManager.use
    released = threading.Event()

    def late(self, *spec):
        assert released.wait(20)
        return original(self, *spec)

    monkeypatch.setattr(ModelManager, "use", late)
    monkeypatch.setattr(predictor, "predict", lambda *_: ran.append(1))
    request = predict_request(x0=[1.0], x1=[2.0])
    assert failure(stubs.predict, request, timeout=0.2) == (CODE.DEADLINE_EXCEEDED, "Deadline Exceeded")
    released.set()
    assert ran == []


def test_server_survives_a_truncated_message(stubs):
    raw = stubs.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    whole = predict_request(x0=[1.0], x1=[2.0]).SerializeToString()
    for damaged in (whole[:-3], b"\xff" * 40):
        code, message = failure(raw, damaged, timeout=20)
        assert (code, message) == (
            CODE.INTERNAL, "The request does not parse: it is truncated or has another message type."
        )  # fmt: skip
    assert stubs.predict(predict_request(x0=[1.0], x1=[2.0])).outputs["prediction"].float_val[0] == 12.0


def test_server_shows_no_traceback_when_it_has_a_bug(stubs, monkeypatch, caplog):
    monkeypatch.setattr("crossnet.serving.embedded.predictor.predict", lambda *_: 1 / 0)
    monkeypatch.setattr("crossnet.serving.embedded.predictor.predict_from_template", lambda *_: 1 / 0)
    code, message = failure(stubs.predict, predict_request(x0=[1.0], x1=[2.0]))
    assert (code, message) == (CODE.INTERNAL, "ZeroDivisionError in the server; its log has the details.")
    assert "Traceback" in caplog.text
