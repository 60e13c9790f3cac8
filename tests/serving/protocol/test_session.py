"""SavedModels of TensorFlow 1 and 2 in a session, through the private callable and the public one."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.client.session import BaseSession
from tensorflow.python.tools import saved_model_cli
from tensorflow.python.util import deprecation

from crossnet.serving.protocol import session as session_module
from crossnet.serving.protocol.session import SavedModelSession
from support.serving_models import save_graph, save_model

SINGLE_THREADED = "SINGLE_THREADED_EXECUTOR"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("model") / "1", scale=3.0)


@pytest.fixture
def load():
    loaded = []

    def from_path(path, **options):
        loaded.append(SavedModelSession(path, **options))
        return loaded[-1]

    yield from_path
    for model in loaded:
        model.close()


def run(model, *arrays, outputs=None, signature="serving_default"):
    """Runs a signature on arrays in the order of its inputs; returns lists by output."""
    called = model.signatures[signature]
    answers = model.run(called, [np.asarray(array) for array in arrays], outputs or tuple(called.outputs))
    return {name: values.tolist() for name, values in answers.items()}


X0, X1 = np.float32([1, 2]), np.float32([0.5, 0.5])


def test_tensorflow_still_has_the_private_callable():
    assert callable(BaseSession._make_callable_from_options)


@pytest.mark.parametrize("private", [True, False])
def test_session_answers_the_same_through_either_callable(path, load, monkeypatch, private):
    if not private:
        monkeypatch.delattr(BaseSession, "_make_callable_from_options")
    assert run(load(path), X0, X1) == {"prediction": [3.5, 6.5]}


def test_the_official_saved_model_cli_gives_the_same_answer(path, load, capsys):
    expressions = "x0=[1.0,2.0];x1=[0.5,0.5]"
    inputs = saved_model_cli.load_inputs_from_input_arg_string("", expressions, "")
    saved_model_cli.run_saved_model_with_feed_dict(
        str(path), "serve", "serving_default", inputs, outdir=None, overwrite_flag=False
    )
    assert capsys.readouterr().out.split("prediction:")[1].split() == ["[3.5", "6.5]"]
    assert run(load(path), X0, X1) == {"prediction": [3.5, 6.5]}


def test_session_lists_signatures_with_tensor_names_and_types_sorted_by_alias(tmp_path, load):
    kinds = {"w": tf.bfloat16, "s": tf.string, "a": tf.int64} | {f"f{i}": tf.float32 for i in range(9)}
    build = lambda **given: {f"{name}_out": tf.identity(tensor) for name, tensor in given.items()}  # noqa: E731
    model = load(save_graph(tmp_path / "1", build, **{name: (kind, None) for name, kind in kinds.items()}))
    signature = model.signatures["serving_default"]
    assert list(signature.inputs) == ["a", *(f"f{i}" for i in range(9)), "s", "w"]
    assert (signature.inputs["a"], signature.inputs["s"], signature.inputs["w"]) == (
        ("a:0", 9),
        ("s:0", 7),
        ("w:0", 14),
    )
    assert signature.dtypes == (np.int64, *[np.float32] * 9, np.object_, tf.bfloat16.as_numpy_dtype)
    assert list(signature.outputs) == [f"{name}_out" for name in signature.inputs]
    assert signature.definition == model.signature_defs["serving_default"]
    assert signature.definition.method_name == "tensorflow/serving/predict"


def test_session_never_casts_an_input(path, load):
    with pytest.raises(tf.errors.InvalidArgumentError, match="Expected tensor of type float but got type double"):
        run(load(path), X0.astype(np.float64), X1)


def test_a_message_that_is_not_text_is_an_invalid_argument(path, load):
    model = load(path)
    for example in (b"\xff\xfegarbage", b"\xff" * 5000):
        with pytest.raises(tf.errors.InvalidArgumentError, match="^Could not parse example input, value: '") as error:
            run(model, np.array([example], object), signature="serving_examples")
        assert len(error.value.message) <= 203


def test_session_gives_a_scalar_text_as_an_array(tmp_path, load):
    build = lambda s: {"joined": tf.strings.reduce_join(s), "size": tf.size(s)}  # noqa: E731
    model = load(save_graph(tmp_path / "1", build, s=(tf.string, None)))
    answers = model.run(model.signatures["serving_default"], [np.array([b"a", b"\0"], object)], ("joined", "size"))
    assert [(type(values), values.dtype, values.shape, values[()]) for values in answers.values()] == [
        (np.ndarray, np.object_, (), b"a\0"),
        (np.ndarray, np.int32, (), 2),
    ]


def test_session_compiles_one_callable_per_set_of_outputs_and_drops_the_oldest(tmp_path, load, monkeypatch):
    monkeypatch.setattr(session_module, "_MAX_CALLABLES", 2)
    build = lambda x: {"a": x + 0.0, "b": x * 2.0, "c": x * 3.0}  # noqa: E731
    model = load(save_graph(tmp_path / "1", build, x=(tf.float32, None)))
    everything = {"a": [1.0], "b": [2.0], "c": [3.0]}
    compiled = []
    for outputs in (("b",), ("b",), ("c", "a"), ("a", "b", "c"), ("b",)):
        assert run(model, np.float32([1]), outputs=outputs) == {name: everything[name] for name in outputs}
        compiled.append(model._callables["serving_default", outputs])
    assert [call is compiled[0] for call in compiled] == [True, True, False, False, False]
    assert list(model._callables) == [("serving_default", ("a", "b", "c")), ("serving_default", ("b",))]


def test_session_takes_a_config(path, load):
    model = load(path, session_config=tf.compat.v1.ConfigProto(intra_op_parallelism_threads=3))
    assert model._session._config.intra_op_parallelism_threads == 3
    assert model._session._config.experimental.executor_type == SINGLE_THREADED


def test_session_loads_the_graph_with_the_tags(path):
    with pytest.raises(RuntimeError, match="MetaGraphDef associated with tags 'gpu' could not be found"):
        SavedModelSession(path, tags=["gpu"])


def test_session_does_not_show_that_the_loader_is_deprecated(path, load, monkeypatch, caplog):
    monkeypatch.setattr(deprecation, "_PRINTED_WARNING", {})  # TensorFlow shows the warning once in a process
    level = tf.get_logger().level
    tf.get_logger().setLevel("WARNING")
    try:
        load(path)
        tf.get_logger().warning("another warning, of something deprecated")
    finally:
        tf.get_logger().setLevel(level)
    assert [record.getMessage() for record in caplog.records] == ["another warning, of something deprecated"]


# ---- Graphs that need more than the single-threaded executor, and others ----


def test_session_loads_variables_of_tensorflow_1(tmp_path, load):
    def build(x):
        kernel = tf.compat.v1.get_variable("kernel", initializer=tf.constant([[2.0], [3.0]]), use_resource=False)
        return {"y": tf.matmul(x, kernel)}

    model = load(save_graph(tmp_path / "1", build, x=(tf.float32, [None, 2])))
    assert model._session._config.experimental.executor_type == ""
    assert run(model, np.ones((1, 2), np.float32)) == {"y": [[5.0]]}


def test_session_runs_control_flow_of_tensorflow_1(tmp_path, load):
    def build(x):
        low, high = tf.raw_ops.Switch(data=x, pred=tf.reduce_sum(x) > 2.0)
        return {"y": tf.raw_ops.Merge(inputs=[low + 1.0, high * 10.0]).output}

    model = load(save_graph(tmp_path / "1", build, x=(tf.float32, [None])))
    assert model._session._config.experimental.executor_type == ""
    assert run(model, np.float32([1])) == {"y": [2.0]}
    assert run(model, np.float32([3])) == {"y": [30.0]}


def test_session_runs_control_flow_of_tensorflow_1_inside_a_function(tmp_path, load):
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
    assert run(model, np.float32([10])) == {"y": [20.0]}


def test_session_runs_a_loop_of_tensorflow_2(tmp_path, load):
    def build(x):
        return {"y": tf.while_loop(lambda y: tf.reduce_sum(y) < 10.0, lambda y: (y * 2.0,), [x])[0]}

    assert run(load(save_graph(tmp_path / "1", build, x=(tf.float32, [None]))), np.float32([3])) == {"y": [12.0]}


def test_session_loads_a_lookup_table_and_its_asset(tmp_path, load):
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
    assert run(load(tmp_path / "1"), np.array([b"south", b"east"], object)) == {"index": [1, -1]}
