import os
import sys
from types import SimpleNamespace

import pytest

from crossnet.components.artifacts.base import Artifact
from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.model import Model
from crossnet.components.errors import SettingsError
from crossnet.pipeline.component_call import call_component, check_engine, load_component, make_engine
from crossnet.pipeline.config import Config, make_config
from crossnet.pipeline.graph import Step, build_graph
from support import toy_steps
from support.toy_steps import GIVEN


def step(**changes):
    facts = {"name": "trainer_dense", "function": "support.toy_steps:remember", "output": Model} | changes
    return Step(**facts)


def test_component_gets_inputs_settings_and_references_by_keyword(tmp_path):
    made = {"example_gen": Examples(tmp_path / "e"), "trainer_a": Model(tmp_path / "a"), "trainer_b": Model(tmp_path)}
    call_component(
        step(inputs={"examples": "example_gen", "models": ("trainer_b", "trainer_a")}, settings={"seed": 7}),
        made,
        output_dir=tmp_path / "out",
        references={"warm_start": None},
    )
    assert {
        "output_dir": tmp_path / "out",
        "examples": made["example_gen"],
        "models": {"b": made["trainer_b"], "a": made["trainer_a"]},
        "seed": 7,
        "warm_start": None,
    } == GIVEN
    assert list(GIVEN["models"]) == ["b", "a"]


def test_component_gets_a_folder_for_checkpoints_where_it_keeps_some(tmp_path):
    for keeps in (True, False):
        call_component(step(checkpoints=keeps), {}, output_dir=tmp_path, references={}, checkpoint_dir=tmp_path / "c")
        assert ("checkpoint_dir" in GIVEN) is keeps
    assert "checkpoint_dir" not in GIVEN


def test_component_gets_the_engine_where_it_has_jobs(tmp_path):
    engine = make_engine(Config(num_workers=3))
    call_component(step(engine=True), {}, output_dir=tmp_path, references={}, engine=engine)
    assert GIVEN["engine"] is engine
    call_component(step(), {}, output_dir=tmp_path, references={}, engine=engine)
    assert "engine" not in GIVEN
    with_jobs = {planned.name for planned in build_graph(Config()) if planned.engine}
    assert with_jobs == {"example_gen", "statistics_gen", "example_validator", "evaluator"}


@pytest.mark.parametrize(("engine", "package"), [("spark", "pyspark"), ("beam", "apache_beam")])
def test_an_engine_that_is_not_installed_is_said_before_there_is_work_for_it(engine, package, monkeypatch):
    check_engine(Config())
    monkeypatch.setattr("importlib.util.find_spec", {package: None}.__getitem__)
    with pytest.raises(SettingsError, match=f"`engine` is {engine}, and .* is not installed. Install it"):
        check_engine(make_config({"engine": engine}))


def test_options_reach_spark(monkeypatch):
    given = []
    monkeypatch.setattr("crossnet.pipeline.component_call.SparkEngine", given.append)
    options = {"spark.master": "yarn", "spark.executor.cores": "2"}
    make_engine(make_config({"engine": "spark", "engine_options": options}))
    assert given == [options]


def test_options_and_the_number_of_jobs_reach_beam(monkeypatch):
    given = []
    monkeypatch.setattr("crossnet.pipeline.component_call.BeamEngine", lambda *arguments: given.append(arguments))
    options = {"runner": "FlinkRunner", "flink_master": "flink.example.com:8081"}
    for number in ("auto", 40):
        make_engine(make_config({"engine": "beam", "engine_options": options, "num_workers": number}))
    assert given == [(options, None), (options, 40)]


def test_engine_is_as_wide_as_the_settings_say_or_as_there_are_cores():
    assert make_engine(Config(num_workers=3)).width == 3
    assert make_engine(Config()).width == len(os.sched_getaffinity(0))


def test_component_is_called_and_its_artifact_returned(tmp_path):
    toy_steps.CALLS.clear()
    examples = Examples(tmp_path / "e", {"train": 10})
    toy = Step(
        name="evaluator",
        function="support.toy_steps:evaluate",
        output=Evaluation,
        inputs={"examples": "example_gen"},
        settings={"max_rmse": 0.5},
    )
    evaluation = call_component(toy, {"example_gen": examples}, output_dir=tmp_path, references={})
    assert toy_steps.CALLS == ["evaluator"]
    assert isinstance(evaluation, Evaluation)
    assert evaluation.blessed


def test_starting_tensorflow_has_a_line_of_its_own(tmp_path, monkeypatch):
    """A component that imports it stands for a trainer; the real import takes seconds."""
    (tmp_path / "with_tensorflow.py").write_text("import sys\nsys.modules['tensorflow'] = sys\n")
    (tmp_path / "without_it.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    sys.modules.pop("tensorflow", None)
    lines = []
    reporter = SimpleNamespace(line=lines.append)
    for module in ("without_it", "with_tensorflow", "with_tensorflow", "not_there"):
        load_component(Step(name=module, function=f"{module}:make", output=Artifact), reporter)
    assert [line.split()[:2] for line in lines] == [["TensorFlow", "began"]]
