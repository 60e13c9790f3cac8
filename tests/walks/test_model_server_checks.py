"""What tensorflow_model_server's own Python tests check, asked of the embedded server.

Each case is named after the test there (tensorflow/serving model_servers/tensorflow_model_server_test.py), with models
made here: y = x / 2 + 2. TFLite, the profiler and TF Text are left out; `testBadModelConfig` is in test_server_command.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys

import pytest
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.server import Server
from support.serving_fixtures import stubs_on, versions_of, wait_until

CONFIG = 'model_config_list: {{ config: {{ name: "{}", base_path: "{}", model_platform: "tensorflow" }} }}'
BATCHING = (
    "max_batch_size { value: 32 } batch_timeout_micros { value: 100 } max_enqueued_batches { value: 100 } "
    "num_batch_threads { value: 2 }"
)


def save_half_plus(path, number, *, tf2=False):
    """y = x / 2 + `number`, with the signatures of the models there; for TensorFlow 1, with their method names too."""
    import tensorflow as tf

    def parsed(examples):
        return tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})["x"]

    if tf2:
        module = tf.Module()
        module.a, module.b = tf.Variable(0.5), tf.Variable(float(number))
        text, numbers = tf.TensorSpec([None], tf.string, "inputs"), tf.TensorSpec([None], tf.float32, "x")
        functions = {
            "regress_x_to_y": (lambda inputs: {"outputs": module.a * parsed(inputs) + module.b}, text),
            "classify_x_to_y": (lambda inputs: {"scores": module.a * parsed(inputs) + module.b}, text),
            "serving_default": (lambda x: {"y": module.a * x + module.b}, numbers),
        }
        signatures = {name: tf.function(call, input_signature=[spec]) for name, (call, spec) in functions.items()}
        tf.saved_model.save(module, str(path), signatures)
        return
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        a, b = v1.Variable(0.5), v1.Variable(float(number))
        text = v1.placeholder(tf.string, [None], "tf_example")
        numbers = v1.placeholder_with_default(tf.reshape(parsed(text), [-1]), [None], "x")
        answers = {
            "regress_x_to_y": (text, "inputs", tf.reshape(a * parsed(text) + b, [-1, 1]), "outputs", "regress"),
            "classify_x_to_y": (text, "inputs", tf.reshape(a * parsed(text) + b, [-1, 1]), "scores", "classify"),
            "serving_default": (numbers, "x", a * numbers + b, "y", "predict"),
        }
        info, build = v1.saved_model.build_tensor_info, v1.saved_model.build_signature_def
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"], {
            name: build({key: info(given)}, {out: info(answer)}, f"tensorflow/serving/{method}")
            for name, (given, key, answer, out, method) in answers.items()
        })  # fmt: skip
        builder.save()


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    save_half_plus(folder / "two" / "00000123", 2)
    save_half_plus(folder / "three" / "00000123", 3)
    save_half_plus(folder / "tf2" / "00000123", 2, tf2=True)
    return folder


@pytest.fixture(scope="module")
def server(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    names = {"half_plus_two": "two", "half_plus_three": "three", "tf2": "tf2", "default": "two"}
    entries = "".join(
        f'config {{ name: "{name}" base_path: "{models / base}" model_platform: "tensorflow" }}'
        for name, base in names.items()
    )
    (folder / "models.config").write_text(f"model_config_list {{ {entries} }}")
    (folder / "monitoring.config").write_text(
        'prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }'
    )
    (folder / "batching.config").write_text(BATCHING)
    flags = ServerFlags(
        port=0,
        model_config_file=str(folder / "models.config"),
        monitoring_config_file=str(folder / "monitoring.config"),
        enable_batching=True,
        batching_parameters_file=str(folder / "batching.config"),
        grpc_channel_arguments="grpc.max_connection_age_ms=2000,grpc.lb_policy_name=grpclb",
        grpc_socket_path=str(folder / "socket"),
    )
    with _free_port(flags) as running:
        yield running


def _free_port(flags):
    """A server that listens on a port too: with a socket, port 0 means none."""
    import dataclasses
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return Server(dataclasses.replace(flags, port=port), rest=True)


@pytest.fixture
def stubs(server):
    with stubs_on(f"127.0.0.1:{server.port}") as found:
        yield found


def verify_predict(stubs, expected, *, model="default", output=True, shape=(1,), signature="serving_default", x="x"):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    request.inputs[x].dtype = 1
    request.inputs[x].float_val.append(2.0)
    for size in shape:
        request.inputs[x].tensor_shape.dim.add(size=size)
    if output:
        request.output_filter.append("y")
    result = stubs.predict(request)
    assert "y" in result.outputs
    assert (result.outputs["y"].dtype, list(result.outputs["y"].float_val)) == (1, [expected])
    verify_spec(result.model_spec, request.model_spec)


def verify_spec(got, asked):
    assert (got.name, got.signature_name, got.version.value) == (asked.name, asked.signature_name, 123)


def examples(request, model, signature=""):
    if signature:
        request.model_spec.name, request.model_spec.signature_name = model, signature
    request.input.example_list.examples.add().features.feature["x"].float_list.value.append(2.0)
    return request


def test_get_model_status_and_metadata(stubs):
    (status,) = versions_of(stubs, "default")
    assert (status.version, status.status.error_code) == (123, 0)
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "default"
    result = stubs.prediction.GetModelMetadata(request, timeout=20)
    assert (result.model_spec.name, result.model_spec.version.value, list(result.metadata)) == (
        "default", 123, ["signature_def"]
    )  # fmt: skip


@pytest.mark.parametrize("model", ["default", "tf2"])
def test_classify_regress_and_multi_inference(stubs, model):
    asked = examples(classification_pb2.ClassificationRequest(), model, "classify_x_to_y")
    result = stubs.prediction.Classify(asked, timeout=20)
    assert [[found.score for found in each.classes] for each in result.result.classifications] == [[3.0]]
    verify_spec(result.model_spec, asked.model_spec)
    asked = examples(regression_pb2.RegressionRequest(), model, "regress_x_to_y")
    result = stubs.prediction.Regress(asked, timeout=20)
    assert [each.value for each in result.result.regressions] == [3.0]
    verify_spec(result.model_spec, asked.model_spec)
    request = examples(inference_pb2.MultiInferenceRequest(), model)
    for method in ("regress", "classify"):
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name, task.model_spec.signature_name = model, f"{method}_x_to_y"
    first, second = stubs.prediction.MultiInference(request, timeout=20).results
    assert first.regression_result.regressions[0].value == 3.0
    assert second.classification_result.classifications[0].classes[0].score == 3.0
    for got, task in zip((first, second), request.tasks, strict=True):
        verify_spec(got.model_spec, task.model_spec)


@pytest.mark.parametrize("output", [True, False])
def test_predict_with_batching_channel_arguments_and_a_config_file(stubs, server, output):
    for model, expected in (("default", 3.0), ("half_plus_two", 3.0), ("half_plus_three", 4.0), ("tf2", 3.0)):
        verify_predict(stubs, expected, model=model, output=output)
    with stubs_on(f"unix:{server.flags.grpc_socket_path}") as over_socket:
        verify_predict(over_socket, 3.0, output=output)


def rest(server, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=20)
    connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body))
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200, text
    return text


def test_rest_and_prometheus(server):
    for method, body, expected in (
        ("classify", {"signature_name": "classify_x_to_y", "examples": [{"x": 2.0}]}, {"results": [[["", 3.0]]]}),
        ("regress", {"signature_name": "regress_x_to_y", "examples": [{"x": 2.0}]}, {"results": [3.0]}),
        ("predict", {"instances": [2.0, 3.0, 4.0]}, {"predictions": [3.0, 3.5, 4.0]}),
        ("predict", {"inputs": [2.0, 3.0, 4.0]}, {"outputs": [3.0, 3.5, 4.0]}),
    ):
        assert json.loads(rest(server, f"/v1/models/default:{method}", body)) == expected
    assert json.loads(rest(server, "/v1/models/default")) == {
        "model_version_status": [
            {"version": "123", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    }
    metadata = json.loads(rest(server, "/v1/models/default/metadata"))
    assert metadata["model_spec"] == {"name": "default", "signature_name": "", "version": "123"}
    signatures = metadata["metadata"]["signature_def"]["signature_def"]
    x = {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}}
    one = {"dim": [{"size": "-1", "name": ""}, {"size": "1", "name": ""}], "unknown_rank": False}
    text = {"dtype": "DT_STRING", "tensor_shape": x["tensor_shape"], "name": "tf_example:0"}
    assert signatures["serving_default"]["inputs"] == {"x": {**x, "name": "x:0"}}
    assert signatures["regress_x_to_y"]["inputs"] == {"inputs": text}
    assert signatures["classify_x_to_y"]["outputs"]["scores"]["tensor_shape"] == one
    assert signatures["classify_x_to_y"]["method_name"] == "tensorflow/serving/classify"
    assert "# TYPE" in rest(server, "/monitoring/prometheus/metrics")


@pytest.mark.parametrize("poll_seconds", [0.05, 0])
def test_model_config_reload(models, tmp_path, poll_seconds):
    config = tmp_path / "models.config"
    config.write_text(CONFIG.format("half_plus_two", models / "two"))
    flags = ServerFlags(port=0, model_config_file=str(config), model_config_file_poll_wait_seconds=poll_seconds)
    with Server(flags) as server, stubs_on(f"127.0.0.1:{server.port}") as stubs:
        verify_predict(stubs, 3.0, model="half_plus_two", output=False)
        config.write_text(CONFIG.format("half_plus_three", models / "three"))
        if poll_seconds:
            wait_until(lambda: server.models == ["half_plus_three"])
            wait_until(lambda: "AVAILABLE" in [str(v.state.name) for v in server._manager.versions("half_plus_three")])
            verify_predict(stubs, 4.0, model="half_plus_three", output=False)
        else:
            assert server._config_file._poller.ident is None  # it never looks again
            verify_predict(stubs, 3.0, model="half_plus_two", output=False)


def test_tf_saved_model_save_with_one_signature_and_several(tmp_path):
    import tensorflow as tf

    one, several = tf.train.Checkpoint(), tf.train.Checkpoint()
    one.v1, one.v2 = tf.Variable(3.0), tf.Variable(2.0)
    one.f = tf.function(lambda x: {"y": one.v1 * one.v2 * x})
    tf.saved_model.save(one, f"{tmp_path}/one/00000123", one.f.get_concrete_function(tf.TensorSpec(None, tf.float32)))
    anything = [tf.TensorSpec(None, tf.float32)]
    several.f = tf.function(lambda x: {"y": 1.0}, input_signature=anything)
    several.g = tf.function(lambda x: {"y": 2.0}, input_signature=anything)
    signatures = {"serving_default": several.f, "custom_signature_key": several.g}
    tf.saved_model.save(several, f"{tmp_path}/several/00000123", signatures)
    config = tmp_path / "models.config"
    config.write_text(
        "model_config_list {"
        + "".join(
            f' config {{ name: "{name}" base_path: "{tmp_path / name}" model_platform: "tensorflow" }}'
            for name in ("one", "several")
        )
        + " }"
    )
    flags = ServerFlags(port=0, model_config_file=str(config))
    with Server(flags) as server, stubs_on(f"127.0.0.1:{server.port}") as stubs:
        verify_predict(stubs, 12.0, model="one", output=False)
        verify_predict(stubs, 2.0, model="several", signature="custom_signature_key")
        verify_predict(stubs, 1.0, model="several")


KERAS = """
import sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
layers = tf.keras.layers
def sequential(*more):
    model = tf.keras.Sequential([layers.Input((1,), dtype="float32", name="x"), *more])
    model.add(layers.Lambda(lambda x: x, name="y"))
    return model
tf.saved_model.save(sequential(), sys.argv[1] + "/keras/00000123")
with tf.distribute.MirroredStrategy(devices=("/cpu:0", "/cpu:1")).scope():
    model = sequential(layers.Dense(1, kernel_initializer="ones", bias_initializer="zeros"))
tf.saved_model.save(model, sys.argv[1] + "/mirrored/00000123")
"""


@pytest.mark.slow
def test_sequential_keras_models_plain_and_mirrored(tmp_path):
    subprocess.run([sys.executable, "-c", KERAS, str(tmp_path)], check=True, capture_output=True, timeout=300)
    for name in ("keras", "mirrored"):
        flags = ServerFlags(port=0, model_name=name, model_base_path=str(tmp_path / name))
        with Server(flags) as server, stubs_on(f"127.0.0.1:{server.port}") as stubs:
            verify_predict(stubs, 2.0, model=name, shape=(1, 1), output=False)
