"""Tests steps that run at the same time; what runs one after the other is in test_runner.py."""

import dataclasses
import multiprocessing
import os
import signal

import pytest

from crossnet.components import interrupts
from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.model import Model
from crossnet.components.files import read_json
from crossnet.pipeline import plan as plan_module
from crossnet.pipeline.config import load_config
from crossnet.pipeline.console import Reporter
from crossnet.pipeline.graph import Step
from crossnet.pipeline.report import pages
from crossnet.pipeline.runner import run_pipeline
from crossnet.pipeline.store import Store
from support.processes import is_alive
from support.serving_fixtures import wait_until

CONFIG = load_config()
A, B, C = "trainer_a", "trainer_b", "trainer_c"


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """Rows, then models that need only them, then an evaluator; `toy.work` says what each model's step does."""

    class Toy:
        root = tmp_path / "root"
        meeting = tmp_path / "meeting"

        def __init__(self):
            self.work = {A: {}, B: {}}
            self.functions = {}
            self.meeting.mkdir()

        def step(self, name, function, output, **facts):
            return Step(
                name=name,
                function=function if ":" in function else f"support.toy_steps:{function}",
                output=output,
                **facts,
            )

        def graph(self, config, *, serving_dir, force):
            models = [
                self.step(
                    name,
                    self.functions.get(name, "work_beside"),
                    Model,
                    after=("example_gen",),
                    settings={"meeting": str(self.meeting), **work},
                    data=lambda: [],  # cannot be pickled, and is not needed in the process
                )
                for name, work in self.work.items()
            ]
            return (
                self.step("example_gen", "make_examples", Examples, settings={"rows": 10}),
                *models,
                self.step(
                    "evaluator",
                    "evaluate",
                    Evaluation,
                    inputs={"examples": "example_gen"},
                    after=tuple(self.work),
                    settings={"max_rmse": 0.5},
                ),
            )

        def run(self, jobs=2, **options):
            return run_pipeline(CONFIG, self.root, jobs=jobs, **options)

        def processes(self):
            return [int(file.read_text()) for file in self.meeting.iterdir()]

        def at_work(self):
            return [process for process in self.processes() if is_alive(process)]

        def left(self):
            return [path.name for path in self.root.glob("artifacts/*/.tmp-*")]

    toy = Toy()
    monkeypatch.setattr(plan_module, "build_graph", toy.graph)
    for page in ("write_report", "write_index"):  # the toy's artifacts have nothing to draw
        monkeypatch.setattr(pages, page, lambda *arguments: None)
    return toy


def statuses(result):
    return {name: step.status for name, step in result.steps.items()}


def test_steps_that_do_not_need_each_other_work_at_the_same_time(toy, capfd):
    toy.work = {A: {"waits_for": B}, B: {"waits_for": A}}
    result = toy.run(reporter=Reporter(verbose=True))
    assert (result.exit_code, set(statuses(result).values())) == (0, {"ran"})
    assert list(result.steps) == ["example_gen", A, B, "evaluator"]  # the plan's order, whoever was first
    made = [result.artifacts[name].properties["pid"] for name in (A, B)]
    assert sorted(made) == sorted(toy.processes())
    assert os.getpid() not in made
    wait_until(lambda: not toy.at_work())  # a killed process closes its files a moment before it has ended
    assert toy.left() == []
    lines = capfd.readouterr().err.splitlines()
    assert {"  trainer_a: epoch 1 of 1", "  trainer_b: epoch 1 of 1"} < set(lines)
    log = (toy.root / "runs" / result.run / "log.txt").read_text()
    assert f"INFO crossnet.components.toy: {A}: epoch 1 of 1" in log
    again = toy.run()
    assert (again.up_to_date, set(statuses(again).values())) == (True, {"reused"})


def test_no_more_steps_work_than_jobs_allow(toy):
    toy.work = {A: {"waits_for": B}, B: {"waits_for": A}, C: {"waits_for": A}}
    result = toy.run()
    assert set(statuses(result).values()) == {"ran"}
    assert min(toy.meeting / A, toy.meeting / B, toy.meeting / C, key=os.path.getmtime).name != C


def test_a_single_step_works_in_this_process(toy):
    toy.run(jobs=1)
    assert toy.processes() == [os.getpid()] * 2
    toy.work[C] = {}
    assert toy.run().artifacts[C].properties["pid"] == os.getpid()


def test_a_failure_keeps_what_others_make_and_begins_nothing_more(toy, capfd):
    toy.work = {A: {"then": "fail"}, B: {"waits_for": A, "outlives": True}, C: {"then": "fail"}}
    result = toy.run(reporter=Reporter())
    assert statuses(result) == {"example_gen": "ran", A: "failed", B: "ran", C: "skipped", "evaluator": "skipped"}
    assert (result.exit_code, result.error) == (1, "rows.csv:3: 2 cells, expected 3. Mend the row.")
    assert toy.left() == []
    assert [line.split()[:2] for line in capfd.readouterr().err.splitlines()] == [
        ["example_gen", "ran"],
        [A, "failed"],
        [B, "ran"],
    ]
    toy.work[A], toy.work[C] = {}, {}
    assert statuses(toy.run())[B] == "reused"


def test_failures_of_two_steps_are_said_once_each(toy):
    toy.work = {A: {"waits_for": B, "then": "fail"}, B: {"waits_for": A, "then": "fail"}}
    assert toy.run().error == "rows.csv:3: 2 cells, expected 3. Mend the row."
    toy.work = {A: {"then": "die"}, B: {"waits_for": A, "then": "fail"}}
    error = toy.run().error
    assert sorted(line.split()[0] for line in error.splitlines()) == ["`trainer_a`", "rows.csv:3:"]


def test_a_process_that_the_system_ends_is_told_and_the_other_is_kept(toy):
    toy.work = {A: {"then": "die"}, B: {"waits_for": A}}
    result = toy.run()
    assert (result.exit_code, statuses(result)[B]) == (1, "ran")
    assert result.error == (
        "`trainer_a` failed: the system ended its process, as it does when memory runs out. Set --jobs lower, or allow "
        "more memory."
    )


def test_a_bug_is_shown_with_the_traceback_of_its_process_and_ends_the_others(toy):
    toy.work = {A: {}, B: {"then": "hang"}}
    toy.functions[A] = "crossnet.components.formats:counted"  # of ours, and called wrongly
    with pytest.raises(TypeError, match="unexpected keyword argument 'output_dir'") as caught:
        toy.run()
    assert "call_component" in caught.value.__notes__[0]
    assert not multiprocessing.active_children()
    wait_until(lambda: not toy.at_work())  # a killed process closes its files a moment before it has ended
    assert toy.left() == []
    record = Store(toy.root).read_run()
    assert (record.exit_code, record.steps[A].status) == (1, "failed")
    assert "call_component" in (toy.root / "runs" / record.run / "log.txt").read_text()


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_of_them_and_is_recorded(toy, number):
    toy.work = {A: {"waits_for": B, "then": f"signal {number:d}"}, B: {"waits_for": A, "then": "hang"}}
    with pytest.raises(interrupts.Interrupted) as caught, interrupts.noticed():
        toy.run()
    wait_until(lambda: not toy.at_work())  # a killed process closes its files a moment before it has ended
    assert toy.left() == []
    sentence = "Interrupted in `trainer_a` and `trainer_b`. 1 finished step is kept. Run again to go on."
    assert caught.value.words.sentence == sentence
    record = Store(toy.root).read_run()
    assert (record.state, record.exit_code, record.error) == ("interrupted", 128 + number, sentence)
    assert {record.steps[name].status for name in (A, B)} == {"interrupted"}


def test_a_killed_run_names_all_steps_that_were_at_work(toy):
    toy.work = {A: {"waits_for": B}, B: {"waits_for": A}}
    result = toy.run()
    folder = toy.root / "runs" / result.run
    steps = {
        name: dataclasses.replace(step, status="running" if name in (A, B) else step.status)
        for name, step in result.steps.items()
        if name != "evaluator"
    }
    dataclasses.replace(result, state="running", steps=steps, error=None).write(folder)
    assert read_json(folder / "run.json")["state"] == "running"
    assert Store(toy.root).read_run(result.run).error.startswith("Killed in `trainer_a` and `trainer_b`: the process")
