from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from crossnet.components.networks.columns import NumberColumn, TextColumn
from crossnet.components.networks.export import export_model
from crossnet.components.networks.models import build_network, describe, initialize
from crossnet.components.networks.preprocessing import Preprocessing, Transform
from crossnet.components.params.networks import CrossLayerParams, DenseParams

PREPROCESSING = Preprocessing(
    numbers=(
        NumberColumn("a", "FLOAT", True),
        NumberColumn("n", "INT", True, mean=10.0, scale=2.0, fill=10.0),
        NumberColumn("hole", "INT", False, mean=3.0, scale=1.0, fill=3.0),
        NumberColumn("_f", "FLOAT", False, fill=0.5),
    ),
    texts=(TextColumn("class", True, ("x", "y"), 2), TextColumn("s", False, ("", "z"), 1)),
    label_mean=100.0,
    label_scale=10.0,
)
NAN = float("nan")
COLUMNS: dict[str, list[Any]] = {
    "a": [0.1, 0.2, 0.3],
    "n": [8, 10, 13],
    "hole": [NAN, 4.0, 5.0],
    "_f": [0.25, NAN, 1.5],
    "class": ["x", "unknown", "y"],
    "s": ["z", "", "q"],
}
EXAMPLES = [
    {"a": 0.1, "n": 8, "_f": 0.25, "class": "x", "s": "z"},
    {"a": 0.2, "n": 10, "hole": 4, "class": "unknown"},
    {"a": 0.3, "n": 13, "hole": 5, "_f": 1.5, "class": "y", "s": "q"},
]


def example(values: dict[str, Any]) -> bytes:
    message = tf.train.Example()
    for name, value in values.items():
        feature = message.features.feature[name]
        if isinstance(value, str):
            feature.bytes_list.value.append(value.encode())
        elif isinstance(value, int):
            feature.int64_list.value.append(value)
        else:
            feature.float_list.value.append(value)
    return bytes(message.SerializeToString())


def export(folder: Path, kind: str = "cross_layer", preprocessing: Preprocessing = PREPROCESSING) -> Any:
    architecture = DenseParams() if kind == "dense" else CrossLayerParams(num_layers=2, projection_dim=1)
    network = build_network(
        kind, architecture, num_numbers=len(preprocessing.number_names), tables=preprocessing.tables
    )
    initialize(network, seed=1)
    export_model(network, Transform(preprocessing), folder, description=describe(kind, architecture, network))
    return network


class Session:
    """A SavedModel loaded as a model server loads it."""

    def __init__(self, folder: Path) -> None:
        graph = tf.Graph()
        self.session = tf.compat.v1.Session(graph=graph)
        with graph.as_default():
            loaded = tf.compat.v1.saved_model.loader.load(self.session, ["serve"], str(folder))
        self.signatures = loaded.signature_def

    def run(self, signature: str, **inputs: Any) -> Any:
        definition = self.signatures[signature]
        feeds = {definition.inputs[name].name: value for name, value in inputs.items()}
        return self.session.run({name: tensor.name for name, tensor in definition.outputs.items()}, feeds)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "model"
    export(folder)
    return folder


def test_export_has_the_three_signatures_of_the_contract(exported: Path) -> None:
    signatures = Session(exported).signatures

    def tensors(infos: Any) -> Any:
        return {
            key: (tf.as_dtype(info.dtype).name, tuple(dim.size for dim in info.tensor_shape.dim))
            for key, info in infos.items()
        }

    found = {
        name: (tensors(signature.inputs), tensors(signature.outputs), signature.method_name)
        for name, signature in signatures.items()
        if not name.startswith("__")
    }
    text, number = ("string", (-1,)), ("float32", (-1,))
    columns = {"a": number, "n": ("int64", (-1,)), "hole": number, "_f": number, "class": text, "s": text}
    assert found == {
        "serving_default": (columns, {"prediction": number}, "tensorflow/serving/predict"),
        "serving_examples": ({"examples": text}, {"prediction": number}, "tensorflow/serving/predict"),
        "regress": ({"inputs": text}, {"outputs": number}, "tensorflow/serving/regress"),
    }


def test_all_signatures_answer_alike_holes_and_unknown_text_included(exported: Path) -> None:
    session = Session(exported)
    columns = session.run("serving_default", **COLUMNS)["prediction"]
    serialized = [example(values) for values in EXAMPLES]
    np.testing.assert_array_equal(session.run("serving_examples", examples=serialized)["prediction"], columns)
    np.testing.assert_array_equal(session.run("regress", inputs=serialized)["outputs"], columns)
    assert np.isfinite(columns).all()


def test_export_answers_as_the_network_does_in_the_labels_unit(exported: Path, tmp_path: Path) -> None:
    network = export(tmp_path / "model")
    dtypes = {"n": tf.int64, "class": tf.string, "s": tf.string}
    inputs = Transform(PREPROCESSING)({k: tf.constant(v, dtypes.get(k, tf.float32)) for k, v in COLUMNS.items()})
    expected = network(list(inputs)).numpy()[:, 0] * 10 + 100
    np.testing.assert_allclose(Session(exported).run("serving_default", **COLUMNS)["prediction"], expected, rtol=1e-6)


def test_example_without_a_required_feature_is_an_error(exported: Path) -> None:
    broken = example({"a": 0.1, "class": "x"})
    with pytest.raises(tf.errors.InvalidArgumentError, match="Feature: n .* is required but could not be found"):
        Session(exported).run("serving_examples", examples=[broken])


def test_empty_batch_is_answered(exported: Path) -> None:
    session = Session(exported)
    assert session.run("serving_examples", examples=[])["prediction"].shape == (0,)


@pytest.mark.parametrize("kind", ["cross_layer", "dense"])
def test_nan_in_a_feature_that_is_always_present_gives_nan(kind: str, tmp_path: Path) -> None:
    preprocessing = Preprocessing((NumberColumn("a", "FLOAT", True), NumberColumn("b", "FLOAT", True)), ())
    preprocessing = dataclasses.replace(preprocessing)
    architecture = DenseParams(units=(4, 4)) if kind == "dense" else CrossLayerParams()
    network = build_network(kind, architecture, num_numbers=2)
    export_model(network, Transform(preprocessing), tmp_path / "m", description=describe(kind, architecture, network))
    found = Session(tmp_path / "m").run("serving_default", a=[0.5, NAN, 0.5], b=[0.5, 0.5, NAN])["prediction"]
    assert np.isnan(found).tolist() == [False, True, True]


def test_export_holds_nothing_of_keras_and_nothing_random(exported: Path) -> None:
    names = sorted(path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file())
    assert names == [
        "assets.extra/training.json",
        "saved_model.pb",
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
    ]
    assert b"keras" not in (exported / "saved_model.pb").read_bytes()


def test_export_gives_the_same_bytes_whatever_was_traced_before(exported: Path, tmp_path: Path) -> None:
    tf.function(lambda x: x + 1)(tf.constant(1))
    export(tmp_path / "model")
    for file in ("saved_model.pb", "variables/variables.data-00000-of-00001", "variables/variables.index"):
        assert (tmp_path / "model" / file).read_bytes() == (exported / file).read_bytes(), file


def test_two_exports_with_other_vocabularies_live_in_one_process(exported: Path, tmp_path: Path) -> None:
    other = dataclasses.replace(PREPROCESSING, texts=(TextColumn("class", True, ("y", "x"), 2), PREPROCESSING.texts[1]))
    export(tmp_path / "model", preprocessing=other)
    dtypes = {"n": tf.int64, "class": tf.string, "s": tf.string}
    arguments = {
        {"class": "class_", "_f": "x_f"}.get(k, k): tf.constant(v, dtypes.get(k, tf.float32))
        for k, v in COLUMNS.items()
    }
    models = [tf.saved_model.load(str(folder)) for folder in (exported, tmp_path / "model")]
    first, second = (model.signatures["serving_default"](**arguments)["prediction"].numpy() for model in models)
    assert first[1] == second[1]  # outside of both vocabularies
    assert first[0] != second[0]
    np.testing.assert_allclose(first, Session(exported).run("serving_default", **COLUMNS)["prediction"], rtol=1e-6)


@pytest.mark.slow
def test_export_loads_in_a_process_without_keras(exported: Path) -> None:
    program = (
        "import sys\n"
        "for name in ('tf_keras', 'tensorflow_recommenders'): sys.modules[name] = None\n"  # an import of it fails
        "import tensorflow as tf\n"
        "g = tf.Graph(); s = tf.compat.v1.Session(graph=g)\n"
        "with g.as_default(): tf.compat.v1.saved_model.loader.load(s, ['serve'], sys.argv[1])\n"
    )
    # Importing `components` chose Keras 2 for this process; whoever serves the export has chosen nothing.
    environment = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    subprocess.run([sys.executable, "-c", program, str(exported)], check=True, capture_output=True, env=environment)


def test_the_network_is_in_the_graph_once_whatever_the_signatures(exported: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString((exported / "saved_model.pb").read_bytes())
    functions = saved.meta_graphs[0].graph_def.library.function
    products = [function.signature.name for function in functions for node in function.node_def if node.op == "MatMul"]
    assert products
    assert len(set(products)) == 1
