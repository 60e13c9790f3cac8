"""Saves small models for the tests of serving.

Some have the pipeline's three signatures, one is in the form of TensorFlow 1.

`y = scale * x0 + x1`, so that every answer can be checked on paper and each version answers differently.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def save_model(path: Path, *, scale: float = 1.0, warmup: list[Any] | None = None) -> Path:
    """Writes a model to `path`, by rename, as the Pusher does.

    Args:
      path: The version's folder.
      scale: The factor of x0.
      warmup: PredictionLogs for the warm-up file.
    """
    import tensorflow as tf

    features = {"x0": tf.io.FixedLenFeature([], tf.float32), "x1": tf.io.FixedLenFeature([], tf.float32)}

    class Scaled(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = tf.Variable(scale)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x0"), tf.TensorSpec([None], tf.float32, "x1")])
        def by_name(self, x0, x1):
            return {"prediction": self.scale * x0 + x1}

        def parsed(self, examples):
            columns = tf.io.parse_example(examples, features)
            return self.scale * columns["x0"] + columns["x1"]

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
        def by_example(self, examples):
            return {"prediction": self.parsed(examples)}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
        def regress(self, inputs):
            return {"outputs": self.parsed(inputs)}

    module = Scaled()
    unfinished = path.parent / f".tmp-{path.name}"
    tf.saved_model.save(
        module,
        str(unfinished),
        signatures={
            "serving_default": module.by_name.get_concrete_function(),
            "serving_examples": module.by_example.get_concrete_function(),
            "regress": module.regress.get_concrete_function(),
        },
    )
    set_method_name(unfinished, "regress", "tensorflow/serving/regress")
    if warmup is not None:
        write_warmup(unfinished, warmup)
    unfinished.rename(path)
    return path


def set_method_name(path: Path, signature: str, method: str) -> None:
    """Changes the method that a signature of a saved model says it is for."""
    from tensorflow.core.protobuf import saved_model_pb2

    file = path / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    model.meta_graphs[0].signature_def[signature].method_name = method
    file.write_bytes(model.SerializeToString())


def write_warmup(path: Path, logs: list[Any]) -> None:
    """Writes PredictionLogs as the warm-up file of the model in `path`."""
    import tensorflow as tf

    (path / "assets.extra").mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path / "assets.extra" / "tf_serving_warmup_requests")) as writer:
        for log in logs:
            writer.write(log.SerializeToString())


def save_graph(path: Path, build: Any, **inputs: tuple[Any, Any]) -> Path:
    """Writes a model of TensorFlow 1.

    Args:
      path: The version's folder.
      build: Called with the placeholders by name; returns alias -> tensor.
      **inputs: Name -> (dtype, shape) of a placeholder.
    """
    import tensorflow as tf

    tf1 = tf.compat.v1
    with tf.Graph().as_default(), tf1.Session() as session:
        placeholders = {name: tf1.placeholder(dtype, shape, name=name) for name, (dtype, shape) in inputs.items()}
        outputs = build(**placeholders)
        session.run(tf1.global_variables_initializer())
        builder = tf1.saved_model.Builder(str(path))
        info = tf1.saved_model.utils.build_tensor_info
        signature = tf1.saved_model.signature_def_utils.build_signature_def(
            {name: info(tensor) for name, tensor in placeholders.items()},
            {name: info(tensor) for name, tensor in outputs.items()},
            "tensorflow/serving/predict",
        )
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()
    return path


def save_demo(folder: Path) -> Path:
    """Saves the model `demo` as versions 1 and, ten times as large, 7, which is written with leading zeros."""
    save_model(folder / "1")
    save_model(folder / "00000007", scale=10.0)
    return folder


def push_empty_model(root: Path, model: str = "rides", version: str = "3") -> None:
    """Makes the folder of a pushed model, enough for a server that does not load it."""
    folder = root / "serving_models" / model / version
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"")
