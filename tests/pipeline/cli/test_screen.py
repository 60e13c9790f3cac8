import dataclasses
from types import SimpleNamespace

import pytest

from crossnet.components.formats import number
from crossnet.pipeline.cli import screen
from crossnet.pipeline.config import load_config
from crossnet.pipeline.doctor import Finding
from crossnet.pipeline.plan import make_plan
from crossnet.pipeline.run_record import RunRecord, StepRecord
from crossnet.pipeline.runner import run_pipeline
from crossnet.pipeline.store import Store
from support.report_fixtures import ANOMALOUS, CLOSED, FAILED, PARTIAL, PUSHED, make_runs


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_runs(tmp_path_factory)


@pytest.fixture
def shown(capsys):
    """Calls a function and returns the lines that it printed, without the blanks at their ends."""

    def shown(function, *arguments):
        function(*arguments)
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    return shown


def config_of(store, run, *changes):
    return load_config(store.runs / run / "config.toml", changes)


def repeat(store, run):
    """The result of a run, found again without running a step."""
    result = run_pipeline(config_of(store, run), store.root)
    assert (result.run, result.up_to_date) == (run, True)
    return result


# print_result


def test_result_of_a_push_tells_the_verdict_and_where_the_model_is(store, shown):
    result = repeat(store, PUSHED)
    lines = shown(screen.print_result, result)
    (verdict,) = (place for place, line in enumerate(lines) if "eval rows, label's standard deviation" in line)
    assert lines[:verdict] == list(result.warnings)
    assert "cross_layer: blessed" in lines[verdict:]
    assert lines[-2:] == [
        f"In service: `crossnet` version {result.pushed_version}, {store.serving_models / 'crossnet'}",
        f"Up to date: nothing has changed since run {PUSHED}.",
    ]
    again = dataclasses.replace(result, up_to_date=False)
    assert shown(screen.print_result, again)[-2:] == [
        f"Report: {store.runs / PUSHED / 'report.html'}",
        f"Next: crossnet serve --root {store.root} --port=8500",
    ]


def test_paths_and_the_next_command_are_those_that_can_be_typed_here(store, shown, monkeypatch, tmp_path):
    again = dataclasses.replace(repeat(store, PUSHED), up_to_date=False)
    monkeypatch.chdir(store.root.parent)
    name = store.root.name
    monkeypatch.setenv("CROSSNET_ROOT", name)
    assert shown(screen.print_result, again)[-3:] == [
        f"In service: `crossnet` version {again.pushed_version}, {name}/serving_models/crossnet",
        f"Report: {name}/runs/{PUSHED}/report.html",
        "Next: crossnet serve --port=8500",
    ]
    elsewhere = dataclasses.replace(again, serving_dir=str(tmp_path / "my models"))
    assert shown(screen.print_result, elsewhere)[-1] == (
        f"Next: crossnet serve --model_name=crossnet --model_base_path='{tmp_path}/my models/crossnet' --port=8500"
    )


def test_the_next_command_names_a_root_in_a_store_without_its_secrets(store, monkeypatch):
    root, models = store.root, store.serving_models / "crossnet"

    def next_with(uri):
        monkeypatch.setattr(screen, "remote_of", lambda folder: SimpleNamespace(uri=uri))
        return screen._serve_command(root, models)

    assert next_with("s3://bucket/my rides") == "crossnet serve --root 's3://bucket/my rides' --port=8500"
    hidden = "crossnet serve --port=8500, with --root or CROSSNET_ROOT as it is now"
    assert next_with("s3://user:secret@bucket/rides") == next_with("s3://bucket/rides?key=secret") == hidden
    monkeypatch.setenv("CROSSNET_ROOT", "s3://bucket/rides")
    assert next_with("s3://bucket/rides") == "crossnet serve --port=8500"


def test_result_of_a_closed_gate_gives_the_reasons_and_the_table(store, shown):
    result = repeat(store, CLOSED)
    lines = shown(screen.print_result, result)
    table = f"Nothing was pushed. Table: {store.runs / CLOSED / 'evaluator' / 'verdict.json'}"
    assert lines[-1] == table
    assert f"NOT_BLESSED: {result.reasons[0]}" in lines
    assert not any("In service" in line for line in lines)


@pytest.mark.parametrize(
    ("verdict", "count", "expected"),
    [
        ("NOT_BLESSED", 4, ["NOT_BLESSED: reason 0", "NOT_BLESSED: reason 3"]),
        ("NOT_BLESSED", 5, ["NOT_BLESSED: reason 0", "NOT_BLESSED: 1 more rule failed."]),
        ("BLESSED", 1004, ["NOT_PUSHED: reason 0", "NOT_PUSHED: 1,000 more rules failed."]),
    ],
)
def test_result_gives_few_reasons_and_counts_the_others(store, shown, verdict, count, expected):
    result = repeat(store, CLOSED)
    reasons = tuple(f"reason {number}" for number in range(count))
    lines = shown(screen.print_result, dataclasses.replace(result, verdict=verdict, reasons=reasons))
    found = [line for line in lines if line.startswith("NOT_")]
    assert [found[0], found[-1]] == expected
    assert len(found) == min(count, 5)


# print_plan, print_why


def plan_rows(store, shown, run, *changes):
    lines = shown(screen.print_plan, make_plan(config_of(store, run, *changes), store), store)
    assert lines[0].split() == ["step", "would", "because"]
    return {line.split()[0]: line.split(None, 2)[1:] for line in lines[1:]}


def test_plan_says_what_would_run_and_the_first_reason(store, shown):
    rows = plan_rows(store, shown, PUSHED, "dense.units=[4]")
    assert rows["trainer_cross_layer"] == ["reuse"]
    assert rows["trainer_dense"] == ["run", "dense.units: [3, 3, 3] → [4]"]
    assert rows["evaluator"] == ["run", "trainer_dense runs"]
    assert rows["pusher"] == ["run", "evaluator runs"]


def test_plan_says_what_a_step_that_did_not_pass_blocks(store, shown):
    rows = plan_rows(store, shown, CLOSED)
    assert rows["evaluator"] == ["reuse"]
    assert rows["infra_validator"] == rows["pusher"] == ["skip", "evaluator did not pass"]
    rows = plan_rows(store, shown, ANOMALOUS)
    assert rows["trainer_dense"] == rows["pusher"] == ["skip", "example_validator did not pass"]


def test_why_gives_every_difference_or_the_artifact(store, shown):
    plan = make_plan(config_of(store, PUSHED, "trainer.epochs=4", "dense.units=[4]"), store)
    lines = shown(screen.print_why, plan, "trainer_dense", store)
    assert lines[0] == "`trainer_dense` would run:"
    assert "  dense.units: [3, 3, 3] → [4]" in lines
    assert "  trainer.epochs: 3 → 4" in lines
    reused = shown(screen.print_why, plan, "example_gen", store)
    assert reused == [f"`example_gen` would be reused: artifacts/example_gen/{plan['example_gen'].fingerprint}"]


# print_runs, print_run


def test_runs_are_one_line_each_with_what_came_of_them(store, shown):
    records = {name: store.read_run(name) for name in (FAILED, CLOSED, PUSHED)}
    lines = shown(screen.print_runs, list(records.values()), store)
    assert lines[0].split() == ["run", "status", "model", "eval", "RMSE", "pushed", "seconds", "config"]
    assert lines[1].split() == [FAILED, "FAILED", f"{records[FAILED].seconds:.1f}"]
    assert lines[2].startswith("  `text.csv:4`: `y` is 'much', expected a number.")
    assert lines[3].split()[:3] == [CLOSED, "NOT_BLESSED", "cross_layer"]
    assert lines[4].startswith("  `cross_layer` has eval rmse ")
    pushed = records[PUSHED]
    assert lines[5].startswith(PUSHED)
    status, model, rmse, version, seconds = lines[5].split()[-5:]
    assert (status, model, version) == ("BLESSED", "cross_layer", str(pushed.pushed_version))
    assert float(rmse) == pytest.approx(pushed.models["cross_layer"]["eval_rmse"], rel=1e-3)
    assert seconds == f"{pushed.seconds:.1f}"
    assert len(lines) == 6  # a run that was pushed needs no reason


def test_a_long_reason_is_cut_at_a_word(store, shown):
    lines = shown(screen.print_runs, [RunRecord(run="r", exit_code=1, error=f"{'word ' * 40}end.\nMore.")], store)
    assert lines[2] == f"  {' '.join(['word'] * 23)} …"


def test_runs_show_the_config_and_the_model_that_is_asked_for(store, shown):
    record = dataclasses.replace(store.read_run(PUSHED), config="/home/ada/rides.toml")
    lines = shown(lambda: screen.print_runs([record], store, model="dense"))
    rmse = number(record.models["dense"]["eval_rmse"], 4)
    assert lines[1].split()[-5:-2] == ["dense", rmse, str(record.pushed_version)]
    assert lines[1].endswith(" rides.toml")


def test_statuses_have_colours_on_a_terminal_alone(store, shown, monkeypatch):
    records = [store.read_run(name) for name in (CLOSED, PUSHED)]
    assert "\x1b" not in "".join(shown(screen.print_runs, records, store))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    printed = "\n".join(shown(screen.print_runs, records, store))
    assert "\x1b[31mNOT_BLESSED" in printed
    assert "\x1b[32mBLESSED" in printed


def test_runs_of_an_empty_root_say_how_to_begin(tmp_path, shown):
    lines = shown(screen.print_runs, [], Store(tmp_path))
    assert lines == [f"No run in `{tmp_path}` yet. Start one with `crossnet run`."]


def test_run_shows_steps_models_and_the_push(store, shown):
    record = store.read_run(PUSHED)
    lines = shown(screen.print_run, record, store)
    assert lines[0] == f"Run {PUSHED} in {store.root}"
    assert lines[1] == f"started {record.started}, finished {record.finished}, exit code 0"
    steps = {line.split()[0]: line.split()[1:] for line in lines[3:12]}
    assert list(steps) == list(record.steps)
    assert steps["pusher"] == ["ran", f"{record.steps['pusher'].seconds:.1f}", record.steps["pusher"].artifact]
    (champion,) = (line for line in lines if line.endswith("champion"))
    assert champion.split()[:2] == ["cross_layer", str(record.models["cross_layer"]["num_parameters"])]
    assert lines[-1] == f"BLESSED, pushed as version {record.pushed_version} to {record.serving_dir}"


@pytest.mark.parametrize(("run", "last"), [(CLOSED, "NOT_BLESSED, nothing was pushed"), (FAILED, "text.csv:4")])
def test_run_ends_with_its_verdict_or_its_error(store, shown, run, last):
    assert last in shown(screen.print_run, store.read_run(run), store)[-1]


def test_run_without_a_verdict_ends_with_its_steps(store, shown):
    lines = shown(screen.print_run, store.read_run(PARTIAL), store)
    assert lines[-1].split()[:2] == ["schema_gen", "reused"]


def interrupted(store, **changes):
    record = store.read_run(PUSHED)
    steps = {"example_gen": record.steps["example_gen"], "schema_gen": StepRecord(status="interrupted")}
    facts = {"state": "interrupted", "exit_code": 130, "verdict": None, "champion": None, "pushed_version": None}
    return dataclasses.replace(record, steps=steps, models={}, **{**facts, "error": "Interrupted.", **changes})


@pytest.mark.parametrize(
    ("changes", "second"),
    [
        ({}, "INTERRUPTED in `schema_gen`, exit code 130"),
        ({"state": "killed", "exit_code": 0}, "KILLED in `schema_gen`"),
        ({"state": "running", "exit_code": 0, "error": None}, "RUNNING in `schema_gen`"),
    ],
)
def test_run_that_did_not_end_by_itself_says_so(store, shown, changes, second):
    record = interrupted(store, run="broken", **changes)
    word = second.split()[0]
    for verdict in (None, "BLESSED"):
        judged = dataclasses.replace(record, verdict=verdict)
        assert shown(screen.print_runs, [judged], store)[1].split()[:2] == ["broken", word]
    lines = shown(screen.print_run, record, store)
    assert lines[1] == f"started {record.started}, {second}"
    assert lines[-1] == "Interrupted." or record.error is None


def test_value_that_does_not_exist_is_a_dash(store, shown):
    models = {"dense": {"num_parameters": 1234, "train_rmse": None, "eval_rmse": 45231.2}}
    lines = shown(screen.print_run, RunRecord(run="r", models=models), store)
    assert lines[-1].split() == ["dense", "1,234", "-", "45,231"]


def test_tables_cut_nothing_where_there_is_no_terminal(store, shown):
    name = "n" * 150
    lines = shown(screen.print_runs, [RunRecord(run=name, exit_code=1)], store)
    assert lines[-1].split() == [name, "FAILED", "0.0"]


def test_tables_show_the_escapes_in_a_name(store, shown):
    records = [RunRecord(run="a\x1b[31m:bug:[b]", exit_code=1, verdict="\u202ex", error="no\x9b2J")]
    listed = shown(screen.print_runs, records, store)
    assert listed[-2].split() == [r"a\x1b[31m:bug:[b]", "FAILED", "0.0"]
    assert listed[-1] == r"  no\x9b2J"
    assert shown(screen.print_run, records[0], store)[-2] == r"no\x9b2J"


# counting, print_findings


def test_counting_shows_progress_on_a_terminal_only(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # to rich, standard error is a terminal
    with screen.counting("rows") as show:
        show(12345)
    printed = capsys.readouterr()
    assert "12,345 rows" in printed.err
    assert printed.out == ""
    with screen.counting("rows", quiet=True) as show:
        show(12345)
    monkeypatch.delenv("FORCE_COLOR")
    with screen.counting("rows") as show:
        show(12345)
    assert capsys.readouterr().err == ""


def test_findings_say_what_is_there_missing_or_optional(shown):
    findings = [
        Finding("python", "3.11.2", True),
        Finding("numpy", "missing", False, "make run"),
        Finding("[b]docker[/b]", "missing", None, "only for tests"),
    ]
    assert [line.split(None, 3) for line in shown(screen.print_findings, findings)[1:]] == [
        ["ok", "python", "3.11.2"],
        ["MISSING", "numpy", "missing", "make run"],
        ["-", "[b]docker[/b]", "missing", "only for tests"],
    ]
