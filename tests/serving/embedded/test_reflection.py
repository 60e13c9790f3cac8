"""Reflection, asked with the package's own client and, for version v1, as grpcurl asks."""

from __future__ import annotations

import contextlib
import queue
import threading

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.embedded.call_threads import CallThreads
from crossnet.serving.embedded.listen import open_server
from crossnet.serving.embedded.reflection import Reflection
from crossnet.serving.server import Server
from support.serving_models import save_model

SERVICES = ["tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"]
HEALTH = "grpc.health.v1.Health"
OWN = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]


@pytest.fixture(scope="module", params=[True, False], ids=["health", "plain"])
def asked(request):
    """A channel to a server that offers reflection, and whether it offers health checks."""
    threads = CallThreads(2)
    handlers = Reflection(health=request.param).handlers()
    server, port = open_server(ServerFlags(port=0), "127.0.0.1", handlers, None, threads)
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel, request.param
    server.stop(None).wait()
    threads.shutdown()


def test_reflection_lists_the_services(asked):
    channel, health = asked
    listed = ProtoReflectionDescriptorDatabase(channel).get_services()
    assert sorted(listed) == sorted([*SERVICES, *OWN, *([HEALTH] if health else [])])


def test_reflection_describes_every_method_and_its_messages(asked):
    channel, health = asked
    pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    predict = pool.FindServiceByName(SERVICES[0]).methods_by_name["Predict"]
    assert predict.input_type.full_name == "tensorflow.serving.PredictRequest"
    assert (
        "tensor_content"
        in predict.input_type.fields_by_name["inputs"].message_type.fields_by_name["value"].message_type.fields_by_name
    )
    assert "HandleReloadConfigRequest" in pool.FindServiceByName(SERVICES[1]).methods_by_name
    for name in OWN:
        assert [method.name for method in pool.FindServiceByName(name).methods] == ["ServerReflectionInfo"]
    if health:
        methods = pool.FindServiceByName(HEALTH).methods
        assert {method.name: method.output_type.name for method in methods} == dict.fromkeys(
            ("Check", "Watch"), "HealthCheckResponse"
        )


def test_reflection_answers_in_version_v1_and_says_what_it_does_not_know(asked):
    channel, _ = asked
    ask = channel.stream_stream(
        f"/{OWN[0]}/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    known = reflection_pb2.ServerReflectionRequest(file_containing_symbol="tensorflow.serving.ModelSpec")
    unknown = reflection_pb2.ServerReflectionRequest(file_containing_symbol="no.such.Message")
    first, second = ask(iter([known, unknown]), timeout=20)
    file = descriptor_pb2.FileDescriptorProto.FromString(first.file_descriptor_response.file_descriptor_proto[0])
    assert file.name == "tensorflow_serving/apis/model.proto"
    assert second.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


def test_open_streams_end_with_the_server_and_not_after_its_grace(tmp_path):
    """A client that keeps its stream open, as grpcurl's shell does, does not hold up SIGTERM."""
    save_model(tmp_path / "demo" / "1")
    server = Server(ServerFlags(port=0, model_name="demo", model_base_path=str(tmp_path / "demo")))
    server.start()
    stopped = threading.Thread(target=server.stop, args=(300.0,))
    requests: queue.SimpleQueue = queue.SimpleQueue()
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        ask = channel.stream_stream(
            f"/{OWN[1]}/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        answers = ask(iter(requests.get, None))
        requests.put(reflection_pb2.ServerReflectionRequest(list_services="*"))
        assert len(next(answers).list_services_response.service) == len([*SERVICES, *OWN])
        stopped.start()
        with pytest.raises(grpc.RpcError) as error:
            next(answers)
        assert error.value.code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)
        stopped.join(60)
        assert not stopped.is_alive()
        requests.put(None)
        with contextlib.suppress(grpc.RpcError):
            assert list(answers) == []
