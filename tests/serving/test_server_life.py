"""Tests how the server starts, where it listens, and how it stops."""

from __future__ import annotations

import gc
import socket
import threading
import time

import grpc
import pytest
import tensorflow as tf

from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.server import Server
from crossnet.serving.status import ServingError
from support.certificates import self_signed
from support.serving_fixtures import failure, predict_request, states, stubs_on, wait_until
from support.serving_models import save_demo, save_model

CODE = grpc.StatusCode


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_demo(tmp_path_factory.mktemp("models") / "demo")


def test_server_finishes_running_calls_when_it_stops(base, monkeypatch):
    from crossnet.serving.embedded import predictor

    entered, go_on = threading.Event(), threading.Event()
    original = predictor.predict

    def slow(*arguments):
        entered.set()
        assert go_on.wait(20)
        return original(*arguments)

    monkeypatch.setattr("crossnet.serving.embedded.predictor.predict", slow)
    server = Server(ServerFlags(port=0, model_name="demo", model_base_path=str(base)))
    server.start()
    with stubs_on(f"127.0.0.1:{server.port}") as stubs:
        call = stubs.prediction.Predict.future(predict_request(x0=[1.0], x1=[2.0]), timeout=20)
        assert entered.wait(20)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        go_on.set()
        assert call.result().outputs["prediction"].float_val[0] == 12.0
        stopping.join()
        assert failure(stubs.predict, predict_request(x0=[1.0], x1=[2.0]), timeout=5)[0] == CODE.UNAVAILABLE


def test_server_listens_only_when_the_model_is_available(tmp_path):
    server = Server(ServerFlags(port=0, model_name="late", model_base_path=str(tmp_path / "late"),
                                file_system_poll_wait_seconds=0.02))  # fmt: skip
    starting = threading.Thread(target=server.start)
    starting.start()
    wait_until(lambda: "late" in server._manager._entries)
    assert server.port is None
    save_model(tmp_path / "late" / "1")
    starting.join(20)
    assert server.port
    with stubs_on(f"127.0.0.1:{server.port}") as stubs:
        assert states(stubs, "late") == {1: (30, 0)}
    server.stop()


def test_server_rejects_grpc_calls_while_rest_drains(tmp_path):
    save_model(tmp_path / "demo" / "1")
    server = Server(ServerFlags(port=0, model_name="demo", model_base_path=str(tmp_path / "demo")), rest=True)
    server.start()
    with (
        socket.create_connection(("127.0.0.1", server.rest_port)) as slow,
        stubs_on(f"127.0.0.1:{server.port}") as stubs,
    ):
        slow.sendall(b"POST /v1/models/demo:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert states(stubs, "demo") == {1: (30, 0)}
        stopping = threading.Thread(target=server.stop, args=(3.0,))
        stopping.start()

        def refused():
            try:
                states(stubs, "demo")
            except grpc.RpcError as error:
                return error.code() == CODE.UNAVAILABLE

        wait_until(refused)
        was_draining = stopping.is_alive()
    stopping.join(20)
    assert was_draining


def test_server_answers_beside_a_thousand_open_streams(base):
    def never():
        gate.wait()
        return
        yield

    gate = threading.Event()
    flags = ServerFlags(port=0, model_name="demo", model_base_path=str(base))
    with (
        Server(flags) as server,
        stubs_on(f"127.0.0.1:{server.port}") as stubs,
        stubs_on(f"127.0.0.1:{server.port}", options=[("grpc.use_local_subchannel_pool", 1)]) as hog,
    ):
        path = "/tensorflow.serving.PredictionService/Predict"
        # A stream that is opened and never sends its request.
        stream = hog.channel.stream_unary(path)
        calls = [stream.future(iter(never()), timeout=60) for _ in range(50)]
        burst = [
            hog.prediction.Predict.future(predict_request(x0=[1.0], x1=[2.0]), timeout=60) for _ in range(1000)
        ]  # fmt: skip
        assert stubs.predict(predict_request(x0=[1.0], x1=[2.0])).model_spec.version.value == 7
        codes = {call.code() for call in burst}
        assert codes <= {CODE.OK, CODE.RESOURCE_EXHAUSTED}
        gate.set()
        for call in calls:
            call.cancel()
        assert stubs.predict(predict_request(x0=[1.0], x1=[2.0])).model_spec.version.value == 7


def test_calls_that_come_while_the_server_ends_are_unavailable_not_cancelled(base):
    """gRPC cancels calls that it has not passed to the server yet, and clients do not retry cancelled calls."""
    for _ in range(3):
        last = []
        with Server(ServerFlags(port=0, model_name="demo", model_base_path=str(base))) as server:
            request = predict_request("demo", x0=[1.0], x1=[2.0])
            begun = threading.Barrier(9, timeout=30)

            def call_until_rejected(request=request, begun=begun, last=last, server=server):
                with stubs_on(f"localhost:{server.port}") as stubs:
                    stubs.predict(request)
                    begun.wait()
                    try:
                        while True:
                            stubs.predict(request)
                    except grpc.RpcError as error:
                        last.append((error.code(), error.details()))

            callers = [threading.Thread(target=call_until_rejected) for _ in range(8)]
            for caller in callers:
                caller.start()
            begun.wait()
            time.sleep(0.1)
        for caller in callers:
            caller.join(30)
        assert last == [(CODE.UNAVAILABLE, "The server is shutting down.")] * 8


def test_version_that_waits_for_another_attempt_is_loading(tmp_path):
    save_model(tmp_path / "demo" / "1")
    flags = ServerFlags(port=0, model_name="demo", model_base_path=str(tmp_path / "demo"))
    with Server(flags) as server, stubs_on(f"localhost:{server.port}") as stubs:
        (tmp_path / ".2").mkdir()
        (tmp_path / ".2" / "saved_model.pb").write_bytes(b"no model")
        (tmp_path / ".2").rename(tmp_path / "demo" / "2")
        wait_until(lambda: states(stubs, "demo").get(2, (0, 0))[1] != 0)
        assert states(stubs, "demo")[2][0] == 20
        assert states(stubs, "demo")[1] == (30, 0)


def test_server_does_not_start_on_a_model_that_does_not_load(tmp_path):
    (tmp_path / "bad" / "1").mkdir(parents=True)
    (tmp_path / "bad" / "1" / "saved_model.pb").write_bytes(b"no model")
    flags = ServerFlags(port=0, model_name="bad", model_base_path=str(tmp_path / "bad"), max_num_load_retries=0)
    sentence = (
        r"Failed to start server\. Error: UNKNOWN: 1 servable\(s\) did not become available: "
        r"\{\{\{name: bad version: 1\} due to error: "
    )
    with pytest.raises(ServingError, match=sentence) as error:
        Server(flags).start()
    assert error.value.exit_code == 1


def test_server_listens_on_a_socket_too(base, tmp_path):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        flags = ServerFlags(
            port=0, grpc_socket_path=f"{folder}/s", model_name="demo", model_base_path=str(base),
            grpc_channel_arguments="grpc.max_concurrent_streams=50,unknown=x",
            enable_serialization_as_tensor_content=True,
        )  # fmt: skip
        with Server(flags) as server, stubs_on(f"unix:{folder}/s") as stubs:
            assert server.port is None
            tensor = stubs.predict(predict_request(x0=[1.0], x1=[2.0])).outputs["prediction"]
            assert tf.make_ndarray(tensor).tolist() == [12.0]
            assert len(tensor.float_val) == 0
    gc.collect()


@pytest.mark.parametrize("verify", [False, True])
def test_server_speaks_tls_and_mutual_tls(base, tmp_path, verify):
    from google.protobuf import text_format

    from crossnet.serving.config.messages import SSLConfig

    key, certificate = (text.decode() for text in self_signed("localhost"))
    config = tmp_path / "ssl.config"
    config.write_text(
        text_format.MessageToString(
            SSLConfig(
                server_key=key, server_cert=certificate, custom_ca=certificate if verify else "", client_verify=verify
            )
        )
    )
    flags = ServerFlags(port=0, model_name="demo", model_base_path=str(base), ssl_config_file=str(config))
    with Server(flags) as server:
        target = f"localhost:{server.port}"
        trusting = grpc.ssl_channel_credentials(certificate.encode())
        known = grpc.ssl_channel_credentials(certificate.encode(), key.encode(), certificate.encode())
        with stubs_on(target, credentials=known) as stubs:
            assert stubs.predict(predict_request(x0=[1.0], x1=[2.0])).model_spec.version.value == 7
        with stubs_on(target, credentials=trusting) as stubs:
            if verify:
                assert failure(stubs.predict, predict_request(x0=[1.0], x1=[2.0]), timeout=5)[0] == CODE.UNAVAILABLE
            else:
                assert stubs.predict(predict_request(x0=[1.0], x1=[2.0])).model_spec.version.value == 7
        with stubs_on(target) as stubs:
            assert failure(stubs.predict, predict_request(x0=[1.0], x1=[2.0]), timeout=5)[0] == CODE.UNAVAILABLE
