import errno
import json
import os
import shutil
import signal

import pytest

from crossnet.components import interrupts
from crossnet.components.artifacts.anomalies import Anomalies
from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.infra_validation import InfraValidation
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.errors import PipelineError
from crossnet.components.files import read_json
from crossnet.pipeline import component_call, notices
from crossnet.pipeline import plan as plan_module
from crossnet.pipeline import runner as runner_module
from crossnet.pipeline import store as store_module
from crossnet.pipeline.config import load_config
from crossnet.pipeline.console import Reporter
from crossnet.pipeline.graph import Step
from crossnet.pipeline.plan import differences, make_plan
from crossnet.pipeline.recording import Recording
from crossnet.pipeline.report import pages
from crossnet.pipeline.runner import run_pipeline
from crossnet.pipeline.store import Store
from support import toy_steps
from support.damage import DAMAGES
from support.limits import files_of_at_most

CONFIG = load_config()


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """Replaces the graph by the toy's; `toy.settings` are its knobs, `toy.run()` runs it."""

    class Toy:
        def __init__(self):
            self.settings = {"rows": 10, "most": 100, "max_rmse": 0.5}
            self.root = tmp_path / "root"

        def graph(self, config, *, serving_dir, force):
            def settings(*names):
                return {name: self.settings[name] for name in names}

            def step(name, function, output, inputs, after=(), **extra):
                return Step(
                    name=name,
                    function=f"support.toy_steps:{function}",
                    output=output,
                    inputs=inputs,
                    after=after,
                    **extra,
                )

            examples = {"examples": "example_gen"}
            return (
                step("example_gen", "make_examples", Examples, {}, settings=settings("rows")),
                step("example_validator", "validate", Anomalies, examples, settings=settings("most")),
                step(
                    "evaluator",
                    "evaluate",
                    Evaluation,
                    examples,
                    ("example_validator",),
                    settings=settings("max_rmse"),
                ),
                step(
                    "infra_validator",
                    "try_in_server",
                    InfraValidation,
                    {"evaluation": "evaluator"},
                ),
                step(
                    "pusher",
                    "push",
                    PushedModel,
                    {"infra_validation": "infra_validator"},
                    settings={"serving_dir": serving_dir},
                ),
            )

        def run(self, **options):
            toy_steps.CALLS.clear()
            return run_pipeline(CONFIG, self.root, **options)

        def plan(self):
            return make_plan(CONFIG, Store(self.root))

    toy = Toy()
    monkeypatch.setattr(plan_module, "build_graph", toy.graph)
    for page in ("write_report", "write_index"):  # the toy's artifacts have nothing to draw
        monkeypatch.setattr(pages, page, lambda *arguments: None)
    return toy


ALL = ["example_gen", "example_validator", "evaluator", "infra_validator", "pusher"]


def statuses(result):
    return [step.status for step in result.steps.values()]


def test_run_runs_everything_once_and_records_it(toy):
    result = toy.run()
    assert toy_steps.CALLS == ALL
    assert statuses(result) == ["ran"] * 5
    assert (result.exit_code, result.verdict, result.champion, result.error) == (0, "BLESSED", "toy", None)
    folder = toy.root / "runs" / result.run
    facts = read_json(folder / "run.json")
    assert facts["complete"] is True
    assert facts["graph"]["evaluator"] == ["example_gen"]
    assert (folder / "evaluator").resolve() == toy.root / result.steps["evaluator"].artifact
    assert "chatter of a library" in (folder / "log.txt").read_text()
    assert load_config(folder / "config.toml") == CONFIG


def test_run_prints_no_chatter(toy, capfd):
    toy.run(reporter=Reporter())
    out, err = capfd.readouterr()
    assert out == ""
    assert "chatter" not in err
    assert [line.split()[:2] for line in err.splitlines()] == [[name, "ran"] for name in ALL]


def test_run_unchanged_is_a_no_op_that_names_the_run_it_repeats(toy):
    first = toy.run()
    again = toy.run()
    assert toy_steps.CALLS == []
    assert statuses(again) == ["reused"] * 5
    assert (again.run, again.up_to_date, again.pushed_version) == (first.run, True, first.pushed_version)
    assert Store(toy.root).run_names() == [first.run]


def test_run_unchanged_under_a_name_of_its_own_is_recorded(toy):
    toy.run()
    assert toy.run(name="nightly").run == "nightly"
    assert toy_steps.CALLS == []
    assert set(Store(toy.root).run_names()) >= {"nightly"}


def test_run_reruns_only_what_a_change_reaches(toy):
    toy.run()
    toy.settings["max_rmse"] = 0.4
    result = toy.run()
    assert toy_steps.CALLS == ["evaluator", "infra_validator", "pusher"]
    assert statuses(result)[:2] == ["reused", "reused"]


def test_run_stops_at_anomalies_and_says_so_again(toy):
    toy.settings["most"] = 5
    for calls in (["example_gen", "example_validator"], []):
        result = toy.run()
        assert calls == toy_steps.CALLS
        assert (result.exit_code, result.verdict, result.pushed_version) == (1, None, None)
        assert "`y` is too long" in result.error
        assert statuses(result)[2:] == ["skipped"] * 3
    assert not (toy.root / "serving_models").exists()


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_run_skips_a_run_that_cannot_be_read(toy, damage, capsys):
    first = toy.run()
    damage.apply(toy.root / "runs" / first.run / "run.json")
    notices.forget()
    again = toy.run()
    assert (again.exit_code, toy_steps.CALLS, again.run != first.run) == (0, [], True)
    assert capsys.readouterr().err.count(f"cannot be read: {damage.reason}") == 1


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_run_makes_an_artifact_again_that_cannot_be_read(toy, damage):
    first = toy.run()
    damage.apply(toy.root / first.steps["example_validator"].artifact / "artifact.json")
    again = toy.run()
    assert (again.exit_code, toy_steps.CALLS) == (0, ["example_validator"])
    assert again.pushed_version == first.pushed_version
    (warning,) = again.warnings
    assert f"`example_validator` was damaged: `artifact.json` cannot be read ({damage.reason}" in warning
    assert toy.run().up_to_date


def test_run_with_a_closed_gate_exits_3_and_pushes_nothing_also_the_second_time(toy):
    toy.settings["max_rmse"] = 0.01
    for calls in (["example_gen", "example_validator", "evaluator"], []):
        result = toy.run()
        assert calls == toy_steps.CALLS
        assert (result.exit_code, result.verdict, result.pushed_version) == (3, "NOT_BLESSED", None)
        assert result.reasons == ("`toy` has eval rmse 0.1, above max_rmse 0.01.",)
        assert statuses(result)[3:] == ["skipped", "skipped"]
    assert not (toy.root / "serving_models").exists()


def test_run_with_force_goes_on_in_spite_of_the_gate(toy):
    toy.settings["max_rmse"] = 0.01
    result = toy.run(force="known to be fine")
    assert (result.exit_code, result.verdict) == (0, "NOT_BLESSED")
    assert result.pushed_version is not None


def test_run_fails_in_words_leaves_no_folder_and_goes_on_after_the_mend(toy):
    toy.settings["rows"] = -1
    result = toy.run()
    assert (result.exit_code, result.error) == (1, "rows.csv:3: 2 cells, expected 3. Mend the row.")
    assert statuses(result) == ["failed", "skipped", "skipped", "skipped", "skipped"]
    assert list((toy.root / "artifacts" / "example_gen").iterdir()) == []
    assert toy.run().run != result.run  # a failure is tried again
    toy.settings["rows"] = 10
    assert toy.run().exit_code == 0


def test_run_shows_a_bug_as_a_bug_and_records_the_failure(toy, monkeypatch):
    monkeypatch.setattr(component_call, "is_ours", lambda module: True)  # else it would be a bug of the user's step
    toy.settings["rows"] = 0
    with pytest.raises(ZeroDivisionError):
        toy.run()
    record = Store(toy.root).read_run()
    assert record.exit_code == 1
    assert "ZeroDivisionError: a bug" in (toy.root / "runs" / record.run / "log.txt").read_text()
    assert list((toy.root / "artifacts" / "example_gen").iterdir()) == []


SENTENCE = "Interrupted in `example_validator`. 1 finished step is kept. Run again to go on."


# The signal may come while a source is read: the file is then closed with the frame, which Python remarks on.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("interruptible")
def test_run_ends_before_the_next_step_when_python_swallowed_its_ctrl_c(toy):
    toy.settings["rows"] = 1
    with pytest.raises(interrupts.Interrupted) as caught, interrupts.noticed():
        toy.run()
    assert toy_steps.CALLS == ["example_gen"]
    record = Store(toy.root).read_run()
    assert (record.state, record.exit_code, record.pushed_version) == ("interrupted", 130, None)
    assert not record.complete
    words = caught.value.words
    assert words.sentence == words.facts["error"] == record.error
    assert record.error.startswith("Interrupted")  # in this step, in the next or between them: it is sent again
    assert record.error in (toy.root / "runs" / record.run / "log.txt").read_text()
    toy.settings["rows"] = 10
    assert toy.run().exit_code == 0


def test_run_that_ctrl_c_stops_inside_a_program_of_the_users_is_recorded_as_interrupted(toy, monkeypatch):
    def stopped(**arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(toy_steps, "validate", stopped)
    with pytest.raises(KeyboardInterrupt):
        toy.run()
    record = Store(toy.root).read_run()
    assert (record.state, record.exit_code, record.error) == ("interrupted", 130, SENTENCE)


# The signal may come while a source is read: the file is then closed with the frame, which Python remarks on.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("interruptible")
def test_step_that_fails_because_of_a_signal_counts_as_interrupted(toy, monkeypatch):
    def failing(**arguments):
        toy_steps.Interrupted(signal.SIGTERM)  # a server gets the signal too, and no longer answers
        raise PipelineError("The server ended.")

    monkeypatch.setattr(toy_steps, "validate", failing)
    with pytest.raises(interrupts.Interrupted), interrupts.noticed():
        toy.run()
    record = Store(toy.root).read_run()
    assert (record.state, record.exit_code, record.error) == ("interrupted", 143, SENTENCE)


@pytest.mark.usefixtures("interruptible")
def test_signal_while_a_push_is_recorded_waits_for_it(toy, monkeypatch):
    push = toy_steps.push

    def pushing(**arguments):
        interrupts.hold()
        os.kill(os.getpid(), signal.SIGTERM)
        return push(**arguments)

    monkeypatch.setattr(toy_steps, "push", pushing)
    with pytest.raises(interrupts.Interrupted) as caught, interrupts.noticed():
        toy.run()
    assert caught.value.words.sentence == (
        "Interrupted while the report was written. Every step is done. Run again to write the report."
    )
    record = Store(toy.root).read_run()
    assert (record.state, record.exit_code) == ("interrupted", 143)
    assert record.pushed_version is not None
    again = toy.run()
    assert (statuses(again), again.run == record.run) == (["reused"] * 5, False)


@pytest.mark.usefixtures("interruptible")
def test_signal_while_a_run_is_planned_says_that_no_step_was_begun(toy, monkeypatch):
    monkeypatch.setattr(runner_module, "make_plan", lambda *args, **options: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(interrupts.Interrupted) as caught, interrupts.noticed():
        toy.run()
    assert caught.value.words.sentence == "Interrupted while the run was planned. No step was begun."


def test_run_that_was_killed_says_so_and_where(toy, monkeypatch, tmp_path, capsys):
    seen = []

    def validate(**arguments):
        seen.append(Store(toy.root).read_run())
        shutil.copytree(toy.root, tmp_path / "killed", symlinks=True)  # what a kill at this moment leaves
        return validate_rows(**arguments)

    validate_rows = toy_steps.validate
    monkeypatch.setattr(toy_steps, "validate", validate)
    finished = toy.run()
    monkeypatch.setattr(toy_steps, "validate", validate_rows)
    (running,) = seen
    assert (running.state, running.to_json()["exit_code"]) == ("running", None)
    assert [step.status for step in running.steps.values()] == ["ran", "running"]
    toy.root = tmp_path / "killed"
    record = Store(toy.root).read_run()
    assert (record.state, record.complete, record.to_json()["exit_code"]) == ("killed", False, None)
    assert [step.status for step in record.steps.values()] == ["ran", "interrupted"]
    assert record.error == (
        "Killed in `example_validator`: the process ended without a word, as after kill -9, a power cut or a lack of "
        "memory. 1 finished step is kept. Run again to go on."
    )
    notices.forget()
    toy.run(name="again")
    assert ALL[1:] == toy_steps.CALLS
    assert capsys.readouterr().err == f"Run {record.run} before this one: {record.error}\n"
    assert {*Store(toy.root).run_names()} == {finished.run, "again"}


def test_run_is_done_also_when_its_page_cannot_be_drawn(toy, monkeypatch, capfd):
    def broken(store, run):
        raise ZeroDivisionError("no axis")

    monkeypatch.setattr(pages, "write_report", broken)
    result = toy.run(reporter=Reporter())
    assert (result.exit_code, result.pushed_version is not None) == (0, True)
    assert "report.html could not be written; log.txt says why" in capfd.readouterr().err
    assert "ZeroDivisionError: no axis" in (toy.root / "runs" / result.run / "log.txt").read_text()


def test_run_pushes_again_when_the_version_was_taken_out_of_service(toy):
    first = toy.run()
    shutil.rmtree(toy.root / "serving_models")
    assert differences(toy.plan()["pusher"], Store(toy.root)) == [
        "its version is no longer the newest in service, or not as it was pushed"
    ]
    again = toy.run()
    assert toy_steps.CALLS == ["pusher"]
    assert again.run != first.run
    assert toy.run().up_to_date


def test_run_order_survives_a_clock_that_goes_back(toy, monkeypatch):
    names = []
    for year, most in ((2031, 101), (2026, 102), (2020, 103)):
        now = f"{year}-01-01T00:00:00+00:00"
        for module in (runner_module, store_module):
            monkeypatch.setattr(module, "utc_now", lambda now=now: now)
        toy.settings["most"] = most
        names.append(toy.run(name=f"clock-{year}").run)
    store = Store(toy.root)
    assert store.run_names() == names[::-1]
    assert store.read_run().run == names[-1]
    assert store.newest_facts("example_validator")["params"] == {"most": 103}
    toy.settings["most"] = 104
    assert differences(toy.plan()["example_validator"], store) == ["example_validator.most: 103 → 104"]


def test_run_until_a_step_runs_what_it_needs_and_no_more(toy):
    result = toy.run(until="evaluator")
    assert toy_steps.CALLS == ["example_gen", "example_validator", "evaluator"]
    assert list(result.steps) == ["example_gen", "example_validator", "evaluator"]
    with pytest.raises(PipelineError, match=r"No step `trainer`\. The steps are: example_gen, example_validator"):
        toy.run(until="trainer")


def test_why_names_the_setting_and_the_input_that_differ(toy):
    store = Store(toy.root)
    assert differences(toy.plan()["evaluator"], store) == ["it has never run in this root"]
    toy.run()
    assert differences(toy.plan()["evaluator"], store) == []
    toy.settings.update(max_rmse=0.4, rows=11)
    assert differences(toy.plan()["evaluator"], store) == [
        "evaluator.max_rmse: 0.5 → 0.4",
        "`example_gen` gives other examples: `crossnet why example_gen`",
    ]


def test_run_result_as_json_has_exactly_the_contracts_keys(toy):
    facts = json.loads(json.dumps(toy.run().summary()))
    assert set(facts) == {
        *("run", "root", "verdict", "reasons", "pushed_version", "serving_dir", "champion", "models", "steps")
    }
    assert facts["models"] == {"toy": {"num_parameters": 1, "train_rmse": 0.1, "eval_rmse": 0.1}}
    assert set(facts["steps"]["example_gen"]) == {"status", "seconds", "artifact"}
    toy.settings["rows"] = -1
    assert "Mend the row" in toy.run().summary()["error"]


def test_run_clears_what_a_killed_push_left_also_when_nothing_has_to_run(toy):
    toy.run()
    folder = toy.root / "serving_models" / "toy"
    for number in range(2):
        (folder / f".tmp-9{number}-123" / "variables").mkdir(parents=True)
        assert toy.run().up_to_date == (number == 0)
        assert not list(folder.glob(".tmp-*"))
        shutil.rmtree(toy.root / "artifacts" / "pusher")


def test_run_says_that_a_pushed_models_record_cannot_be_read(toy):
    folder = toy.root / "serving_models" / CONFIG.pusher.model_name
    (folder / "7").mkdir(parents=True)
    (folder / "7.json").write_text("")
    (warning,) = toy.run().warnings
    assert warning.endswith("7.json` cannot be read: it is empty. Version 7 counts as put there by hand.")
    assert toy.run().warnings == (warning,)


FAULTS = {
    "full": (OSError(errno.ENOSPC, "No space left on device"), "no space is left in `"),
    "memory": (MemoryError(), "the system refused it memory"),
    "read-only": (OSError(errno.EROFS, "Read-only file system", "/x"), "`/x` is on a file system that is read-only"),
}


@pytest.mark.parametrize(("error", "reason"), FAULTS.values(), ids=FAULTS)
def test_run_says_what_the_system_refused_and_goes_on_afterwards(toy, monkeypatch, capfd, error, reason):
    def refuse(**arguments):
        raise error

    validate = toy_steps.validate
    monkeypatch.setattr(toy_steps, "validate", refuse)
    failed = toy.run(reporter=Reporter())
    assert failed.exit_code == 1
    assert failed.error.startswith(f"`example_validator` failed: {reason}")
    assert statuses(failed) == ["ran", "failed", "skipped", "skipped", "skipped"]
    assert "Traceback" not in capfd.readouterr().err
    assert "Traceback" in (toy.root / "runs" / failed.run / "log.txt").read_text()
    monkeypatch.setattr(toy_steps, "validate", validate)
    again = toy.run()
    assert (again.exit_code, toy_steps.CALLS) == (0, ALL[1:])


def test_run_whose_record_cannot_be_written_has_failed_with_the_reason(toy, monkeypatch):
    write = Recording.write

    def refuse(self, state):
        if state == "finished":
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, state)

    monkeypatch.setattr(Recording, "write", refuse)
    failed = toy.run()
    assert (failed.exit_code, failed.pushed_version is not None) == (1, True)
    assert failed.error.startswith("The record of the run failed: no space is left in `")
    monkeypatch.setattr(Recording, "write", write)
    again = toy.run()
    assert (again.exit_code, toy_steps.CALLS, again.pushed_version) == (0, [], failed.pushed_version)


def test_run_that_cannot_begin_leaves_its_name_free(toy):
    with files_of_at_most(0), pytest.raises(PipelineError, match=r"^The run failed: a file became larger than 0 MiB"):
        toy.run(name="nightly")
    assert list((toy.root / "runs").iterdir()) == []
    assert toy.run(name="nightly").exit_code == 0


def test_run_that_cannot_begin_says_why(toy):
    toy.root.mkdir()
    (toy.root / "runs").write_text("a file")
    with pytest.raises(PipelineError, match=r"Cannot write in `.*runs`: Not a directory\. Name another folder with"):
        toy.run()


def test_report_that_cannot_be_written_leaves_the_run_done(toy, monkeypatch, capfd):
    def full(store, run):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pages, "write_report", full)
    assert toy.run(reporter=Reporter()).exit_code == 0
    assert "The report failed: no space is left in `" in capfd.readouterr().err


def test_a_reason_why_both_a_step_and_the_report_failed_is_said_once(toy, monkeypatch, capfd):
    def refuse(*_, **__):
        raise MemoryError

    monkeypatch.setattr(toy_steps, "validate", refuse)
    monkeypatch.setattr(pages, "write_report", refuse)
    failed = toy.run(reporter=Reporter())
    assert failed.error.startswith("`example_validator` failed: the system refused it memory")
    assert "The report failed" not in capfd.readouterr().err
