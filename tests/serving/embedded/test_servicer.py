"""Regress, status, metadata and what is left out, asked over gRPC with the official stubs."""

from __future__ import annotations

import grpc
import pytest
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    regression_pb2,
)

from support.serving_fixtures import contract_server, failure, stubs_on, versions_of

CODE = grpc.StatusCode


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def stubs(folder):
    with contract_server(folder) as server, stubs_on(f"127.0.0.1:{server.port}") as stubs:
        yield stubs


def _regression(signature="regress"):
    request = regression_pb2.RegressionRequest()
    request.model_spec.name = "demo"
    request.model_spec.version.value = 1
    request.model_spec.signature_name = signature
    for value in (1.0, 2.0):
        features = request.input.example_list.examples.add().features.feature
        features["x0"].float_list.value.append(value)
        features["x1"].float_list.value.append(0.5)
    return request


def test_regress_answers_one_value_per_example(stubs):
    response = stubs.prediction.Regress(_regression(), timeout=20)
    assert [regression.value for regression in response.result.regressions] == [1.5, 2.5]
    assert (response.model_spec.version.value, response.model_spec.signature_name) == (1, "regress")


def test_what_is_left_out_says_so(stubs):
    for method, request in (
        ("Classify", classification_pb2.ClassificationRequest()),
        ("MultiInference", inference_pb2.MultiInferenceRequest()),
    ):
        assert failure(getattr(stubs.prediction, method), request) == (
            CODE.UNIMPLEMENTED,
            f"{method} is not offered by the embedded server. Use Predict or Regress, or tensorflow_model_server.",
        )


def test_status_lists_versions_the_newest_first(stubs):
    assert [(s.version, s.state, s.status.error_code) for s in versions_of(stubs)] == [(7, 30, 0), (1, 30, 0)]
    assert [s.version for s in versions_of(stubs, version=1)] == [1]
    assert [s.version for s in versions_of(stubs, label="ignored")] == [7, 1]


def test_status_refuses_with_the_contracts_words(stubs):
    assert failure(versions_of, stubs, "nope") == (CODE.NOT_FOUND, "Could not find any versions of model nope")
    assert failure(versions_of, stubs, version=3) == (CODE.NOT_FOUND, "Could not find version 3 of model demo")
    request = get_model_status_pb2.GetModelStatusRequest()
    assert failure(stubs.model.GetModelStatus, request) == (CODE.INVALID_ARGUMENT, "Missing ModelSpec")


def test_metadata_holds_every_signature_as_in_the_saved_model(stubs, folder):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "demo"
    response = stubs.prediction.GetModelMetadata(request, timeout=20)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString((folder / "demo" / "1" / "saved_model.pb").read_bytes())
    expected = saved.meta_graphs[0].signature_def
    assert sorted(signatures.signature_def) == [
        "__saved_model_init_op",
        "regress",
        "serving_default",
        "serving_examples",
    ]
    assert dict(signatures.signature_def) == dict(expected)
    assert (response.model_spec.version.value, response.model_spec.signature_name) == (7, "")


def test_metadata_refuses_with_the_contracts_words(stubs):
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    ask = stubs.prediction.GetModelMetadata
    assert failure(ask, request) == (CODE.INVALID_ARGUMENT, "Missing ModelSpec")
    request.model_spec.name = "demo"
    assert failure(ask, request) == (
        CODE.INVALID_ARGUMENT, "GetModelMetadataRequest must specify at least one metadata_field"
    )  # fmt: skip
    request.metadata_field.append("X")
    assert failure(ask, request) == (CODE.INVALID_ARGUMENT, "Metadata field X is not supported")
    request.metadata_field[:] = ["signature_def"]
    request.model_spec.name = "nope"
    assert failure(ask, request) == (CODE.NOT_FOUND, "Servable not found for request: Latest(nope)")
