"""A SavedModel in a session: TensorFlow 1 and 2, the private callable and its public stand-in, warm-up."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.client.session import BaseSession
from tensorflow.python.tools import saved_model_cli
from tensorflow_serving.apis import prediction_log_pb2

from crossnet.serving.embedded import predictor
from crossnet.serving.embedded.model import LoadedModel
from crossnet.serving.embedded.warmup import warm_up
from crossnet.serving.status import ServingError
from support.serving_fixtures import predict_request
from support.serving_models import save_graph, save_model, write_warmup


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("model") / "1", scale=3.0)


@pytest.fixture
def load():
    loaded = []

    def from_path(path, **options):
        loaded.append(LoadedModel(path, **options))
        return loaded[-1]

    yield from_path
    for model in loaded:
        model.close()


def predict(model, request):
    """Answers a request in each way there is, and they must agree: parsed, known by its layout, and checked before."""

    def outcome(answer, *arguments):
        try:
            name, outputs = answer(*arguments)
        except Exception as error:
            return error, str(error)
        return None, (name, {alias: (values.dtype, values.tolist()) for alias, values in outputs.items()})

    message = request.SerializeToString()
    layout = predictor.question_layouts().layout_of(message, request)
    error, expected = outcome(predictor.predict, model, request)
    for _ in range(2 if layout else 0):
        assert outcome(predictor.predict_alike, model, layout, message)[1] == expected
    if error:
        raise error
    return predictor.predict(model, request)


ROW = predict_request(x0=[1.0, 2.0], x1=[0.5, 0.5])


def test_tensorflow_still_has_the_private_callable():
    assert callable(BaseSession._make_callable_from_options)


@pytest.mark.parametrize("private", [True, False])
def test_model_answers_the_same_through_either_callable(path, load, monkeypatch, private):
    if not private:
        monkeypatch.delattr(BaseSession, "_make_callable_from_options")
    name, outputs = predict(load(path), ROW)
    assert name == "serving_default"
    assert outputs["prediction"].tolist() == [3.5, 6.5]
    wrong = predict_request(x0=np.array([1.0, 2.0]), x1=[0.5, 0.5])
    with pytest.raises(ServingError, match="Type mismatch: actual double vs. expect float"):
        predict(load(path), wrong)


def test_the_official_saved_model_cli_gives_the_same_answer(path, load, capsys):
    expressions = "x0=[1.0,2.0];x1=[0.5,0.5]"
    inputs = saved_model_cli.load_inputs_from_input_arg_string("", expressions, "")
    saved_model_cli.run_saved_model_with_feed_dict(
        str(path), "serve", "serving_default", inputs, outdir=None, overwrite_flag=False
    )
    assert capsys.readouterr().out.split("prediction:")[1].split() == ["[3.5", "6.5]"]
    assert predict(load(path), ROW)[1]["prediction"].tolist() == [3.5, 6.5]


def test_model_compiles_one_callable_per_set_of_outputs(tmp_path, load):
    save_graph(tmp_path / "1", lambda x: {"y": x * 2.0, "z": x * 3.0}, x=(tf.float32, None))
    model = load(tmp_path / "1")
    request = predict_request(x=[1.0])
    for order in (["y"], ["z", "y"], ["y", "z"], []):
        request.output_filter[:] = order
        _, outputs = predict(model, request)
        assert list(outputs) == (sorted(order) or ["y", "z"])
        assert [outputs[name].tolist() for name in outputs] == [{"y": [2.0], "z": [3.0]}[name] for name in outputs]
    assert len(model._callables) == 2


def test_model_with_variables_of_tensorflow_1_loads(tmp_path, load):
    def build(x):
        kernel = tf.compat.v1.get_variable("kernel", initializer=tf.constant([[2.0], [3.0]]), use_resource=False)
        return {"y": tf.matmul(x, kernel)}

    save_graph(tmp_path / "1", build, x=(tf.float32, [None, 2]))
    assert predict(load(tmp_path / "1"), predict_request(x=np.ones((1, 2), np.float32)))[1]["y"].tolist() == [[5.0]]


def test_model_runs_in_the_single_threaded_executor(path, load):
    assert load(path)._session._config.experimental.executor_type == "SINGLE_THREADED_EXECUTOR"


def test_model_with_control_flow_of_tensorflow_1_answers(tmp_path, load):
    def build(x):
        low, high = tf.raw_ops.Switch(data=x, pred=tf.reduce_sum(x) > 2.0)
        return {"y": tf.raw_ops.Merge(inputs=[low + 1.0, high * 10.0]).output}

    save_graph(tmp_path / "1", build, x=(tf.float32, [None]))
    model = load(tmp_path / "1")
    assert model._session._config.experimental.executor_type == ""
    assert predict(model, predict_request(x=[1.0]))[1]["y"].tolist() == [2.0]
    assert predict(model, predict_request(x=[3.0]))[1]["y"].tolist() == [30.0]


def test_model_with_a_loop_of_tensorflow_2_answers(tmp_path, load):
    def build(x):
        return {"y": tf.while_loop(lambda y: tf.reduce_sum(y) < 10.0, lambda y: (y * 2.0,), [x])[0]}

    save_graph(tmp_path / "1", build, x=(tf.float32, [None]))
    assert predict(load(tmp_path / "1"), predict_request(x=[3.0]))[1]["y"].tolist() == [12.0]


def test_model_with_a_lookup_table_and_an_asset_loads(tmp_path, load):
    vocabulary = tmp_path / "words.txt"
    vocabulary.write_text("north\nsouth\n")

    class Lookup(tf.Module):
        def __init__(self):
            super().__init__()
            source = tf.lookup.TextFileInitializer(
                str(vocabulary),
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            )
            self.table = tf.lookup.StaticHashTable(source, -1)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "zone")])
        def serve(self, zone):
            return {"index": self.table.lookup(zone)}

    module = Lookup()
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=module.serve.get_concrete_function())
    vocabulary.unlink()
    request = predict_request(zone=np.array([b"south", b"east"], object))
    assert predict(load(tmp_path / "1"), request)[1]["index"].tolist() == [1, -1]


def test_control_flow_of_tensorflow_1_inside_a_function_runs(tmp_path, load):
    from tensorflow.python.framework import function  # TensorFlow 1's functions

    @function.Defun(tf.float32)
    def branch(x):
        low, high = tf.raw_ops.Switch(data=x, pred=tf.reduce_sum(x) > 2.0)
        return tf.raw_ops.Merge(inputs=[low + 1.0, high * 2.0]).output

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, [None])
        (y,) = tf.raw_ops.PartitionedCall(args=[x], Tout=[tf.float32], f=branch)
        tf.compat.v1.saved_model.simple_save(session, str(tmp_path / "1"), {"x": x}, {"y": y})
    model = load(tmp_path / "1")
    assert model._session._config.experimental.executor_type == ""
    assert predict(model, predict_request(x=[10.0]))[1]["y"].tolist() == [20.0]


def test_signature_defaults_stand_in_for_inputs_left_out(tmp_path, load):
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


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda path: (path / "saved_model.pb").write_bytes(b"junk"), "Cannot parse file"),
        (lambda path: (path / "saved_model.pb").unlink(), "SavedModel file does not exist"),
    ],
)
def test_model_that_is_damaged_does_not_load(tmp_path, damage, sentence):
    save_graph(tmp_path / "1", lambda x: {"y": x * 2.0}, x=(tf.float32, None))
    damage(tmp_path / "1")
    with pytest.raises(ServingError, match=sentence):
        LoadedModel(tmp_path / "1")


def test_model_without_its_variables_does_not_load(tmp_path):
    path = save_model(tmp_path / "1")
    for file in (path / "variables").iterdir():
        file.write_bytes(file.read_bytes()[:10])
    with pytest.raises(tf.errors.OpError):
        LoadedModel(path)


def test_model_with_other_tags_does_not_load(path):
    with pytest.raises(ServingError, match="Could not find meta graph def matching supplied tags"):
        LoadedModel(path, tags=["gpu"])


def test_each_model_has_plans_of_its_own_and_forgets_them_when_it_closes(path, tmp_path, load):
    message = ROW.SerializeToString()
    layout = predictor.question_layouts().layout_of(message, ROW)
    old, new = load(path), load(save_model(tmp_path / "2", scale=10.0))
    for model, expected in ((old, [3.5, 6.5]), (new, [10.5, 20.5]), (old, [3.5, 6.5])):
        assert predictor.predict_alike(model, layout, message)[1]["prediction"].tolist() == expected
        assert list(model.checked_requests) == [layout]
    new.close()
    assert not new.checked_requests


def test_plans_have_a_bound(path, load, monkeypatch):
    monkeypatch.setattr(predictor, "_MOST_PLANS", 2)
    model, message = load(path), ROW.SerializeToString()
    for _ in range(5):
        assert predictor.predict_alike(model, predictor.question_layouts().layout_of(message, ROW), message)[1][
            "prediction"
        ].tolist() == [3.5, 6.5]
        assert len(model.checked_requests) <= 2


def test_inputs_of_a_known_layout_come_in_the_graphs_order(tmp_path, load):
    build = lambda b, a: {"y": a - b}  # noqa: E731
    model = load(save_graph(tmp_path / "1", build, b=(tf.float32, None), a=(tf.float32, None)))
    for order in ("ab", "ba"):
        request = predict_request(**{name: np.float32([1, {"a": 5, "b": 2}[name]]) for name in order})
        assert predictor.question_layouts().layout_of(request.SerializeToString(), request)
        assert predict(model, request)[1]["y"].tolist() == [0.0, 3.0]


# ---- Warm-up ----


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
    classify = prediction_log_pb2.PredictionLog(classify_log={})
    write_warmup(path, [_log(), _log(other_name), regression, classify])
    ran = []
    original = LoadedModel.run
    monkeypatch.setattr(LoadedModel, "run", lambda self, *rest: ran.append(rest[0].name) or original(self, *rest))
    assert warm_up(load(path), iterations=2) == 4
    assert ran == ["serving_default"] * 4 + ["regress"] * 2


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
