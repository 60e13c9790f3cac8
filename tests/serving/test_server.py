"""The contract over gRPC: each row of it, asked with the official stubs."""

from __future__ import annotations

import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    regression_pb2,
)

from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.embedded.health import HealthCheckRequest, HealthCheckResponse
from crossnet.serving.server import Server
from support.serving_fixtures import failure, predict_request, stubs_on, versions_of
from support.serving_models import save_demo, save_graph

CODE = grpc.StatusCode


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_demo(tmp_path_factory.mktemp("models") / "demo")


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    """Models of TensorFlow 1: one of every type, a matrix, one with a default and a slow one."""
    folder = tmp_path_factory.mktemp("graphs")
    types = {"f": tf.float32, "d": tf.float64, "i": tf.int32, "l": tf.int64, "b": tf.bool, "s": tf.string, "h": tf.half,
             "u": tf.uint8, "c": tf.complex64, "w": tf.bfloat16}  # fmt: skip
    save_graph(
        folder / "types" / "1",
        lambda **given: {f"{name}_out": tf.identity(tensor) for name, tensor in given.items()},
        **{name: (kind, None) for name, kind in types.items()},
    )
    save_graph(
        folder / "matrix" / "1", lambda x: {"y": tf.matmul(x, tf.ones([3, 1])), "z": x * 2.0}, x=(tf.float32, None)
    )
    return folder


@pytest.fixture(scope="module")
def server(base, graphs, tmp_path_factory):
    config = tmp_path_factory.mktemp("config") / "models.config"
    entries = {"demo": base, "types": graphs / "types", "matrix": graphs / "matrix"}
    config.write_text(
        "model_config_list {"
        + "".join(
            f'config {{ name: "{name}" base_path: "{path}" model_platform: "tensorflow" '
            + "model_version_policy { all {} }"
            + (' version_labels { key: "stable" value: 1 }' if name == "demo" else "")
            + "}"
            for name, path in entries.items()
        )
        + "}"
    )
    flags = ServerFlags(
        port=0,
        model_config_file=str(config),
        allow_version_labels_for_unavailable_models=True,
        enable_grpc_healthcheck_service=True,
        max_num_load_retries=0,
    )
    with Server(flags) as running:
        yield running


@pytest.fixture(scope="module")
def stubs(server):
    with stubs_on(f"127.0.0.1:{server.port}") as stubs:
        yield stubs


# ---- Predict ----


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


def test_predict_computes_only_the_filtered_outputs(stubs):
    request = predict_request("matrix", x=np.ones((2, 3), np.float32))
    assert sorted(stubs.predict(request).outputs) == ["y", "z"]
    request.output_filter.append("z")
    assert sorted(stubs.predict(request).outputs) == ["z"]


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
        (_tensor(shape=[2**60]), CODE.INVALID_ARGUMENT, "tensor parsing error: x0"),
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


def test_predict_cuts_long_messages(stubs):
    request = predict_request(x0=[1.0], x1=[2.0])
    request.model_spec.signature_name = "s" * 2000
    _, message = failure(stubs.predict, request)
    assert len(message) == 1024 + len("...TRUNCATED")
    assert message.endswith("...TRUNCATED")


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


def test_predict_takes_and_gives_messages_above_four_mebibytes(stubs):
    x0 = np.ones(1_500_000, np.float32)
    tensor = stubs.predict(predict_request(version=1, x0=x0, x1=x0)).outputs["prediction"]
    assert np.array(tensor.float_val, np.float32).sum() == 3_000_000


def test_server_survives_a_truncated_message(server, stubs):
    raw = stubs.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    whole = predict_request(x0=[1.0], x1=[2.0]).SerializeToString()
    for damaged in (whole[:-3], b"\xff" * 40):
        code, message = failure(raw, damaged, timeout=20)
        assert (code, message) == (
            CODE.INTERNAL, "The request does not parse: it is truncated or another message."
        )  # fmt: skip
    assert stubs.predict(predict_request(x0=[1.0], x1=[2.0])).outputs["prediction"].float_val[0] == 12.0


def test_server_answers_beside_a_thousand_open_streams(server, stubs):
    def never():
        gate.wait()
        return
        yield

    gate = threading.Event()
    with stubs_on(f"127.0.0.1:{server.port}", options=[("grpc.use_local_subchannel_pool", 1)]) as hog:
        path = "/tensorflow.serving.PredictionService/Predict"
        # A stream that is opened and never sends its request.
        stream = hog.channel.stream_unary(path)
        calls = [stream.future(iter(never()), timeout=60) for _ in range(50)]
        burst = [
            hog.prediction.Predict.future(predict_request(x0=[1.0], x1=[2.0]), timeout=60) for _ in range(1000)
        ]  # fmt: skip
        assert stubs.predict(predict_request(x0=[1.0], x1=[2.0])).model_spec.version.value == 7
        codes = {call.code() for call in burst}
        assert codes <= {CODE.OK, CODE.RESOURCE_EXHAUSTED}
        gate.set()
        for call in calls:
            call.cancel()
    assert stubs.predict(predict_request(x0=[1.0], x1=[2.0])).model_spec.version.value == 7


def test_server_shows_no_traceback_when_it_has_a_bug(server, stubs, monkeypatch, caplog):
    monkeypatch.setattr("crossnet.serving.embedded.predictor.predict", lambda *_: 1 / 0)
    monkeypatch.setattr("crossnet.serving.embedded.predictor.predict_from_template", lambda *_: 1 / 0)
    code, message = failure(stubs.predict, predict_request(x0=[1.0], x1=[2.0]))
    assert (code, message) == (CODE.INTERNAL, "ZeroDivisionError in the server; its log has the details.")
    assert "Traceback" in caplog.text


# ---- Regress and what is left out ----


def _regression(signature="regress"):
    request = regression_pb2.RegressionRequest()
    request.model_spec.name = "demo"
    request.model_spec.version.value = 1
    request.model_spec.signature_name = signature
    for value in (1.0, 2.0):
        features = request.input.example_list.examples.add().features.feature
        features["x0"].float_list.value.append(value)
        features["x1"].float_list.value.append(0.5)
    return request


def test_regress_answers_one_value_per_example(stubs):
    response = stubs.prediction.Regress(_regression(), timeout=20)
    assert [regression.value for regression in response.result.regressions] == [1.5, 2.5]
    assert (response.model_spec.version.value, response.model_spec.signature_name) == (1, "regress")


def test_regress_merges_the_context_into_each_example(stubs):
    request = _regression()
    listed = request.input.example_list_with_context
    listed.context.features.feature["x1"].float_list.value.append(4.0)
    listed.examples.add().features.feature["x0"].float_list.value.append(1.0)
    response = stubs.prediction.Regress(request, timeout=20)
    assert [regression.value for regression in response.result.regressions] == [5.0]


def test_regress_refuses_with_the_contracts_words(stubs):
    assert failure(stubs.prediction.Regress, _regression("S")) == (
        CODE.INVALID_ARGUMENT, "No signature was found with the name: S"
    )  # fmt: skip
    code, message = failure(stubs.prediction.Regress, _regression(""))
    assert code == CODE.INVALID_ARGUMENT
    assert message.startswith("Expected regression signature method_name to be tensorflow/serving/regress. Was: ")
    empty = _regression()
    empty.input.Clear()
    assert failure(stubs.prediction.Regress, empty) == (CODE.INVALID_ARGUMENT, "Input is empty.")


def test_what_is_left_out_says_so(stubs):
    for method, request in (
        ("Classify", classification_pb2.ClassificationRequest()),
        ("MultiInference", inference_pb2.MultiInferenceRequest()),
    ):
        assert failure(getattr(stubs.prediction, method), request) == (
            CODE.UNIMPLEMENTED,
            f"{method} is not offered by the embedded server. Use Predict or Regress, or tensorflow_model_server.",
        )


# ---- Status and metadata ----


def test_status_lists_versions_the_newest_first(stubs):
    assert [(s.version, s.state, s.status.error_code) for s in versions_of(stubs)] == [(7, 30, 0), (1, 30, 0)]
    assert [s.version for s in versions_of(stubs, version=1)] == [1]
    assert [s.version for s in versions_of(stubs, label="ignored")] == [7, 1]


def test_status_refuses_with_the_contracts_words(stubs):
    assert failure(versions_of, stubs, "nope") == (CODE.NOT_FOUND, "Could not find any versions of model nope")
    assert failure(versions_of, stubs, version=3) == (CODE.NOT_FOUND, "Could not find version 3 of model demo")
    request = get_model_status_pb2.GetModelStatusRequest()
    assert failure(stubs.model.GetModelStatus, request) == (CODE.INVALID_ARGUMENT, "Missing ModelSpec")


def test_metadata_holds_every_signature_as_in_the_saved_model(stubs, base):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "demo"
    response = stubs.prediction.GetModelMetadata(request, timeout=20)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString((base / "1" / "saved_model.pb").read_bytes())
    expected = saved.meta_graphs[0].signature_def
    assert sorted(signatures.signature_def) == [
        "__saved_model_init_op",
        "regress",
        "serving_default",
        "serving_examples",
    ]
    assert dict(signatures.signature_def) == dict(expected)
    assert (response.model_spec.version.value, response.model_spec.signature_name) == (7, "")


def test_metadata_refuses_with_the_contracts_words(stubs):
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    ask = stubs.prediction.GetModelMetadata
    assert failure(ask, request) == (CODE.INVALID_ARGUMENT, "Missing ModelSpec")
    request.model_spec.name = "demo"
    assert failure(ask, request) == (
        CODE.INVALID_ARGUMENT, "GetModelMetadataRequest must specify at least one metadata_field"
    )  # fmt: skip
    request.metadata_field.append("X")
    assert failure(ask, request) == (CODE.INVALID_ARGUMENT, "Metadata field X is not supported")
    request.metadata_field[:] = ["signature_def"]
    request.model_spec.name = "nope"
    assert failure(ask, request) == (CODE.NOT_FOUND, "Servable not found for request: Latest(nope)")


# ---- Health ----


def test_health_knows_the_bare_names(stubs):
    check = stubs.channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )
    for name in ("", "ModelService", "PredictionService"):
        assert check(HealthCheckRequest(service=name), timeout=20).status == 1
    assert failure(check, HealthCheckRequest(service="tensorflow.serving.ModelService"))[0] == CODE.NOT_FOUND
