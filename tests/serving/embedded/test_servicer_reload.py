"""Models that come and go while the server runs: by RPC, by the config file, by the folders."""

from __future__ import annotations

import threading

import grpc
import pytest
from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2
from tensorflow_serving.config import model_server_config_pb2

from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.server import Server
from support.serving_fixtures import failure, predict_request, stubs_on, wait_until
from support.serving_models import save_model

CODE = grpc.StatusCode


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    save_model(folder / "rides" / "1")
    save_model(folder / "tips" / "1", scale=5.0)
    return folder


@pytest.fixture
def running(folder, tmp_path):
    """A server with one model, from a config file that is read again each 20 ms."""
    config = tmp_path / "models.config"
    config.write_text(_config(rides=folder / "rides"))
    flags = ServerFlags(
        port=0,
        model_config_file=str(config),
        model_config_file_poll_wait_seconds=0.02,  # type: ignore[arg-type]
        file_system_poll_wait_seconds=0.02,
        max_num_load_retries=0,
    )
    with Server(flags) as server, stubs_on(f"127.0.0.1:{server.port}") as stubs:
        yield config, stubs


def _config(**models):
    entries = [
        f'config {{ name: "{name}" base_path: "{path}" model_platform: "tensorflow" }}' for name, path in models.items()
    ]
    return f"model_config_list {{{' '.join(entries)}}}"


def _reload(stubs, timeout=20, metrics=(), platform="tensorflow", policy=None, labels=None, **models):
    request = model_management_pb2.ReloadConfigRequest(metric_names=metrics)
    request.config.model_config_list.SetInParent()
    for name, path in models.items():
        entry = request.config.model_config_list.config.add(
            name=name, base_path=str(path), model_platform=platform, version_labels=labels
        )
        if policy is not None:
            entry.model_version_policy.CopyFrom(policy)
    return stubs.model.HandleReloadConfigRequest(request, timeout=timeout)


def _answers(stubs, model, **options):
    try:
        return stubs.predict(predict_request(model, x0=[1.0], x1=[0.5]), **options).outputs["prediction"].float_val[0]
    except grpc.RpcError as error:
        assert error.code() == CODE.NOT_FOUND  # noqa: PT017
        return None


def test_reload_replaces_the_list_and_waits_for_new_models(running, folder):
    _, stubs = running
    response = _reload(stubs, metrics=["m1"], tips=folder / "tips")
    assert (response.status.error_code, [metric.name for metric in response.metric]) == (0, ["m1"])
    assert _answers(stubs, "tips") == 5.5
    wait_until(lambda: _answers(stubs, "rides") is None)


def test_reload_refuses_with_the_contracts_words_and_keeps_the_old_list(running, folder):
    _, stubs = running
    twice = model_management_pb2.ReloadConfigRequest()
    for _ in range(2):
        twice.config.model_config_list.config.add(name="a", base_path="/a", model_platform="tensorflow")
    cases = [
        (lambda: _reload(stubs, rides="relative"), CODE.INVALID_ARGUMENT,
         "Expected model rides to have an absolute path or URI; got base_path()=relative"),
        (lambda: _reload(stubs, platform="other", rides=folder / "rides"), CODE.INVALID_ARGUMENT,
         "Illegal to change a model's platform. For model rides platform was tensorflow and new platform requested is "
         "other"),
        (lambda: _reload(stubs, rides="/a\0b"), CODE.INVALID_ARGUMENT,
         "Model rides has a base path with a NUL byte. Expected the path of a folder."),
        (lambda: _reload(stubs, platform="", rides=folder / "rides"), CODE.INVALID_ARGUMENT,
         "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform."),
        (lambda: stubs.model.HandleReloadConfigRequest(twice), CODE.INVALID_ARGUMENT,
         "Illegal to list model a multiple times in config list"),
        (lambda: stubs.model.HandleReloadConfigRequest(model_management_pb2.ReloadConfigRequest()),
         CODE.INVALID_ARGUMENT,
         "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently "
         "supported"),
        (lambda: _reload(stubs, labels={"stable": 9}, rides=folder / "rides"), CODE.FAILED_PRECONDITION,
         "Request to assign label to version 9 of model rides, which is not currently available for inference"),
    ]  # fmt: skip
    for call, code, message in cases:
        assert failure(call) == (code, message)
        assert _answers(stubs, "rides") == 1.5


@pytest.mark.parametrize(
    ("host", "allow", "takes"),
    [("0.0.0.0", "auto", False), ("127.0.0.1", "false", False), ("0.0.0.0", "true", True)],
)
def test_reload_is_refused_where_others_than_this_machine_may_ask(folder, host, allow, takes):
    flags = ServerFlags(port=0, model_name="rides", model_base_path=str(folder / "rides"), allow_reload=allow)
    with Server(flags, host=host) as server, stubs_on(f"127.0.0.1:{server.port}") as stubs:
        if takes:
            assert _reload(stubs, tips=folder / "tips").status.error_code == 0
            return
        code, message = failure(_reload, stubs, tips=folder / "tips")
        assert code is CODE.PERMISSION_DENIED
        assert message == (
            "This server does not take HandleReloadConfigRequest, which can have any folder of its machine loaded. It "
            "takes them when it listens on loopback only or was started with `--allow_reload=true`. Or edit the file "
            "of `--model_config_file`."
        )
        assert (_answers(stubs, "tips"), _answers(stubs, "rides")) == (None, 1.5)


def test_reload_waits_no_longer_than_the_caller(running, folder):
    _, stubs = running
    assert failure(_reload, stubs, timeout=0.3, late=folder / "late")[0] == CODE.DEADLINE_EXCEEDED
    assert _reload(stubs, rides=folder / "rides").status.error_code == 0


def test_labels_name_a_canary_and_come_back_from_it(running, folder, tmp_path):
    _, stubs = running
    save_model(tmp_path / "rides" / "1")
    save_model(tmp_path / "rides" / "2", scale=10.0)
    both = model_server_config_pb2.ModelConfig().model_version_policy
    both.specific.versions.extend([1, 2])
    _reload(stubs, policy=both, canary=tmp_path / "rides")
    wait_until(lambda: len(_versions(stubs, "canary", 30)) == 2)
    _reload(stubs, policy=both, labels={"stable": 1, "next": 2}, canary=tmp_path / "rides")
    for label, version in (("stable", 1), ("next", 2)):
        request = predict_request("canary", x0=[1.0], x1=[0.5])
        request.model_spec.version_label = label
        assert stubs.predict(request).model_spec.version.value == version


def _versions(stubs, name, state):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = name
    return [s.version for s in stubs.model.GetModelStatus(request, timeout=20).model_version_status if s.state == state]


def test_config_file_is_read_again_and_a_bad_one_changes_nothing(running, folder, caplog):
    config, stubs = running
    config.write_text("model_config_list { config {")
    wait_until(lambda: "Cannot serve the models of the changed " in caplog.text)
    assert _answers(stubs, "rides") == 1.5
    config.write_text(_config(rides=folder / "rides", tips=folder / "tips"))
    wait_until(lambda: _answers(stubs, "tips") == 5.5)
    config.write_text(_config(tips=folder / "tips"))
    wait_until(lambda: _answers(stubs, "rides") is None)


def test_a_swap_under_load_drops_no_call(tmp_path):
    base = tmp_path / "rides"
    save_model(base / "1")
    flags = ServerFlags(port=0, model_name="rides", model_base_path=str(base), file_system_poll_wait_seconds=0.02)
    with Server(flags) as server, stubs_on(f"127.0.0.1:{server.port}") as stubs:
        ended, answers, problems = threading.Event(), set(), []

        def call():
            while not ended.is_set():
                try:
                    response = stubs.predict(predict_request("rides", x0=[1.0], x1=[0.0]))
                    answers.add((response.model_spec.version.value, response.outputs["prediction"].float_val[0]))
                except grpc.RpcError as error:
                    problems.append(error)

        threads = [threading.Thread(target=call) for _ in range(3)]
        for thread in threads:
            thread.start()
        for version in (2, 3):
            save_model(base / str(version), scale=float(version))
            wait_until(lambda version=version: (version, float(version)) in answers)
        (base / "3").rename(base / "3.rolled_back")
        answers.clear()
        wait_until(lambda: (2, 2.0) in answers and _versions(stubs, "rides", 30) == [2])
        ended.set()
        for thread in threads:
            thread.join()
    assert problems == []


def test_a_bad_version_leaves_the_old_one_in_service(tmp_path):
    base = tmp_path / "rides"
    save_model(base / "1")
    flags = ServerFlags(
        port=0,
        model_name="rides",
        model_base_path=str(base),
        file_system_poll_wait_seconds=0.02,
        max_num_load_retries=0,
    )
    with Server(flags) as server, stubs_on(f"127.0.0.1:{server.port}") as stubs:
        (base / ".tmp-2").mkdir()
        (base / ".tmp-2" / "saved_model.pb").write_bytes(b"junk")
        (base / ".tmp-2").rename(base / "2")
        wait_until(lambda: _versions(stubs, "rides", 50) == [2])
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = "rides"
        failed, served = stubs.model.GetModelStatus(request, timeout=20).model_version_status
        assert (failed.status.error_code, served.version, served.state) == (CODE.DATA_LOSS.value[0], 1, 30)
        assert "Cannot parse file" in failed.status.error_message
        assert _answers(stubs, "rides") == 1.5
