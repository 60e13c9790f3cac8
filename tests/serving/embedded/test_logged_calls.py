"""The embedded server logs what it answers, and answers whatever the log's disk does."""

from __future__ import annotations

import json
import urllib.request

import pytest

from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.embedded.warmup import warm_up
from crossnet.serving.logged import logged_rows, read_log, write_warmup
from crossnet.serving.server import Server
from crossnet.serving.status import ServingError
from support.limits import files_of_at_most
from support.serving_fixtures import failure, predict_request, stubs_on
from support.serving_models import save_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("model") / "rides" / "3")


def flags_of(model, folder, **settings):
    base = str(model.parent)
    return ServerFlags(port=0, model_name="demo", model_base_path=base, request_log_dir=str(folder), **settings)


def post(server, method, document):
    url = f"http://127.0.0.1:{server.rest_port}/v1/models/demo:{method}"
    with urllib.request.urlopen(url, json.dumps(document).encode(), timeout=20) as answer:
        return json.load(answer)


def test_calls_of_both_ports_are_logged_and_warm_the_model_up(model, tmp_path, load):
    with Server(flags_of(model, tmp_path / "log"), rest=True) as server:
        with stubs_on(f"127.0.0.1:{server.port}") as stubs:
            stubs.predict(predict_request(x0=[1.0, 2.0], x1=[0.5, 0.5]))
            failure(stubs.predict, predict_request("other", x0=[1.0], x1=[0.5]))
        example = {"x0": 4.0, "x1": 1.0}
        assert post(server, "predict", {"instances": [{"x0": 3, "x1": 0.25}]}) == {"predictions": [3.25]}
        assert post(server, "regress", {"signature_name": "regress", "examples": [example]}) == {"results": [5.0]}
    calls = list(read_log(tmp_path / "log"))
    assert [(call.model, call.version, call.signature) for call in calls] == [("demo", 3, "serving_default")] * 2
    rows = [{name: value for name, value in row.items() if name != "logged_at"} for row in logged_rows(calls)]
    assert rows == [
        {"model": "demo", "version": 3, "x0": x0, "x1": x1, "prediction": x0 + x1}
        for x0, x1 in [(1.0, 0.5), (2.0, 0.5), (3.0, 0.25)]
    ]
    (file,) = (tmp_path / "log").iterdir()
    warmed = save_model(tmp_path / "4")
    (warmed / "assets.extra").mkdir()
    (warmed / "assets.extra" / "tf_serving_warmup_requests").write_bytes(file.read_bytes())  # Regress too
    assert warm_up(load(warmed)) == 3
    write_warmup(tmp_path / "log", warmed / "assets.extra" / "tf_serving_warmup_requests", 1)
    assert warm_up(load(warmed)) == 1


def test_no_call_fails_while_the_disk_of_the_log_is_full(model, tmp_path):
    with Server(flags_of(model, tmp_path)) as server, stubs_on(f"127.0.0.1:{server.port}") as stubs:
        with files_of_at_most(100):
            for value in range(200):
                answer = stubs.predict(predict_request(x0=[float(value)], x1=[0.5]))
                assert answer.outputs["prediction"].float_val == [value + 0.5]
        log = server._log
    assert log.dropped > 0
    assert log.dropped + log.written == 200
    assert len(list(read_log(tmp_path))) == log.written if log.written else not list(tmp_path.iterdir())


def test_folder_that_cannot_be_written_is_refused_at_start(model, tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(
            ServingError,
            match="Failed to start server.* INVALID_ARGUMENT: The request log cannot be written to .*/file/log`: Not a",
        ) as error,
        Server(flags_of(model, tmp_path / "file" / "log")),
    ):
        pass
    assert error.value.exit_code == 1
