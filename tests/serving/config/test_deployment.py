"""Tests the flags and files with which each kind of server is started."""

from __future__ import annotations

import pytest
from google.protobuf import text_format

from crossnet.serving.config.deployment import DOCKER_IMAGE, Deployment
from crossnet.serving.config.messages import BatchingParameters, MonitoringConfig, model_server_config
from crossnet.serving.status import ServingError, UsageError
from support.limits import files_of_at_most
from support.serving_fixtures import wait_until
from support.serving_models import push_empty_model


def test_deployment_writes_files_that_parse_as_the_protos_they_are(tmp_path):
    push_empty_model(tmp_path, 'a "quoted" name')
    push_empty_model(tmp_path, "rides")
    (tmp_path / "serving_models" / ".tmp-3").mkdir()
    deployment = Deployment(["--enable_batching=true"], root=tmp_path)
    assert deployment.wait_for_models(lambda: True)
    assert deployment.models == ['a "quoted" name', "rides"]
    deployment.binary_flags()
    folder = tmp_path / "serving"
    listed = text_format.Parse((folder / "models.config").read_text(), model_server_config()).model_config_list.config
    assert [(m.name, m.base_path, m.model_platform) for m in listed] == [
        (name, f"{tmp_path}/serving_models/{name}", "tensorflow") for name in deployment.models
    ]
    text_format.Parse((folder / "monitoring.config").read_text(), MonitoringConfig())
    text_format.Parse((folder / "batching.config").read_text(), BatchingParameters())


def test_deployment_leaves_no_half_of_a_config_file(tmp_path):
    push_empty_model(tmp_path, "rides")
    deployment = Deployment([], root=tmp_path)
    with files_of_at_most(10), pytest.raises(OSError, match="File too large"):
        deployment.wait_for_models(lambda: True)
    assert list((tmp_path / "serving").iterdir()) == []
    assert deployment.wait_for_models(lambda: True)


def test_wait_for_models_says_once_that_it_waits_until_it_gives_up(tmp_path, capsys):
    asked = iter([False, False, True])
    assert not Deployment([], root=tmp_path).wait_for_models(lambda: next(asked))
    assert capsys.readouterr().err == (
        f"There is no model in `{tmp_path}/serving_models` yet; waiting for one. `crossnet run` pushes a model that "
        "passes its gate.\n"
    )
    assert Deployment(["--model_base_path=/m/rides"], root=tmp_path).wait_for_models(lambda: True)


def test_binary_flags_turn_rest_and_prometheus_on_unless_the_user_sets_them(tmp_path):
    flags = Deployment(["--model_base_path=/m"], root=tmp_path).binary_flags()
    assert flags[:2] == ["--port=8500", "--rest_api_port=8501"]
    assert f"--monitoring_config_file={tmp_path}/serving/monitoring.config" in flags
    given = ["--model_base_path=/m", "--rest_api_port=0", "--monitoring_config_file=/f", "--host=::1", "--allow_reload"]
    flags = Deployment(given, root=tmp_path).binary_flags()
    assert flags == ["--port=8500", "--rest_api_port=0", "--monitoring_config_file=/f", "--model_base_path=/m"]


@pytest.mark.parametrize("flags", ["embedded_flags", "binary_flags"])
def test_batching_has_our_parameters_unless_the_user_gives_others(tmp_path, flags):
    def given(*arguments):
        return getattr(Deployment(["--model_base_path=/m", *arguments], root=tmp_path), flags)()

    assert f"--batching_parameters_file={tmp_path}/serving/batching.config" in given("--enable_batching")
    assert "--batching_parameters_file=/f" in given("--enable_batching=true", "--batching_parameters_file=/f")
    assert not [flag for flag in given("--enable_batching=false") if "batching_parameters" in flag]


def test_deployment_says_which_flags_the_real_server_does_not_get(tmp_path):
    deployment = Deployment(["--model_base_path=/m", "--host=::1", "--allow_reload=true"], root=tmp_path)
    reload = "`--allow_reload` is not passed on: tensorflow_model_server takes every HandleReloadConfigRequest."
    host = "`--host` is not passed on: tensorflow_model_server listens on every address of this machine."
    assert deployment.not_passed_on("binary") == [host, reload]
    assert deployment.not_passed_on("docker") == [reload]


@pytest.mark.parametrize("word", ["false", "0"])
def test_deployment_does_not_promise_what_the_real_server_does_not_keep(tmp_path, word):
    deployment = Deployment(["--model_base_path=/m", f"--allow_reload={word}"], root=tmp_path)
    assert deployment.embedded_flags() == ["--model_base_path=/m", f"--allow_reload={word}"]
    with pytest.raises(UsageError, match="`--allow_reload=false` is for the embedded server: .* takes every"):
        deployment.binary_flags()


def test_deployment_adds_a_model_that_is_pushed_later(tmp_path, monkeypatch):
    monkeypatch.setattr("crossnet.serving.config.deployment._POLL_SECONDS", 0.01)
    push_empty_model(tmp_path, "rides")
    deployment = Deployment([], root=tmp_path)
    deployment.wait_for_models(lambda: True)
    with deployment.following_models():
        push_empty_model(tmp_path, "tips")
        wait_until(lambda: 'name: "tips"' in (tmp_path / "serving" / "models.config").read_text())


def test_deployment_goes_on_after_a_write_that_failed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("crossnet.serving.config.deployment._POLL_SECONDS", 0.01)
    push_empty_model(tmp_path, "rides")
    deployment = Deployment([], root=tmp_path)
    deployment.wait_for_models(lambda: True)
    with deployment.following_models():
        (tmp_path / "serving").rename(tmp_path / "away")
        (tmp_path / "serving").touch()  # a file where the folder was
        push_empty_model(tmp_path, "tips")
        printed = ""

        def has_printed():
            nonlocal printed
            printed += capsys.readouterr().err
            return "Cannot look for models that are pushed later: " in printed

        wait_until(has_printed)
        (tmp_path / "serving").unlink()
        wait_until(lambda: (tmp_path / "serving" / "models.config").exists())
    assert 'name: "tips"' in (tmp_path / "serving" / "models.config").read_text()
    assert printed.count("Cannot look") == 1


def test_docker_fetches_what_has_a_scheme_and_publishes_on_ipv6(tmp_path):
    deployment = Deployment(["--model_base_path=gs://bucket/rides", "--host=::1"], root=tmp_path)
    command = deployment.docker_command()
    assert "--publish=[::1]:8500:8500" in command
    assert "--model_base_path=gs://bucket/rides" in command
    assert not [part for part in command if part.startswith("--volume") and "bucket" in part]


def test_deployment_takes_the_users_model_flags_as_they_are(tmp_path):
    deployment = Deployment(["--model_base_path=/m/rides", "--model_name=rides", "--port=9"], root=tmp_path)
    assert deployment.models == ["rides"]
    assert deployment.embedded_flags() == ["--model_base_path=/m/rides", "--model_name=rides", "--port=9"]
    assert deployment.target("binary") == "localhost:9"


def test_deployment_takes_a_model_name_alone_as_a_model_under_the_root(tmp_path):
    deployment = Deployment(["--model_name=tips"], root=tmp_path)
    assert deployment.models == ["tips"]
    path = f"--model_base_path={tmp_path}/serving_models/tips"
    assert deployment.embedded_flags() == ["--model_name=tips", path]
    assert path in deployment.binary_flags()


@pytest.mark.parametrize(
    ("host", "server", "target"),
    [
        ("10.0.0.7", "docker", "10.0.0.7:8500"),
        ("::1", "docker", "[::1]:8500"),
        ("0.0.0.0", "docker", "localhost:8500"),
        ("10.0.0.7", "binary", "localhost:8500"),  # it listens on every address
    ],
)
def test_server_is_asked_where_it_listens(tmp_path, host, server, target):
    assert Deployment([f"--host={host}"], root=tmp_path).target(server) == target


def test_deployment_mounts_what_docker_needs_read_only(tmp_path):
    config = tmp_path / "config" / "models.config"
    config.parent.mkdir()
    config.write_text('model_config_list { config { name: "a" base_path: "/m/a" model_platform: "tensorflow" } }')
    deployment = Deployment([f"--model_config_file={config}", "--host=0.0.0.0", "--rest_api_port=0"], root=tmp_path)
    command = deployment.docker_command()
    assert command[:4] == ["docker", "run", "--rm", "--init"]
    assert [part for part in command if part.startswith("--publish")] == ["--publish=0.0.0.0:8500:8500"]
    assert [part for part in command if part.startswith("--volume")] == [
        "--volume=/m/a:/m/a:ro", f"--volume={tmp_path}/config:{tmp_path}/config:ro",
        f"--volume={tmp_path}/serving:{tmp_path}/serving:ro",
    ]  # fmt: skip
    assert command[command.index(DOCKER_IMAGE) + 1] == "--port=8500"
    assert not any(part.startswith("--host") for part in command)


def test_deployment_refuses_a_socket_inside_a_container(tmp_path):
    push_empty_model(tmp_path)
    deployment = Deployment(["--grpc_socket_path=/tmp/s"], root=tmp_path)
    deployment.wait_for_models(lambda: True)
    with pytest.raises(ServingError, match="would be inside the container"):
        deployment.docker_command()


def test_deployment_gives_the_real_server_whole_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = Deployment(["--model_base_path=models/rides", "--ssl_config_file=tls.cfg"], root=tmp_path).binary_flags()
    assert f"--model_base_path={tmp_path}/models/rides" in flags
    assert f"--ssl_config_file={tmp_path}/tls.cfg" in flags
    far = Deployment(["--model_base_path=s3://models/rides"], root=tmp_path).binary_flags()
    assert "--model_base_path=s3://models/rides" in far


def test_what_is_behind_two_dashes_goes_to_the_real_server_as_it_is(tmp_path):
    arguments = ["--model_base_path=/m/rides", "--", "--new_flag=a=b", "--bare"]
    deployment = Deployment(arguments, root=tmp_path)
    assert deployment.binary_flags()[-2:] == ["--new_flag=a=b", "--bare"]
    assert deployment.docker_command()[-2:] == ["--new_flag=a=b", "--bare"]


@pytest.mark.parametrize(
    ("argument", "server", "sentence"),
    [
        ("--port=1", "binary", r"`--port` is a flag that `crossnet serve` reads itself\. Give it before `--`\."),
        ("8500", "docker", "`8500` behind `--` is not a flag"),
        ("--new_flag=1", "embedded", "`--new_flag=1` is behind `--`, and what is there is for tensorflow_model_server"),
    ],
)
def test_deployment_refuses_what_cannot_be_passed_on(tmp_path, argument, server, sentence):
    with pytest.raises(UsageError, match=sentence):
        Deployment(["--model_base_path=/m", "--", argument], root=tmp_path, server=server)
