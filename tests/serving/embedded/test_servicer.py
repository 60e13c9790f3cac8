"""Regress, status, metadata and what is left out, asked over gRPC with the official stubs."""

from __future__ import annotations

import grpc
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
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


def test_server_tells_a_client_without_protos_what_it_offers(stubs):
    listed = ProtoReflectionDescriptorDatabase(stubs.channel).get_services()
    assert {"tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"} <= set(listed)
    assert "grpc.health.v1.Health" not in listed  # without its flag


def test_regress_answers_one_value_per_example(stubs):
    response = stubs.prediction.Regress(_regression(), timeout=20)
    assert [regression.value for regression in response.result.regressions] == [1.5, 2.5]
    assert (response.model_spec.version.value, response.model_spec.signature_name) == (1, "regress")


def test_multi_inference_answers_for_the_version_of_its_first_task(stubs):
    request = inference_pb2.MultiInferenceRequest(input=_regression().input)
    request.tasks.add(model_spec=_regression().model_spec, method_name="tensorflow/serving/regress")
    (result,) = stubs.prediction.MultiInference(request, timeout=20).results
    assert [regression.value for regression in result.regression_result.regressions] == [1.5, 2.5]
    assert (result.model_spec.version.value, result.model_spec.signature_name) == (1, "regress")
    request.ClearField("tasks")
    found = failure(stubs.prediction.MultiInference, request)
    assert found == (CODE.INVALID_ARGUMENT, "Inference request must have at least one task.")


def test_classify_refuses_a_regression(stubs):
    request = classification_pb2.ClassificationRequest(model_spec=_regression().model_spec, input=_regression().input)
    code, message = failure(stubs.prediction.Classify, request)
    assert code == CODE.FAILED_PRECONDITION
    assert message.startswith("Expected classification signature outputs to contain at least one of")


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
