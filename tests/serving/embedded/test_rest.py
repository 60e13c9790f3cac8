"""The REST port, asked over HTTP with the standard library."""

from __future__ import annotations

import gc
import gzip
import http.client
import json
import math
import socket
import subprocess
import time

import pytest
import tensorflow as tf

from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.server import Server
from crossnet.serving.status import ServingError
from support.serving_fixtures import all_versions
from support.serving_models import save_graph, save_model


def two_classes(inputs):
    return {"classes": tf.constant([["a", "b"]] * 2), "scores": tf.constant([[0.5, 1.5]] * 2)}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rest")
    save_model(folder / "demo" / "1")
    save_model(folder / "demo" / "2", scale=10.0)
    save_graph(
        folder / "types" / "1",
        lambda **given: {name: tf.identity(tensor) for name, tensor in given.items()},
        i=(tf.int32, None), s=(tf.string, None), raw_bytes=(tf.string, None), b=(tf.bool, None), d=(tf.float64, None),
    )  # fmt: skip
    save_graph(folder / "one" / "1", lambda x: {"y": x * 2.0}, x=(tf.float32, None))
    save_graph(folder / "classes" / "1", two_classes, inputs=(tf.string, [None]))
    config = folder / "models.config"
    config.write_text(all_versions(folder, "demo", "types", "one", "classes", labels={"demo": {"canary": 2}}))
    flags = ServerFlags(
        port=0,
        model_config_file=str(config),
        allow_version_labels_for_unavailable_models=True,
    )
    with Server(flags, rest=True) as running:
        yield running


@pytest.fixture(scope="module")
def ask(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=20)

    def request(method, path, body=None, headers=None):
        data = body if body is None or isinstance(body, bytes | str) else json.dumps(body)
        connection.request(method, path, data, headers or {})
        response = connection.getresponse()
        return response.status, response.read().decode(), response.headers

    request.port = server.rest_port
    yield request
    connection.close()


def predict(ask, body, model="demo"):
    status, text, _ = ask("POST", f"/v1/models/{model}:predict", body)
    return status, json.loads(text)


def test_rest_answers_rows_with_predictions(ask):
    body = {"instances": [{"x0": 1, "x1": 2.5}, {"x0": 2, "x1": 0}]}
    assert predict(ask, body) == (200, {"predictions": [12.5, 20.0]})
    assert predict(ask, {"signature_name": "serving_default", **body}, "demo/versions/1") == (
        200,
        {"predictions": [3.5, 2.0]},
    )
    assert predict(ask, body, "demo/labels/canary")[1] == {"predictions": [12.5, 20.0]}
    assert predict(ask, {"instances": [[1.0, 2.0], [3.0, 4.0]]}, "one")[1] == {"predictions": [[2.0, 4.0], [6.0, 8.0]]}


def test_rest_answers_columns_with_outputs(ask):
    assert predict(ask, {"inputs": {"x0": [1, 2], "x1": [0.5, 0.5], "more": 1}}) == (200, {"outputs": [10.5, 20.5]})
    assert predict(ask, {"inputs": [1.0, 2.0]}, "one") == (200, {"outputs": [2.0, 4.0]})


def test_rest_paths_ignore_case_and_take_percent_encoding(ask):
    status, text, headers = ask("POST", "/V1/MODELS/d%65mo:PREDICT?x=1", {"inputs": {"x0": [1], "x1": [0]}})
    assert (status, json.loads(text)) == (200, {"outputs": [10.0]})
    assert headers["content-type"] == "application/json"


def test_rest_keeps_every_type(ask):
    row = {"i": 7, "s": "é", "raw_bytes": {"b64": "/wA="}, "b": True, "d": 0.1}
    assert predict(ask, {"instances": [row]}, "types") == (200, {"predictions": [row]})
    columns = {name: [value] for name, value in row.items()}
    assert predict(ask, {"inputs": columns}, "types") == (200, {"outputs": columns})


def test_rest_reads_and_writes_bare_nan_and_infinity(ask):
    status, text, _ = ask("POST", "/v1/models/one:predict", '{"inputs": [NaN, Infinity, -Infinity]}')
    assert status == 200
    assert "[NaN, Infinity, -Infinity]" in text
    assert math.isnan(json.loads(text)["outputs"][0])


@pytest.mark.parametrize(
    ("model", "body", "status", "words"),
    [
        ("demo", "{", 400, "JSON Parse error: Expecting property name enclosed in double quotes at offset: 1"),
        ("demo", "", 400, "JSON Parse error: The document is empty"),
        ("demo", {}, 400, "Missing 'inputs' or 'instances' key"),
        ("demo", {"signature_name": "S"}, 400, 'Serving signature name: "S" not found in signature def'),
        ("one", {"inputs": "a"}, 400, 'JSON Value: "a" Type: String is not of expected type: float'),
        ("nope", {}, 404, "Servable not found for request: Latest(nope)"),
        ("demo/versions/9", {}, 404, "Servable not found for request: Specific(demo, 9)"),
        ("demo/versions/99999999999999999999", {}, 400, "Failed to convert version: 99999999999999999999 to numeric."),
        ("demo/labels/beta", {}, 400, "Unrecognized servable version label: beta"),
    ],
)  # fmt: skip
def test_rest_refuses_with_the_contracts_status_and_words(ask, model, body, status, words):
    got, answer = predict(ask, body, model)
    assert got == status
    assert list(answer) == ["error"]
    assert words in answer["error"]


def test_rest_tells_the_status_of_versions(ask):
    entry = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    status, text, _ = ask("GET", "/v1/models/demo")
    assert (status, json.loads(text)) == (
        200, {"model_version_status": [{"version": "2", **entry}, {"version": "1", **entry}]}
    )  # fmt: skip
    assert json.loads(ask("GET", "/v1/models/demo/versions/1")[1])["model_version_status"] == [
        {"version": "1", **entry}
    ]
    assert json.loads(ask("GET", "/v1/models/nope")[1]) == {"error": "Could not find any versions of model nope"}


def test_rest_tells_metadata_with_proto_field_names(ask):
    status, text, _ = ask("GET", "/v1/models/demo/labels/canary/metadata")
    answer = json.loads(text)
    assert status == 200
    assert answer["model_spec"] == {"name": "demo", "signature_name": "", "version": "2"}
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["x0"]["dtype"] == "DT_FLOAT"
    assert signature["inputs"]["x0"]["tensor_shape"]["dim"] == [{"size": "-1", "name": ""}]
    assert signature["method_name"] == "tensorflow/serving/predict"


def test_rest_refuses_other_paths(ask):
    assert ask("GET", "/v1/models/demo:predict")[:2] == (
        400,
        '{"error": "Malformed request: GET /v1/models/demo:predict"}',
    )
    assert ask("DELETE", "/v1/models/demo")[0] == 400
    assert ask("GET", "/metrics")[0] == 404
    assert ask("GET", "/v1/models")[:2] == (400, '{"error": "Missing model name in request."}')


def test_rest_regresses_and_classifies_examples(ask):
    examples = {
        "signature_name": "regress",
        "context": {"x1": 0.5},
        "examples": [{"x0": 1.0}, {"x0": [2.0], "x1": 4.0}],
    }
    status, text, _ = ask("POST", "/v1/models/demo/versions/1:regress", examples)
    assert (status, json.loads(text)) == (200, {"results": [1.5, 6.0]})
    status, text, _ = ask("POST", "/v1/models/classes:CLASSIFY", {"examples": [{}, {}]})
    assert (status, json.loads(text)) == (200, {"results": [[["a", 0.5], ["b", 1.5]]] * 2})
    status, text, _ = ask("POST", "/v1/models/demo:classify", {"examples": [{}]})
    assert (status, json.loads(text)) == (400, {"error": "Expected one input Tensor."})
    assert ask("POST", "/v1/models/demo:regress", {})[0] == 400


def test_rest_sets_nodelay_on_connections(server):
    """Without it each answer on a connection that is kept waits 40 ms."""
    with socket.create_connection(("127.0.0.1", server.rest_port)) as client:
        client.sendall(b"GET /v1/models/demo HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(100)
        local = client.getsockname()[1]
        accepted = [
            accepted
            for accepted in (s for s in gc.get_objects() if isinstance(s, socket.socket) and s.fileno() >= 0)
            if _peer_port(accepted) == local
        ]
        assert [s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for s in accepted] == [1]


def _peer_port(candidate):
    try:
        return candidate.getpeername()[1]
    except (OSError, IndexError):
        return None


def test_rest_takes_and_gives_gzip(ask):
    rows = {"inputs": {"x0": [i / 7 for i in range(2000)], "x1": [0.5] * 2000}}
    plain = ask("POST", "/v1/models/demo:predict", rows)
    headers = {"Content-Encoding": "gzip", "Accept-Encoding": "gzip"}
    body = gzip.compress(json.dumps(rows).encode())
    connection = http.client.HTTPConnection("127.0.0.1", ask.port, timeout=20)
    connection.request("POST", "/v1/models/demo:predict", body, headers)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    assert (answer.status, answer.headers["Content-Encoding"]) == (200, "gzip")
    assert gzip.decompress(data).decode() == plain[1]
    status, text, _ = ask("POST", "/v1/models/demo:predict", body[:-20], {"Content-Encoding": "gzip"})
    assert (status, json.loads(text)["error"]) == (
        400,
        "The body is not the gzip that its Content-Encoding announces: it ends too early.",
    )


def test_rest_refuses_a_body_that_grows_beyond_the_limit(tmp_path):
    flags = ServerFlags(port=0, model_base_path=str(save_model(tmp_path / "1").parent), rest_api_max_body_mib=1)
    with Server(flags, rest=True) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=20)
        body = gzip.compress(b" " * (2**20 + 1))
        connection.request("POST", "/v1/models/default:predict", body, {"Content-Encoding": "gzip"})
        answer = connection.getresponse()
        assert answer.status == 413
        assert b"limit of `--rest_api_max_body_mib`" in answer.read()
        connection.close()


def test_rest_allows_other_origins_only_when_asked(ask, tmp_path):
    origin = {"Origin": "http://x"}
    assert "access-control-allow-origin" not in ask("GET", "/v1/models/demo", headers=origin)[2]
    save_model(tmp_path / "demo" / "1")
    flags = ServerFlags(
        port=0, model_name="demo", model_base_path=str(tmp_path / "demo"), rest_api_enable_cors_support=True
    )
    with Server(flags, rest=True) as allowing:
        connection = http.client.HTTPConnection("127.0.0.1", allowing.rest_port, timeout=20)
        connection.request("GET", "/v1/models/demo", headers=origin)
        response = connection.getresponse()
        assert (response.status, response.headers["access-control-allow-origin"]) == (200, "*")
        connection.close()


def test_rest_gives_up_after_its_timeout(server, monkeypatch):
    import threading

    gate = threading.Event()
    monkeypatch.setattr(server._rest, "_seconds", 0.05)
    monkeypatch.setattr("crossnet.serving.embedded.predictor.run", lambda *_: gate.wait(20))
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=20)
    connection.request("POST", "/v1/models/one:predict", '{"inputs": [1]}')
    response = connection.getresponse()
    assert (response.status, "rest_api_timeout_in_ms" in response.read().decode()) == (504, True)
    gate.set()
    connection.close()


def test_rest_answers_curl(server):
    command = ["curl", "-s", "-d", '{"instances": [{"x0": 1, "x1": 2}]}']
    url = f"http://127.0.0.1:{server.rest_port}/v1/models/demo:predict"
    try:
        text = subprocess.run([*command, url], capture_output=True, check=True, timeout=20).stdout
    except FileNotFoundError:
        pytest.skip("curl is not installed")
    assert json.loads(text) == {"predictions": [12.0]}


def test_rest_says_which_port_is_taken(server, tmp_path):
    save_model(tmp_path / "demo" / "1")
    flags = ServerFlags(
        port=0, model_name="demo", model_base_path=str(tmp_path / "demo"), rest_api_port=server.rest_port
    )
    with pytest.raises(ServingError, match=rf"Cannot listen on 127.0.0.1:{server.rest_port} for REST: Address already"):
        Server(flags).start()


def _half_a_request(server):
    half = socket.create_connection(("127.0.0.1", server.rest_port), 20)
    half.sendall(b"POST /v1/models/demo:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    return half


def test_rest_tells_who_waits_for_a_body_that_the_server_ends(tmp_path, caplog):
    save_model(tmp_path / "demo" / "1")
    server = Server(ServerFlags(port=0, model_name="demo", model_base_path=str(tmp_path / "demo")), rest=True)
    server.start()
    with _half_a_request(server) as half:
        time.sleep(0.2)
        server.stop(grace_seconds=0.1)
        answer = half.recv(10_000)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert answer.endswith(b'"The server is shutting down."}')
    assert not [record for record in caplog.records if record.exc_info]


def test_rest_does_not_wait_for_ever_for_a_body(tmp_path):
    save_model(tmp_path / "demo" / "1")
    flags = ServerFlags(port=0, model_name="demo", model_base_path=str(tmp_path / "demo"), rest_api_timeout_in_ms=200)
    with Server(flags, rest=True) as server, _half_a_request(server) as half:
        assert half.recv(10_000).startswith(b"HTTP/1.1 504 ")
