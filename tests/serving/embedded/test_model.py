"""The model of one version: the code and the words with which a damaged one does not load."""

from __future__ import annotations

import grpc
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf import saved_model_pb2

from crossnet.serving.embedded.model import LoadedModel
from crossnet.serving.protocol.codes import status_of
from crossnet.serving.status import ServingError
from support.serving_models import save_graph, save_model

CODE = grpc.StatusCode


def _with_a_loose_end(path):
    saved = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    saved.meta_graphs[0].graph_def.node.add(name="odd", op="Identity", input=["nowhere"])
    (path / "saved_model.pb").write_bytes(saved.SerializeToString())


@pytest.mark.parametrize(
    ("damage", "code", "sentence"),
    [
        (lambda path: (path / "saved_model.pb").write_bytes(b"junk"), CODE.DATA_LOSS, "Cannot parse file"),
        (lambda path: (path / "saved_model.pb").unlink(), CODE.NOT_FOUND, "SavedModel file does not exist"),
        (_with_a_loose_end, CODE.INVALID_ARGUMENT, "nowhere"),
    ],
)
def test_model_that_is_damaged_does_not_load(tmp_path, damage, code, sentence):
    save_graph(tmp_path / "1", lambda x: {"y": x * 2.0}, x=(tf.float32, None))
    damage(tmp_path / "1")
    with pytest.raises(ServingError, match=sentence) as error:
        LoadedModel(tmp_path / "1")
    assert error.value.code == code


def test_model_without_its_variables_does_not_load_and_keeps_tensorflows_code(tmp_path):
    path = save_model(tmp_path / "1")
    for file in (path / "variables").iterdir():
        file.write_bytes(file.read_bytes()[:10])
    with pytest.raises(tf.errors.OpError) as error:
        LoadedModel(path)
    assert status_of(error.value)[0] == CODE.DATA_LOSS


def test_model_with_other_tags_does_not_load(tmp_path):
    save_graph(tmp_path / "1", lambda x: {"y": x * 2.0}, x=(tf.float32, None))
    with pytest.raises(ServingError, match="Could not find meta graph def matching supplied tags") as error:
        LoadedModel(tmp_path / "1", tags=["gpu"])
    assert error.value.code == CODE.NOT_FOUND


def _calls_python(function):
    """Builds a graph in which a Python function doubles x, called directly or from a function of the library."""

    def double(x):
        return {"y": tf.reshape(function(lambda x: x * 2.0, [x], tf.float32), [-1])}

    return double


@pytest.mark.parametrize(
    ("function", "op"),
    [
        (tf.py_function, "EagerPyFunc"),
        (tf.compat.v1.py_func, "PyFunc"),
        (lambda *arguments: tf.compat.v1.py_func(*arguments, stateful=False), "PyFuncStateless"),
    ],
)
@pytest.mark.parametrize("wrap", [lambda build: build, tf.function], ids=["graph", "library"])
def test_a_model_that_calls_python_is_refused_as_the_real_server_does(tmp_path, function, op, wrap):
    save_graph(tmp_path / "1", wrap(_calls_python(function)), x=(tf.float32, None))
    sentence = (
        rf"^No OpKernel was registered to support Op '{op}' used by node `\w+`.*: it calls a Python function, which "
        r"exists only in the process that exported the model\. Write that function with TensorFlow operations and "
        r"export the model again\.$"
    )
    with pytest.raises(ServingError, match=sentence) as error:
        LoadedModel(tmp_path / "1")
    assert error.value.code == CODE.INVALID_ARGUMENT


def test_a_model_as_text_is_looked_through_too(tmp_path):
    save_graph(tmp_path / "1", _calls_python(tf.py_function), x=(tf.float32, None))
    binary = tmp_path / "1" / "saved_model.pb"
    text = text_format.MessageToString(saved_model_pb2.SavedModel.FromString(binary.read_bytes()))
    (tmp_path / "1" / "saved_model.pbtxt").write_text(text)
    binary.unlink()
    with pytest.raises(ServingError, match="No OpKernel was registered to support Op 'EagerPyFunc'"):
        LoadedModel(tmp_path / "1")


def test_a_model_that_only_has_the_name_in_it_loads(tmp_path):
    save_graph(tmp_path / "1", lambda PyFunc: {"y": PyFunc * 2.0}, PyFunc=(tf.float32, None))
    LoadedModel(tmp_path / "1").close()


def test_model_forgets_what_was_checked_when_it_closes(tmp_path):
    model = LoadedModel(save_graph(tmp_path / "1", lambda x: {"y": x * 2.0}, x=(tf.float32, None)))
    model.checked_requests["template"] = "checked"
    model.close()
    assert not model.checked_requests
