"""Writes the SavedModel that is judged, checked and pushed.

It is a bare `tf.Module`, without Keras.
"""

from __future__ import annotations

import hashlib
import keyword
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import tensorflow as tf
import tf_keras

from crossnet.components.features import Feature
from crossnet.components.files import write_json
from crossnet.components.networks.by_feature import by_feature
from crossnet.components.networks.by_member import by_member
from crossnet.components.networks.linear_member import LinearMember
from crossnet.components.networks.preprocessing import Preprocessing, Transform, side_by_side
from crossnet.components.networks.stable_names import renumber

TRAINING_FILE = "assets.extra/training.json"
REGRESS_METHOD = "tensorflow/serving/regress"


class Inputs(Protocol):
    """What makes a network's inputs of columns, as `Transform` does."""

    @property
    def preprocessing(self) -> Preprocessing:
        """What it applies."""

    def by_feature(self, columns: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, ...]:
        """Returns the inputs by feature, as `Transform.by_feature`."""


class ServingModule(tf.Module):
    """Holds what the SavedModel must track: the trained weights and the lookup tables."""

    def __init__(self, network: tf_keras.Model, transform: Transform) -> None:
        super().__init__(name="serving")
        self.weights = list(network.trainable_variables)
        self.transform = transform


def export_model(
    network: tf_keras.Model,
    transform: Transform,
    folder: Path,
    *,
    description: Mapping[str, Any],
    interval: Mapping[str, Any] | None = None,
) -> None:
    """Writes a SavedModel with the signatures of a model server, and the facts that a warm start needs.

    Signatures:
      serving_default: a tensor `[batch]` per feature, of `Feature.dtype`, to `prediction` float32 `[batch]`.
      serving_examples: `examples` string `[batch]`, serialized tf.train.Example, to `prediction`.
      regress: `inputs` string `[batch]` to `outputs` float32 `[batch]`.
      interval, where there is one: as `serving_default`, to `prediction`, `lower`, `upper` and, of several members,
        `spread` (see `prediction_function`), float32 `[batch]`.

    Args:
      network: The trained network.
      transform: Its preprocessing.
      folder: Where the SavedModel goes; must not exist.
      description: `models.describe` of the network, written to `assets.extra/training.json` with the preprocessing.
      interval: `Interval.to_json` of how far labels lie from predictions. None: without the signature `interval`.
    """
    module = ServingModule(network, transform)
    features = transform.preprocessing.features
    answer = _traced_once(prediction_function(network, transform, description), features)
    names = argument_names(feature.name for feature in features)
    columns = column_specs(names, features)

    def serve_columns(columns: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {"prediction": answer({names[argument]: value for argument, value in columns.items()})["prediction"]}

    def serve_examples(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"prediction": answer(parse_examples(examples, transform.preprocessing))["prediction"]}

    def regress(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"outputs": answer(parse_examples(inputs, transform.preprocessing))["prediction"]}

    def serve_interval(columns: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        assert interval is not None
        found = answer({names[argument]: value for argument, value in columns.items()})
        prediction, half_width = found["prediction"], tf.constant(interval["half_width"], tf.float32)
        return {**found, "lower": prediction - half_width, "upper": prediction + half_width}

    signatures = {
        "serving_default": tf.function(serve_columns, autograph=False).get_concrete_function(columns),
        "serving_examples": tf.function(serve_examples, autograph=False).get_concrete_function(_text("examples")),
        "regress": tf.function(regress, autograph=False).get_concrete_function(_text("inputs")),
    }
    if interval is not None:
        signatures["interval"] = tf.function(serve_interval, autograph=False).get_concrete_function(columns)
    tf.saved_model.save(module, str(folder), signatures=signatures)
    extra = folder / TRAINING_FILE
    extra.parent.mkdir(exist_ok=True)
    facts = {"network": description, "preprocessing": transform.preprocessing.to_json(), "interval": interval}
    write_json(extra, {name: value for name, value in facts.items() if value is not None})
    _finish(folder, names, hashlib.sha256(extra.read_bytes()).hexdigest()[:16])


def _traced_once(predict: Callable[..., dict[str, tf.Tensor]], features: Sequence[Feature]) -> Callable[..., Any]:
    """Returns `predict`, with the spread where there is one, as one function of the graph that signatures share.

    To trace a network costs more than to train it on a few rows. Who serves a signature alone does not compute what
    it leaves out: TensorFlow puts the function's ops into the graph and drops those that are not asked for.
    """
    order = [feature.name for feature in features]

    def by_place(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        return predict(dict(zip(order, values, strict=True)), with_spread=True)

    specs = [tf.TensorSpec([None], feature.dtype) for feature in features]
    traced = tf.function(by_place, autograph=False).get_concrete_function(*specs)
    return lambda columns: traced(*(columns[name] for name in order))


def _text(name: str) -> tf.TensorSpec:
    return tf.TensorSpec([None], tf.string, name=name)


def column_specs(names: Mapping[str, str], features: Iterable[Feature]) -> dict[str, tf.TensorSpec]:
    """Returns the columns of a signature by argument."""
    dtypes = {feature.name: feature.dtype for feature in features}
    return {argument: tf.TensorSpec([None], dtypes[name], name=argument) for argument, name in names.items()}


def prediction_function(
    network: tf_keras.Model, transform: Inputs, description: Mapping[str, Any]
) -> Callable[..., dict[str, tf.Tensor]]:
    """Returns the function of feature tensors `[batch]` to `prediction` float32 `[batch]`, in the label's unit.

    With `with_spread`, and of several members, it returns `spread` too: by how much their predictions lie apart before
    they are limited, as the standard deviation in which each counts by its share.

    Args:
      network: The trained network.
      transform: Its preprocessing.
      description: Of this, `shares` are each member's share of the prediction and, where there is one, that of
        `linear` (`LinearMember.to_json`); without them the network has one output.
    """
    preprocessing, shares = transform.preprocessing, description.get("shares")
    linear = LinearMember.from_json(description["linear"]) if "linear" in description else None
    network_by_feature = by_feature(network) if shares is None else None
    outputs_by_member = None
    if shares is not None:
        members = shares if linear is None else shares[:-1]
        used = [place for place, share in enumerate(members) if share > 0] or [0]
        # Members without a share are left out where that is possible: a call would pay for nothing.
        if outputs_by_member := by_member(network, used):
            shares = [members[place] for place in used] + shares[len(members) :]

    def predict(columns: Mapping[str, tf.Tensor], with_spread: bool = False) -> dict[str, tf.Tensor]:
        inputs, spread = transform.by_feature(columns), None
        if network_by_feature is not None:
            output = tf.squeeze(_call(network_by_feature, inputs), axis=0)
        elif shares is None:
            output = tf.squeeze(_call(network, side_by_side(inputs)), axis=1)
        else:
            if outputs_by_member is not None:
                outputs = outputs_by_member(inputs)
            else:
                outputs = tf.linalg.matrix_transpose(_call(network, side_by_side(inputs)))
            if linear is not None:
                outputs = tf.concat([outputs, linear.output(inputs)], axis=0)
            weights = tf.constant(shares, tf.float32)
            output = tf.linalg.matvec(outputs, weights, transpose_a=True)
            apart = tf.math.squared_difference(outputs, output)
            spread = tf.sqrt(tf.linalg.matvec(apart, weights, transpose_a=True)) * preprocessing.label_scale
        if preprocessing.scales_label:
            output = output * preprocessing.label_scale + preprocessing.label_mean
        if preprocessing.limits:
            output = tf.clip_by_value(output, *preprocessing.limits)
        relu = any(_activation(layer) == "relu" for layer in network.layers)
        if preprocessing.numbers and (relu or preprocessing.clip or preprocessing.label_range):
            # A fused relu or a limit may turn NaN into a number, and the model would answer as if asked something.
            unknown = tf.reduce_any(tf.math.is_nan(inputs[0]), axis=0)
            output = tf.where(unknown, math.nan, output)
            spread = None if spread is None else tf.where(unknown, math.nan, spread)
        return {"prediction": output, **({"spread": spread} if with_spread and spread is not None else {})}

    return predict


def _call(network: tf_keras.Model, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
    return network(list(inputs) if len(inputs) > 1 else inputs[0], training=False)


def _activation(layer: Any) -> str:
    return str(getattr(getattr(layer, "activation", None), "__name__", ""))


def parse_examples(serialized: tf.Tensor, preprocessing: Preprocessing) -> dict[str, tf.Tensor]:
    """Returns the features `[batch]` of serialized tf.train.Examples, in their model input form.

    A key that is absent is a missing value where the Schema allows one, and an error where it does not.
    """
    parsed = tf.io.parse_example(serialized, {f.name: _parsing(f) for f in preprocessing.features})
    columns = {}
    for feature in preprocessing.features:
        value = parsed[feature.name]
        if isinstance(value, tf.SparseTensor):  # whole numbers with holes
            holes = tf.fill(tf.shape(serialized), math.nan)
            value = tf.tensor_scatter_nd_update(holes, value.indices[:, :1], tf.cast(value.values, tf.float32))
        columns[feature.name] = value
    return columns


def _parsing(feature: Feature) -> Any:
    dtype = {"FLOAT": tf.float32, "INT": tf.int64, "BYTES": tf.string}[feature.type]
    if feature.required:
        return tf.io.FixedLenFeature([], dtype)
    if dtype == tf.int64:
        return tf.io.VarLenFeature(dtype)
    return tf.io.FixedLenFeature([], dtype, default_value="" if feature.is_text else math.nan)


def argument_names(names: Iterable[str]) -> dict[str, str]:
    """Returns each feature's name by the argument that TensorFlow traces: not a keyword, without a leading `_`."""
    arguments: dict[str, str] = {}
    # Names that can be traced come first, so that no other name's argument takes one of them.
    for name in sorted(names, key=_is_traceable, reverse=True):
        argument = name if _is_traceable(name) else f"x{name}" if name.startswith("_") else f"{name}_"
        while argument in arguments:
            argument += "_"
        arguments[argument] = name
    return arguments


def _is_traceable(name: str) -> bool:
    return not (keyword.iskeyword(name) or name == "self" or name.startswith("_"))


def _finish(folder: Path, names: Mapping[str, str], content: str) -> None:
    """Makes saved_model.pb what a server expects, with the same bytes for the same model.

    It gives `regress` the method name that TF Serving asks for and features their own names, and numbers functions and
    tables from 0. Tables are shared by name within a process, so `content` (a digest) tells those of two models apart.
    The random identifier that a save writes beside saved_model.pb goes.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    file = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    signatures = saved.meta_graphs[0].signature_def
    signatures["regress"].method_name = REGRESS_METHOD
    rename_inputs(saved, names, {"serving_default", "interval"})
    renumber(saved, content)
    saved.meta_graphs[0].graph_def.library.function.sort(key=lambda function: function.signature.name)
    file.write_bytes(saved.SerializeToString(deterministic=True))
    (folder / "fingerprint.pb").unlink(missing_ok=True)


def rename_inputs(saved: Any, names: Mapping[str, str], signatures: Iterable[str]) -> None:
    """Gives the inputs of signatures the features' own names, in a SavedModel message.

    Args:
      saved: A `SavedModel` of saved_model.pb, changed in place.
      names: `argument_names` of the features.
      signatures: The signatures; one that is not there is left out.
    """
    found = saved.meta_graphs[0].signature_def
    for signature in {*signatures} & set(found):
        inputs = found[signature].inputs
        for argument, name in names.items():
            if argument != name:
                inputs[name].CopyFrom(inputs[argument])
                del inputs[argument]
