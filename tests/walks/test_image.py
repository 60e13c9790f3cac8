"""Checks the Dockerfile and the manifests of pipeline/deploy without docker and a cluster."""

import re

import click
import pytest
import yaml

from crossnet.components.errors import NotBlessedError, SettingsError
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.training.cluster import HOSTS, INDEX, find_cluster
from crossnet.pipeline.cli import cli
from crossnet.pipeline.config import load_config
from crossnet.pipeline.graph import build_graph
from support import REPOSITORY
from support.project import allowed_pythons

DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
MANIFESTS = {
    path.stem: yaml.safe_load(path.read_text()) for path in (REPOSITORY / "pipeline/deploy/kubernetes").glob("*.yaml")
}
JOBS = {
    "run": MANIFESTS["run"]["spec"]["jobTemplate"]["spec"],
    **{name: MANIFESTS[name]["spec"] for name in ("step", "workers")},
}


def test_the_image_gets_what_the_wheel_is_built_of_and_the_locks():
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    taken = {line[1:] for line in lines if line.startswith("!")}
    assert lines[1] == "*"
    assert all((REPOSITORY / name).exists() for name in taken)
    links = {(REPOSITORY / "crossnet" / name).resolve().name for name in ("components", "pipeline", "serving")}
    assert taken >= {"crossnet", *links, "pyproject.toml", "README.md", "LICENSE"}
    copied = re.search(r"^COPY (.*) /tmp/$", DOCKERFILE, re.M)[1].split()
    assert {name for name in taken if name.endswith(".lock")} == set(copied)
    named = set(re.findall(r"LOCK=(\S+)", DOCKERFILE))
    assert named == set(copied)


def test_the_image_has_a_python_and_a_tensorflow_of_ours():
    (python,) = re.findall(r"^ARG PYTHON=([\d.]+)-", DOCKERFILE, re.M)
    assert python in allowed_pythons()
    (tensorflow,) = re.findall(r"tensorflow\[and-cuda\]==([\d.]+)", DOCKERFILE)
    assert f"\ntensorflow=={tensorflow} " in (REPOSITORY / "requirements.lock").read_text()


def test_the_image_does_not_run_as_root():
    user = re.findall(r"^USER (\d+)$", DOCKERFILE, re.M)
    assert user == re.findall(r"--uid (\d+) ", DOCKERFILE) != ["0"]
    for job in JOBS.values():
        assert job["template"]["spec"]["securityContext"] == {"runAsNonRoot": True, "fsGroup": int(user[0])}


@pytest.mark.parametrize("name", JOBS)
def test_jobs_call_commands_that_exist(name):
    (container,) = JOBS[name]["template"]["spec"]["containers"]
    command, *arguments = container["args"]
    parsed = click.Context(cli.commands[command])
    cli.commands[command].make_parser(parsed).parse_args(list(arguments))
    if command == "step":
        assert arguments[0] in {step.name for step in build_graph(load_config())}
    claims = [volume["persistentVolumeClaim"]["claimName"] for volume in JOBS[name]["template"]["spec"]["volumes"]]
    assert claims == [MANIFESTS["storage"]["metadata"]["name"]]
    (mount,) = container["volumeMounts"]
    assert all(path.startswith(mount["mountPath"]) for path in container["args"] if path.startswith("/"))


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_jobs_do_not_try_again_where_that_does_not_help(job):
    (rule, _) = job["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailJob"
    assert rule["onExitCodes"]["values"] == [SettingsError.exit_code, NotBlessedError.exit_code]
    assert job["template"]["spec"]["restartPolicy"] == "Never"  # the policy needs it


def test_the_workers_find_each_other_by_the_names_that_the_service_gives_them():
    job, service = MANIFESTS["workers"], MANIFESTS["workers-service"]
    spec, pod = job["spec"], job["spec"]["template"]
    assert spec["completionMode"] == "Indexed"  # which sets JOB_COMPLETION_INDEX and the pods' names
    (container,) = pod["spec"]["containers"]
    (port,) = (port["containerPort"] for port in container["ports"])
    environment = {item["name"]: item["value"] for item in container["env"]}
    assert environment.keys() == {HOSTS}
    count = TrainerParams().replicas
    assert spec["completions"] == spec["parallelism"] == count
    settings = TrainerParams(strategy="multi_worker")
    clusters = [find_cluster(settings, environment | {INDEX: str(index)}) for index in range(count)]
    name, domain = job["metadata"]["name"], service["metadata"]["name"]
    assert clusters[1].addresses == tuple(f"{name}-{index}.{domain}:{port}" for index in range(count))
    assert [cluster.index for cluster in clusters] == [0, 1]
    assert pod["spec"]["subdomain"] == domain
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"]  # they meet before they are ready
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert service["spec"]["ports"][0]["port"] == port
