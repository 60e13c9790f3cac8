"""Compiles pipelines of Kubeflow and runs them in processes of this machine; `make scale` installs what that needs."""

import dataclasses
import os
import subprocess
import sys

import pytest
import yaml

from crossnet.components.params.networks import MODEL_KINDS
from crossnet.pipeline.config import Config, load_config
from crossnet.pipeline.graph import build_graph
from crossnet.pipeline.kubeflow.deployment import Deployment
from crossnet.pipeline.runner import run_pipeline
from support import REPOSITORY

pytest.importorskip("kfp", reason="the extra kfp is not installed: `make scale` runs this")
compiler = __import__("crossnet.pipeline.kubeflow.compiler", fromlist=["compiler"])

SETTINGS = (
    "models=['cross_layer', 'dense']",
    "example_gen.num_examples=2000",
    "trainer.epochs=20",
    "trainer.batch_size=100",
    "evaluator.max_rmse=0.1",
)
CONFIG = load_config(None, SETTINGS)
DEPLOYMENT = Deployment(
    image="registry.example.com/crossnet:0.1.0", root="/srv/rides", volume="rides:/srv", cpu="2", memory="4Gi"
)
LOCALLY = """
import sys
from pathlib import Path
from kfp import local
from crossnet.pipeline.config import load_config
from crossnet.pipeline.kubeflow.compiler import Deployment, make_pipeline
root, *settings = sys.argv[1:]
local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=root + "-kfp")
make_pipeline(load_config(None, settings), Deployment(image="unused", root=root))()
"""


def ir(tmp_path, config=CONFIG, deployment=DEPLOYMENT):
    """The compiled pipeline and what it says of Kubernetes."""
    file = tmp_path / "pipeline.yaml"
    compiler.compile_pipeline(config, deployment, file)
    return list(yaml.safe_load_all(file.read_text()))


def tasks_of(pipeline):
    """Every task by its name on Kubeflow's pages, those behind the gate too."""
    dags = [pipeline["root"]["dag"], *(c["dag"] for c in pipeline["components"].values() if "dag" in c)]
    return {task["taskInfo"]["name"]: task for dag in dags for task in dag["tasks"].values()}


def names_of(pipeline):
    dags = [pipeline["root"]["dag"], *(c["dag"] for c in pipeline["components"].values() if "dag" in c)]
    return {key: task["taskInfo"]["name"] for dag in dags for key, task in dag["tasks"].items()}


def needs(step, of):
    return set(of[step]).union(*(needs(before, of) for before in of[step]))


def test_each_step_comes_after_those_that_it_needs(tmp_path):
    pipeline, _ = ir(tmp_path)
    names = names_of(pipeline)
    tasks = tasks_of(pipeline)
    before = {name: [names[key] for key in task.get("dependentTasks", [])] for name, task in tasks.items()}
    behind = {"infra_validator", "pusher"}
    for name in behind:
        before[name].append("gate-is-open")
    found = {name: needs(name, before) - {"plan", "gate-is-open"} for name in before}
    graph = {step.name: {*step.input_steps, *step.after} for step in build_graph(CONFIG)}
    assert {name: found[name] for name in graph} == {name: needs(name, graph) for name in graph}
    assert tasks.keys() - graph.keys() == {"plan", "gate-is-open", "gate-is-closed", "gate_closed"}


def test_nothing_behind_the_gate_runs_when_it_is_closed(tmp_path):
    tasks = tasks_of(ir(tmp_path)[0])
    opened, closed = (tasks[name]["triggerPolicy"]["condition"] for name in ("gate-is-open", "gate-is-closed"))
    assert opened == closed.replace("!=", "==")
    assert opened.endswith(" == 'BLESSED'")


def test_caches_agree(tmp_path):
    """Kubeflow reuses a task for equal inputs: our fingerprint is one, and what inputs do not tell is never reused."""
    tasks = tasks_of(ir(tmp_path)[0])
    cached = {name for name, task in tasks.items() if task.get("cachingOptions", {}).get("enableCache")}
    steps = {step.name for step in build_graph(CONFIG)}
    assert cached >= steps - {"pusher"}
    assert not cached & {"pusher", "plan", "gate_closed"}
    for name in steps - {"infra_validator", "pusher"}:
        fingerprint = tasks[name]["inputs"]["parameters"]["fingerprint"]["taskOutputParameter"]
        assert fingerprint == {"outputParameterKey": name, "producerTask": "plan"}


def test_each_container_has_what_was_asked_for(tmp_path):
    pipeline, platform = ir(tmp_path)
    executors = pipeline["deploymentSpec"]["executors"].values()
    assert {executor["container"]["image"] for executor in executors} == {DEPLOYMENT.image}
    for executor in executors:
        resources = executor["container"]["resources"]
        assert (resources["resourceCpuLimit"], resources["resourceMemoryLimit"]) == ("2", "4Gi")
        assert "pip install" not in " ".join(executor["container"]["command"])
    mounts = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values()
    assert len(mounts) == len(executors)
    assert {mount["pvcMount"][0]["mountPath"] for mount in mounts} == {"/srv"}
    tasks = tasks_of(pipeline)
    retried = {name for name, task in tasks.items() if task.get("retryPolicy", {}).get("maxRetryCount") == 2}
    assert retried == {step.name for step in build_graph(CONFIG)} | {"plan"}
    none = dataclasses.replace(DEPLOYMENT, retries=0, volume="", cpu="", memory="")
    (pipeline,) = ir(tmp_path, deployment=none)
    assert "retryPolicy" not in str(pipeline)


def test_every_kind_of_step_has_a_fingerprint(tmp_path):
    """The names stand in the source of a task, which kfp copies: they cannot be computed there."""
    config = Config(models=MODEL_KINDS, reference="lightgbm")
    pipeline, _ = ir(tmp_path, config)
    outputs = pipeline["components"]["comp-plan"]["outputDefinitions"]["parameters"]
    assert outputs.keys() == {step.name for step in build_graph(config)}


def locally(root, *settings):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOCALLY, str(root), *settings],
        env=environment,
        cwd=root.parent,
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.mark.slow
def test_a_compiled_pipeline_pushes_what_a_run_pushes_and_a_closed_gate_nothing(tmp_path):
    run = run_pipeline(CONFIG, tmp_path / "run")
    assert run.exit_code == 0
    done = locally(tmp_path / "kfp", *SETTINGS)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for step in build_graph(CONFIG):
        (ours,) = (tmp_path / "run" / "artifacts" / step.name).iterdir()
        (theirs,) = (tmp_path / "kfp" / "artifacts" / step.name).iterdir()
        if step.name != "pusher":  # its fingerprint has the folder that it pushes into
            assert theirs.name == ours.name
    pushed = [*(tmp_path / "kfp" / "serving_models" / "crossnet").glob("*/saved_model.pb")]
    assert len(pushed) == 1
    champion = next(tmp_path.glob(f"run/artifacts/trainer_{run.champion}/*/Format-Serving/saved_model.pb"))
    assert pushed[0].read_bytes() == champion.read_bytes()

    closed = locally(tmp_path / "kfp", *SETTINGS[:-1], "evaluator.max_rmse=1e-9")
    assert closed.returncode != 0
    assert "above max_rmse" in closed.stdout + closed.stderr
    assert "gate-closed" in closed.stdout + closed.stderr
    assert [*(tmp_path / "kfp" / "serving_models" / "crossnet").glob("*/saved_model.pb")] == pushed
