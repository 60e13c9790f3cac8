"""A server without TensorFlow, its address, a model on disk, and files of rows."""

from __future__ import annotations

import pytest

from support.fake_server import XS, FakeServer


@pytest.fixture
def server():
    return FakeServer(XS)


@pytest.fixture
def target(server):
    with server.running() as target:
        yield target


@pytest.fixture
def rows(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """`<base>/12/`: y = x0 + 10 x1, through named tensors and through serialized Examples."""
    import tensorflow as tf

    module = tf.Module()
    module.weight = tf.Variable(10.0)
    column = tf.TensorSpec([None], tf.float32)

    @tf.function(input_signature=[column, column])
    def by_column(x0, x1):
        tf.debugging.assert_less(x0, 1000.0, message="x0 is too large")
        return {"prediction": x0 + module.weight * x1}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def by_example(examples):
        parsed = tf.io.parse_example(examples, {name: tf.io.FixedLenFeature([], tf.float32) for name in ("x0", "x1")})
        return {"prediction": parsed["x0"] + module.weight * parsed["x1"]}

    base = tmp_path_factory.mktemp("model")
    signatures = {
        "serving_default": by_column.get_concrete_function(x0=column, x1=column),
        "serving_examples": by_example.get_concrete_function(),
    }
    module.by_column, module.by_example = by_column, by_example
    tf.saved_model.save(module, str(base / "12"), signatures)
    return base
