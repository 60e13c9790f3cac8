"""Checks the files of serving/deploy without docker and a cluster."""

from __future__ import annotations

import inspect
import re
from importlib.metadata import version

import pytest
import yaml
from google.protobuf import text_format

from crossnet.serving.client.sync import PredictionClient
from crossnet.serving.config.deployment import DOCKER_IMAGE
from crossnet.serving.config.flags import KNOWN_FLAGS, split_flags
from crossnet.serving.config.messages import BatchingParameters, MonitoringConfig, model_server_config
from support import REPOSITORY

METRICS_PATH = "/monitoring/prometheus/metrics"
DEPLOY = REPOSITORY / "serving" / "deploy"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))


def _yaml(path):
    return yaml.safe_load(path.read_text())


def _commands():
    compose = _yaml(DEPLOY / "compose.yaml")["services"]["serving"]
    (container,) = _yaml(DEPLOY / "kubernetes" / "deployment.yaml")["spec"]["template"]["spec"]["containers"]
    return {"compose": compose["command"], "kubernetes": container["args"]}


@pytest.mark.parametrize("where", ["compose", "kubernetes"])
def test_deploy_uses_flags_that_the_server_knows(where):
    flags = split_flags(_commands()[where])
    assert set(flags) <= KNOWN_FLAGS - {"host"}
    assert flags["port"] == "8500"
    assert flags["rest_api_port"] == "8501"
    assert flags["model_config_file"] == "/config/models.config"
    # The canary that models.config speaks of must not keep the next server from starting.
    assert flags["allow_version_labels_for_unavailable_models"] == "true"


def test_sigterm_reaches_the_server_which_has_no_handler():
    assert _yaml(DEPLOY / "compose.yaml")["services"]["serving"]["init"] is True
    assert _yaml(DEPLOY / "kubernetes" / "deployment.yaml")["spec"]["template"]["spec"]["shareProcessNamespace"] is True


def test_deploy_configs_parse_as_the_protos_they_are():
    config = DEPLOY / "config"
    models = text_format.Parse((config / "models.config").read_text(), model_server_config())
    (model,) = models.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == ("crossnet", "/models/crossnet", "tensorflow")
    monitoring = text_format.Parse((config / "monitoring.config").read_text(), MonitoringConfig())
    assert monitoring.prometheus_config.enable
    assert monitoring.prometheus_config.path == METRICS_PATH
    batching = text_format.Parse((config / "batching.config").read_text(), BatchingParameters())
    assert batching.enable_large_batch_splitting.value
    most = batching.max_batch_size.value  # of one request: more rows are refused
    assert most >= inspect.signature(PredictionClient).parameters["max_rows_per_call"].default
    assert most <= batching.max_execution_batch_size.value * batching.max_enqueued_batches.value


def test_compose_mounts_the_models_read_only_and_stays_on_this_machine():
    services = _yaml(DEPLOY / "compose.yaml")["services"]
    assert all(port.startswith("127.0.0.1:") for service in services.values() for port in service["ports"])
    assert all(volume.endswith(":ro") for service in services.values() for volume in service["volumes"])
    assert "127.0.0.1:8500:8500" in services["serving"]["ports"]
    assert "127.0.0.1:8501:8501" in services["serving"]["ports"]


def test_prometheus_scrapes_the_path_and_port_that_the_server_offers():
    (job,) = _yaml(DEPLOY / "config" / "prometheus.yaml")["scrape_configs"]
    assert job["metrics_path"] == METRICS_PATH
    assert job["static_configs"] == [{"targets": ["serving:8501"]}]
    annotations = _yaml(DEPLOY / "kubernetes" / "deployment.yaml")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] == METRICS_PATH
    assert annotations["prometheus.io/port"] == "8501"


def test_grafana_finds_prometheus_and_the_dashboard():
    grafana = DEPLOY / "config" / "grafana"
    compose = _yaml(DEPLOY / "compose.yaml")["services"]
    mounts = dict(volume.rsplit(":", 2)[:2] for volume in compose["grafana"]["volumes"])
    assert {name.removeprefix("./config/grafana/") for name in mounts} == {path.name for path in grafana.iterdir()}
    (source,) = _yaml(grafana / "datasources.yaml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = _yaml(grafana / "dashboards.yaml")["providers"]
    assert mounts["./config/grafana/serving.json"] == f"{provider['options']['path']}/serving.json"


def test_images_are_pinned_and_tensorflow_serving_is_of_one_version_everywhere():
    compose = _yaml(DEPLOY / "compose.yaml")["services"]
    (container,) = _yaml(DEPLOY / "kubernetes" / "deployment.yaml")["spec"]["template"]["spec"]["containers"]
    _, _, pinned = DOCKER_IMAGE.partition(":")
    assert pinned.split(".")[:2] == version("tensorflow").split(".")[:2]
    assert compose["serving"]["image"] == f"tensorflow/serving:${{TF_SERVING_VERSION:-{pinned}}}"
    assert container["image"] == DOCKER_IMAGE
    assert re.fullmatch(r"prom/prometheus:v\d+\.\d+\.\d+", compose["prometheus"]["image"])
    assert re.fullmatch(r"grafana/grafana:\d+\.\d+\.\d+", compose["grafana"]["image"])
    for page in [REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")]:
        for image in re.findall(r"docker run .*(tensorflow/serving\S*)|`(tensorflow/serving:\S*)`", page.read_text()):
            assert "".join(image) == DOCKER_IMAGE, page.name


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda path: path.stem)
def test_kubernetes_manifests_are_whole(path):
    manifest = _yaml(path)
    assert manifest["kind"] in {"Deployment", "Service", "ConfigMap", "PersistentVolumeClaim"}
    assert manifest["apiVersion"] == ("apps/v1" if manifest["kind"] == "Deployment" else "v1")
    assert manifest["metadata"]["labels"] == {"app": "crossnet-serving"}


def test_kubernetes_parts_refer_to_each_other():
    parts = {manifest["kind"]: manifest for manifest in map(_yaml, KUBERNETES)}
    pod = parts["Deployment"]["spec"]["template"]
    labels = parts["Deployment"]["spec"]["selector"]["matchLabels"]
    assert pod["metadata"]["labels"] == labels == parts["Service"]["spec"]["selector"]
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    assert volumes["models"]["persistentVolumeClaim"]["claimName"] == parts["PersistentVolumeClaim"]["metadata"]["name"]
    assert volumes["config"]["configMap"]["name"] == parts["ConfigMap"]["metadata"]["name"]
    (container,) = pod["spec"]["containers"]
    assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": 8500, "rest": 8501}
    assert {port["targetPort"] for port in parts["Service"]["spec"]["ports"]} == set(ports)
    assert container["readinessProbe"]["httpGet"] == {"path": "/v1/models/crossnet", "port": "rest"}
    assert "--enable_grpc_healthcheck_service=true" in container["args"]  # the liveness probe's service


def test_kubernetes_config_is_the_one_of_compose():
    data = _yaml(DEPLOY / "kubernetes" / "config.yaml")["data"]
    assert data == {name: (DEPLOY / "config" / name).read_text() for name in ("models.config", "monitoring.config")}
