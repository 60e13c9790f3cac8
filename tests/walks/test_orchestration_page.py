"""Compares the tasks of the orchestration page with the graph of steps."""

import re
import sys
import types
from typing import ClassVar

import pytest
import yaml

from crossnet.components.errors import NotBlessedError
from crossnet.pipeline.config import load_config
from crossnet.pipeline.graph import build_graph
from support import REPOSITORY

PAGE = (REPOSITORY / "docs" / "how-to-run-steps-from-an-orchestrator.md").read_text()
MODELS = "models=['cross_layer', 'dense']"


def block(kind):
    (text,) = re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.M | re.S)
    return text


def needs(step, of):
    """All steps that come before one, near and far."""
    return set(of[step]).union(*(needs(before, of) for before in of[step]))


@pytest.fixture(scope="module")
def graph():
    steps = {step.name: {*step.input_steps, *step.after} for step in build_graph(load_config(None, [MODELS]))}
    return {name: needs(name, steps) for name in steps}


def test_argo_runs_each_step_after_those_that_it_needs(graph):
    rides, step = yaml.safe_load(block("yaml"))["spec"]["templates"]
    tasks = rides["dag"]["tasks"]
    steps = {task["name"]: task["arguments"]["parameters"][0]["value"] for task in tasks}
    before = {
        steps[task["name"]]: [steps[name] for name in task["depends"].split(" && ")] if "depends" in task else []
        for task in tasks
    }
    assert {name: needs(name, before) for name in before} == graph
    assert {task["template"] for task in tasks} == {step["name"]}
    assert step["container"]["command"][:2] == ["crossnet", "step"]
    assert f"!= '{NotBlessedError.exit_code}'" in step["retryStrategy"]["expression"]


class Operator:
    """What the page uses of an Airflow operator."""

    made: ClassVar[dict] = {}

    def __init__(self, *, task_id, bash_command, skip_on_exit_code, retries):
        assert skip_on_exit_code == NotBlessedError.exit_code
        assert bash_command.startswith(f"crossnet step {task_id} --config ")
        self.made[task_id] = self
        self.task_id, self.before = task_id, []

    def __rshift__(self, other):
        other.before.append(self.task_id)
        return other


class Dag:
    def __init__(self, name, *, schedule, catchup):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_airflow_runs_each_step_after_those_that_it_needs(graph, monkeypatch):
    monkeypatch.setattr(Operator, "made", {})
    for name, members in {
        "airflow": {"DAG": Dag},
        "airflow.providers.standard.operators.bash": {"BashOperator": Operator},
    }.items():
        module = types.ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    exec(compile(block("python"), "page", "exec"), {})
    before = {name: operator.before for name, operator in Operator.made.items()}
    assert {name: needs(name, before) for name in before} == graph
