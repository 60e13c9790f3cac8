"""Runs single steps, as an orchestrator does, with the steps of support/toy_steps.py."""

import os

import pytest

from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.infra_validation import InfraValidation
from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.errors import MissingArtifactError, PipelineError
from crossnet.pipeline import plan as plan_module
from crossnet.pipeline.config import load_config
from crossnet.pipeline.graph import Step
from crossnet.pipeline.report import pages
from crossnet.pipeline.runner import run_pipeline, run_step
from crossnet.pipeline.store import Store

CONFIG = load_config()
A, B = "trainer_a", "trainer_b"
ORDER = ["example_gen", A, B, "evaluator", "infra_validator", "pusher"]


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """Rows, two models that need only them, a gate and a push; `toy.step(name)` runs one step."""

    class Toy:
        root, meeting = tmp_path / "root", tmp_path / "meeting"
        max_rmse = 0.5

        def graph(self, config, *, serving_dir, force):
            def step(name, function, output, **facts):
                return Step(name=name, function=f"support.toy_steps:{function}", output=output, **facts)

            rows = {"examples": "example_gen"}
            at = {"meeting": str(self.meeting)}
            gate, infra = {"evaluation": "evaluator"}, {"infra_validation": "infra_validator"}
            return (
                step("example_gen", "make_examples", Examples, settings={"rows": 10}),
                *(step(name, "work_beside", Model, after=("example_gen",), settings=at) for name in (A, B)),
                step(
                    "evaluator",
                    "evaluate",
                    Evaluation,
                    inputs=rows,
                    after=(A, B),
                    settings={"max_rmse": self.max_rmse},
                ),
                step("infra_validator", "try_in_server", InfraValidation, inputs=gate),
                step("pusher", "push", PushedModel, inputs=infra, settings={"serving_dir": serving_dir}),
            )

        def step(self, name, **options):
            return run_step(CONFIG, self.root, name, **options)

        def run(self, **options):
            return run_pipeline(CONFIG, self.root, **options)

        def pushed(self):
            return [*self.root.glob("serving_models/*/*")]

    toy = Toy()
    toy.meeting.mkdir()
    monkeypatch.setattr(plan_module, "build_graph", toy.graph)
    for page in ("write_report", "write_index"):  # the toy's artifacts have nothing to draw
        monkeypatch.setattr(pages, page, lambda *arguments: None)
    return toy


def statuses(result):
    return {name: step.status for name, step in result.steps.items()}


def test_steps_one_by_one_end_where_a_run_ends(toy):
    results = {name: toy.step(name) for name in ORDER}
    assert [result.exit_code for result in results.values()] == [0] * len(ORDER)
    for name, result in results.items():
        assert statuses(result)[name] == "ran"
        assert {status for other, status in statuses(result).items() if other != name} <= {"reused"}
    assert (results["pusher"].complete, results["evaluator"].verdict) == (True, "BLESSED")
    assert len(toy.pushed()) == 1
    again = toy.run()
    assert (again.up_to_date, again.run) == (True, results["pusher"].run)


def test_a_step_that_is_done_is_reused(toy):
    first = toy.step("example_gen")
    again = toy.step("example_gen")
    assert (again.up_to_date, again.run) == (True, first.run)


def test_a_step_before_its_turn_names_all_that_have_to_run(toy):
    toy.step("example_gen")
    toy.step(B)
    with pytest.raises(MissingArtifactError) as raised:
        toy.step("infra_validator")
    never = "it has never run in this root"
    assert str(raised.value) == (
        f"`infra_validator` cannot run before 2 other steps - `trainer_a`: {never}; `evaluator`: {never}. Run each "
        "with the same config and root first, such as `crossnet step trainer_a`, or all with `crossnet run --until "
        "infra_validator`."
    )
    assert len(Store(toy.root).run_names()) == 2


def test_steps_that_do_not_need_each_other_do_not_wait(toy):
    toy.step("example_gen")
    mine, others = (toy.root / "artifacts" / name / ".tmp-x" for name in (B, A))
    with Store(toy.root).locked(A):
        for folder in (mine, others):
            folder.mkdir(parents=True)
        assert toy.step(B).exit_code == 0
        assert (mine.exists(), others.exists()) == (False, True)  # a killed process left one, the other one is at work


def test_the_same_step_twice_and_a_step_beside_a_run_are_refused(toy):
    toy.step("example_gen")
    with Store(toy.root).locked(A):
        with pytest.raises(PipelineError, match=rf"^Another `trainer_a` \(process {os.getpid()}\) is at work in "):
            toy.step(A)
        with pytest.raises(PipelineError, match=r"^Another run \(process "):
            toy.run()
    with (
        Store(toy.root).locked(),
        pytest.raises(PipelineError, match=rf"^Another run \(process {os.getpid()}\) is at "),
    ):
        toy.step(A)
    assert toy.step(A).exit_code == 0


def test_a_closed_gate_pushes_nothing_and_exits_with_3(toy):
    toy.max_rmse = 0.01
    for name in ORDER[:3]:
        toy.step(name)
    for name in ORDER[3:]:
        result = toy.step(name)
        assert (result.exit_code, result.verdict) == (3, "NOT_BLESSED")
        assert result.reasons == ("`toy` has eval rmse 0.1, above max_rmse 0.01.",)
    assert toy.pushed() == []
    for name in ORDER[4:]:
        result = toy.step(name, force="known to be fine")
    assert (result.exit_code, len(toy.pushed())) == (0, 1)


def test_rows_of_a_query_are_taken_by_example_gen_alone(tmp_path):
    pytest.importorskip("duckdb", reason="the extra sql is not installed")
    rows = tmp_path / "rows.csv"

    def write(cell):
        rows.write_text("x,y\n" + "".join(f"{number % 7},{number}\n" for number in range(200)) + f"{cell},1\n")

    settings = ["source='sql'", f"query=\"SELECT * FROM '{rows}'\"", "label='y'"]
    config = load_config(None, [f"example_gen.{setting}" for setting in settings])
    root = tmp_path / "root"
    write(1)
    assert run_step(config, root, "example_gen").exit_code == 0
    write(2)
    result = run_step(config, root, "statistics_gen")
    assert (result.exit_code, result.steps["example_gen"].status) == (0, "reused")
    assert run_step(config, root, "example_gen").steps["example_gen"].status == "ran"
