"""Tests our messages against the official ones: names, numbers, types, and bytes in both directions."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest
from google.protobuf import descriptor_pool
from hypothesis import given, settings
from hypothesis import strategies as st

from crossnet.serving.protocol import messages

# Where each official message lives.
MODULES = {
    "google.protobuf.Any": "google.protobuf.any_pb2",
    "google.protobuf.Int64Value": "google.protobuf.wrappers_pb2",
    "tensorflow.TensorShapeProto": "tensorflow.core.framework.tensor_shape_pb2",
    "tensorflow.TensorProto": "tensorflow.core.framework.tensor_pb2",
    "tensorflow.TensorInfo": "tensorflow.core.protobuf.meta_graph_pb2",
    "tensorflow.SignatureDef": "tensorflow.core.protobuf.meta_graph_pb2",
    "tensorflow.BytesList": "tensorflow.core.example.feature_pb2",
    "tensorflow.FloatList": "tensorflow.core.example.feature_pb2",
    "tensorflow.Int64List": "tensorflow.core.example.feature_pb2",
    "tensorflow.Feature": "tensorflow.core.example.feature_pb2",
    "tensorflow.Features": "tensorflow.core.example.feature_pb2",
    "tensorflow.Example": "tensorflow.core.example.example_pb2",
    "tensorflow.serving.LogMetadata": "tensorflow_serving.apis.logging_pb2",
    "tensorflow.serving.PredictLog": "tensorflow_serving.apis.prediction_log_pb2",
    "tensorflow.serving.PredictionLog": "tensorflow_serving.apis.prediction_log_pb2",
    "tensorflow.serving.ModelSpec": "tensorflow_serving.apis.model_pb2",
    "tensorflow.serving.PredictRequest": "tensorflow_serving.apis.predict_pb2",
    "tensorflow.serving.PredictResponse": "tensorflow_serving.apis.predict_pb2",
    "tensorflow.serving.GetModelStatusRequest": "tensorflow_serving.apis.get_model_status_pb2",
    "tensorflow.serving.GetModelStatusResponse": "tensorflow_serving.apis.get_model_status_pb2",
    "tensorflow.serving.ModelVersionStatus": "tensorflow_serving.apis.get_model_status_pb2",
    "tensorflow.serving.StatusProto": "tensorflow_serving.apis.status_pb2",
    "tensorflow.serving.SignatureDefMap": "tensorflow_serving.apis.get_model_metadata_pb2",
    "tensorflow.serving.GetModelMetadataRequest": "tensorflow_serving.apis.get_model_metadata_pb2",
    "tensorflow.serving.GetModelMetadataResponse": "tensorflow_serving.apis.get_model_metadata_pb2",
}
TOP_LEVEL = sorted(MODULES)


def official(name):
    return getattr(importlib.import_module(MODULES[name]), name.rpartition(".")[2])


def shape_of(descriptor, only=None):
    """All that decides how a message is written and read, of the fields in `only`."""
    described = {}
    for field in descriptor.fields:
        if only is not None and field.name not in only:
            continue
        entry = field.message_type is not None and field.message_type.GetOptions().map_entry
        described[field.name] = (
            field.number,
            field.type,
            field.is_repeated,
            field.is_packed,
            field.has_presence,
            field.containing_oneof and field.containing_oneof.name,
            field.enum_type and field.enum_type.full_name,
            field.message_type and field.message_type.full_name,
            shape_of(field.message_type) if entry else None,
        )
    return described


def test_every_message_is_compared():
    assert {name for name in messages.MESSAGE_NAMES if name != "tensorflow.TensorShapeProto.Dim"} == set(MODULES)


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_message_has_the_official_field_names_numbers_and_types(name):
    ours = messages.message_class(name).DESCRIPTOR
    assert ours.full_name == name
    assert shape_of(ours) == shape_of(official(name).DESCRIPTOR, only=ours.fields_by_name)


def test_data_types_have_the_official_numbers():
    from tensorflow.core.framework import types_pb2

    assert messages.DATA_TYPES.items() <= dict(types_pb2.DataType.items()).items()


def test_version_states_have_the_official_numbers():
    from tensorflow_serving.apis import get_model_status_pb2

    theirs = dict(get_model_status_pb2.ModelVersionStatus.State.items())
    assert {name: number for number, name in messages.VERSION_STATES.items()} == theirs


def values_of(field, depth):
    """Strategy for one value of a field."""
    plain = {
        field.TYPE_STRING: st.text(max_size=8),
        field.TYPE_BYTES: st.binary(max_size=8),
        field.TYPE_BOOL: st.booleans(),
        field.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
        field.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
        field.TYPE_UINT32: st.integers(0, 2**32 - 1),
        field.TYPE_UINT64: st.integers(0, 2**64 - 1),
        field.TYPE_FLOAT: st.floats(width=32),
        field.TYPE_DOUBLE: st.floats(),
        field.TYPE_ENUM: st.integers(0, 60),
    }
    return plain[field.type] if field.type in plain else contents(field.message_type, depth - 1)


def contents(descriptor, depth):
    """Strategy for a message's content, as keyword arguments of its class."""
    fields = {}
    for field in descriptor.fields:
        nested = field.message_type
        if nested and depth == 0:
            continue
        if nested and nested.GetOptions().map_entry:
            fields[field.name] = st.dictionaries(
                st.text(max_size=4), values_of(nested.fields_by_name["value"], depth), max_size=2
            )
        elif field.is_repeated:
            fields[field.name] = st.lists(values_of(field, depth), max_size=3)
        else:
            fields[field.name] = values_of(field, depth)
    return st.fixed_dictionaries({}, optional=fields)


def fill(message, content):
    for name, value in content.items():
        target = getattr(message, name)
        if isinstance(value, dict):
            if hasattr(target, "DESCRIPTOR"):
                target.SetInParent()
                fill(target, value)
            else:
                for key, item in value.items():
                    if isinstance(item, dict):
                        fill(target[key], item)
                    else:
                        target[key] = item
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    fill(target.add(), item)
                else:
                    target.append(item)
        else:
            setattr(message, name, value)
    return message


@pytest.mark.parametrize("name", TOP_LEVEL)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_messages_are_read_equally_in_both_directions(name, data):
    ours, theirs = messages.message_class(name), official(name)
    content = data.draw(contents(ours.DESCRIPTOR, depth=3))
    written = fill(ours(), content).SerializeToString(deterministic=True)
    also_written = fill(theirs(), content).SerializeToString(deterministic=True)
    assert theirs.FromString(written).SerializeToString(deterministic=True) == also_written
    assert ours.FromString(also_written).SerializeToString(deterministic=True) == written


def test_fields_we_do_not_list_survive_a_round_trip():
    theirs = official("tensorflow.serving.PredictRequest")(client_id=b"me", output_filter=["prediction"])
    theirs.request_options.max_cache_length = 3
    ours = messages.PredictRequest.FromString(theirs.SerializeToString())
    assert list(ours.output_filter) == ["prediction"]
    assert type(theirs).FromString(ours.SerializeToString()) == theirs


def test_enum_values_we_do_not_list_survive_a_round_trip():
    assert messages.TensorProto.FromString(messages.TensorProto(dtype=24).SerializeToString()).dtype == 24


def test_messages_stay_out_of_the_default_pool():
    import tensorflow as tf

    theirs = descriptor_pool.Default().FindMessageTypeByName("tensorflow.TensorProto")
    assert theirs is tf.make_tensor_proto(1.0).DESCRIPTOR
    assert theirs is not messages.TensorProto.DESCRIPTOR


@pytest.mark.slow
@pytest.mark.parametrize(
    "order", [("crossnet.serving.client", "tensorflow"), ("tensorflow", "crossnet.serving.client")]
)
def test_client_and_tensorflow_live_in_one_process_in_either_order(order):
    code = (
        f"import {order[0]}, {order[1]}\n"
        "from tensorflow_serving.apis import predict_pb2\n"
        "from crossnet.serving.protocol import messages\n"
        "request = messages.PredictRequest(output_filter=['a'])\n"
        "assert list(predict_pb2.PredictRequest.FromString(request.SerializeToString()).output_filter) == ['a']\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=300)
