"""Declares TensorFlow Serving's messages, so that a client works without TensorFlow.

The official Python messages come with all of TensorFlow. These are the same on the wire (a test compares each field
with the official descriptor, and bytes in both directions). Protobuf refuses two definitions of one name in one pool,
so these have a separate pool: TensorFlow may be imported before, after, or not be installed at all. Fields that
are not listed here survive a round trip as unknown fields.

Source: tensorflow/serving `apis/*.proto`; tensorflow/tensorflow `core/framework`, `core/protobuf`, `core/example`.
"""

from __future__ import annotations

from typing import Any

from crossnet.serving.protocol.descriptors import message_classes

# Each entry is a message's full name and its fields as written in a .proto file. A type without a package is a scalar
# or belongs to the same package.
_MESSAGES: dict[str, tuple[str, ...]] = {
    "google.protobuf.Any": ("string type_url = 1", "bytes value = 2"),
    "google.protobuf.Int64Value": ("int64 value = 1",),
    "tensorflow.TensorShapeProto.Dim": ("int64 size = 1", "string name = 2"),
    "tensorflow.TensorShapeProto": ("repeated TensorShapeProto.Dim dim = 2", "bool unknown_rank = 3"),
    "tensorflow.TensorProto": (
        "DataType dtype = 1",
        "TensorShapeProto tensor_shape = 2",
        "int32 version_number = 3",
        "bytes tensor_content = 4",
        "repeated int32 half_val = 13",
        "repeated float float_val = 5",
        "repeated double double_val = 6",
        "repeated int32 int_val = 7",
        "repeated bytes string_val = 8",
        "repeated float scomplex_val = 9",
        "repeated int64 int64_val = 10",
        "repeated bool bool_val = 11",
        "repeated double dcomplex_val = 12",
        "repeated uint32 uint32_val = 16",
        "repeated uint64 uint64_val = 17",
    ),
    "tensorflow.TensorInfo": (
        "oneof encoding string name = 1",
        "DataType dtype = 2",
        "TensorShapeProto tensor_shape = 3",
    ),
    "tensorflow.SignatureDef": (
        "map TensorInfo inputs = 1",
        "map TensorInfo outputs = 2",
        "string method_name = 3",
        "map TensorProto defaults = 4",
    ),
    "tensorflow.BytesList": ("repeated bytes value = 1",),
    "tensorflow.FloatList": ("repeated float value = 1",),
    "tensorflow.Int64List": ("repeated int64 value = 1",),
    "tensorflow.Feature": (
        "oneof kind BytesList bytes_list = 1",
        "oneof kind FloatList float_list = 2",
        "oneof kind Int64List int64_list = 3",
    ),
    "tensorflow.Features": ("map Feature feature = 1",),
    "tensorflow.Example": ("Features features = 1",),
    "tensorflow.serving.ModelSpec": (
        "string name = 1",
        "oneof version_choice google.protobuf.Int64Value version = 2",
        "oneof version_choice string version_label = 4",
        "string signature_name = 3",
    ),
    "tensorflow.serving.PredictRequest": (
        "ModelSpec model_spec = 1",
        "map tensorflow.TensorProto inputs = 2",
        "repeated string output_filter = 3",
    ),
    "tensorflow.serving.PredictResponse": ("map tensorflow.TensorProto outputs = 1", "ModelSpec model_spec = 2"),
    "tensorflow.serving.GetModelStatusRequest": ("ModelSpec model_spec = 1",),
    "tensorflow.serving.StatusProto": ("tensorflow.error.Code error_code = 1", "string error_message = 2"),
    "tensorflow.serving.ModelVersionStatus": (
        "int64 version = 1",
        "ModelVersionStatus.State state = 2",
        "StatusProto status = 3",
    ),
    "tensorflow.serving.GetModelStatusResponse": ("repeated ModelVersionStatus model_version_status = 1",),
    "tensorflow.serving.SignatureDefMap": ("map tensorflow.SignatureDef signature_def = 1",),
    "tensorflow.serving.GetModelMetadataRequest": ("ModelSpec model_spec = 1", "repeated string metadata_field = 2"),
    "tensorflow.serving.GetModelMetadataResponse": (
        "ModelSpec model_spec = 1",
        "map google.protobuf.Any metadata = 2",
    ),
    "tensorflow.serving.LogMetadata": ("int64 timestamp_secs = 4",),
    "tensorflow.serving.PredictLog": ("PredictRequest request = 1", "PredictResponse response = 2"),
    "tensorflow.serving.PredictionLog": ("LogMetadata log_metadata = 1", "oneof log_type PredictLog predict_log = 6"),
}

# In the order of their numbers, from 0.
_DATA_TYPES = """
    DT_INVALID DT_FLOAT DT_DOUBLE DT_INT32 DT_UINT8 DT_INT16 DT_INT8 DT_STRING DT_COMPLEX64 DT_INT64 DT_BOOL DT_QINT8
    DT_QUINT8 DT_QINT32 DT_BFLOAT16 DT_QINT16 DT_QUINT16 DT_UINT16 DT_COMPLEX128 DT_HALF DT_RESOURCE DT_VARIANT
    DT_UINT32 DT_UINT64
"""
_ERROR_CODES = """
    OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED
    RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS
    UNAUTHENTICATED
"""
# Enums in proto3 are open: a value that is not listed is kept as its number.
_ENUMS: dict[str, dict[str, int]] = {
    "tensorflow.DataType": {name: number for number, name in enumerate(_DATA_TYPES.split())},
    "tensorflow.error.Code": {name: number for number, name in enumerate(_ERROR_CODES.split())},
    "tensorflow.serving.ModelVersionStatus.State": {
        "UNKNOWN": 0,
        "START": 10,
        "LOADING": 20,
        "AVAILABLE": 30,
        "UNLOADING": 40,
        "END": 50,
    },
}

_CLASSES = message_classes(_MESSAGES, _ENUMS)


def message_class(full_name: str) -> Any:
    """Returns the class of one message, such as "tensorflow.serving.PredictRequest"."""
    return _CLASSES[full_name]


MESSAGE_NAMES = tuple(_MESSAGES)
DATA_TYPES = _ENUMS["tensorflow.DataType"]
VERSION_STATES = {number: name for name, number in _ENUMS["tensorflow.serving.ModelVersionStatus.State"].items()}

TensorProto = _CLASSES["tensorflow.TensorProto"]
SignatureDef = _CLASSES["tensorflow.SignatureDef"]
Example = _CLASSES["tensorflow.Example"]
ModelSpec = _CLASSES["tensorflow.serving.ModelSpec"]
PredictRequest = _CLASSES["tensorflow.serving.PredictRequest"]
PredictResponse = _CLASSES["tensorflow.serving.PredictResponse"]
GetModelStatusRequest = _CLASSES["tensorflow.serving.GetModelStatusRequest"]
GetModelStatusResponse = _CLASSES["tensorflow.serving.GetModelStatusResponse"]
GetModelMetadataRequest = _CLASSES["tensorflow.serving.GetModelMetadataRequest"]
GetModelMetadataResponse = _CLASSES["tensorflow.serving.GetModelMetadataResponse"]
SignatureDefMap = _CLASSES["tensorflow.serving.SignatureDefMap"]
PredictionLog = _CLASSES["tensorflow.serving.PredictionLog"]
