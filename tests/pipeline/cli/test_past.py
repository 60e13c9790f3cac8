import json

import pytest

from crossnet.pipeline.run_record import RunRecord
from support.report_fixtures import ANOMALOUS, CLOSED, FAILED, PARTIAL, PUSHED, make_runs


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_runs(tmp_path_factory)


# runs, show, report


def test_runs_lists_all_runs_the_newest_first(crossnet, store):
    listed = crossnet("runs", "--root", str(store.root), "--json")
    assert [run["run"] for run in json.loads(listed.stdout)["runs"]] == [PARTIAL, FAILED, ANOMALOUS, CLOSED, PUSHED]
    lines = crossnet("runs", "--root", str(store.root)).stdout.splitlines()
    assert lines[0].split()[:3] == ["run", "status", "model"]
    assert [line.split()[0] for line in lines[1:] if not line.startswith("  ")] == [
        PARTIAL,
        FAILED,
        ANOMALOUS,
        CLOSED,
        PUSHED.split()[0],
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--status", "failed"], [FAILED, ANOMALOUS]),
        (["--status", "BLESSED", "--status", "not_blessed"], [CLOSED, PUSHED]),
        (["--model", "dense"], [CLOSED, PUSHED]),
        (["--model", "dense", "--limit", "1"], [CLOSED]),
        (["--limit", "2"], [PARTIAL, FAILED]),
        (["--status", "killed"], []),
    ],
)
def test_runs_are_chosen_by_how_they_ended_and_by_model(crossnet, store, options, expected):
    listed = crossnet("runs", "--root", str(store.root), "--json", *options)
    assert [run["run"] for run in json.loads(listed.stdout)["runs"]] == expected


def test_runs_say_what_filter_found_nothing(crossnet, store):
    nothing = crossnet("runs", "--root", str(store.root), "--status", "killed")
    assert nothing.stdout == f"No such run in `{store.root}`. `crossnet runs` lists all.\n"
    wrong = crossnet("runs", "--root", str(store.root), "--model", "dens")
    assert wrong.exit_code == 2
    assert (
        f"No run in `{store.root}` has a model `dens`. Did you mean `dense`? There are: cross_layer, " in wrong.stderr
    )


def test_runs_name_the_config_that_each_was_started_with(crossnet, tmp_path):
    (tmp_path / "mine.toml").write_text("[example_gen]\nnum_examples = 300\n")
    assert crossnet("run", "--config", "mine.toml", "--until", "example_gen", "-q").exit_code == 0
    assert crossnet("runs").stdout.splitlines()[1].split()[-1] == "mine.toml"


def test_diff_compares_two_runs_on_the_screen_as_json_and_as_a_page(crossnet, store):
    done = crossnet("diff", PUSHED, CLOSED, "--root", str(store.root), "--page")
    lines = done.stdout.splitlines()
    assert lines[:2] == [f"before: run {PUSHED}, BLESSED", f"after:  run {CLOSED}, NOT BLESSED"]
    assert "  evaluator.max_rmse  100.0   1e-12" in lines
    assert "data: nothing differs" in lines
    assert "  evaluator: evaluator.max_rmse: 100.0 → 1e-12" in lines
    page = store.runs / CLOSED / f"diff_{PUSHED}.html"
    assert lines[-1] == f"Page: {page}"
    assert "evaluator.max_rmse" in page.read_text()
    page.unlink()
    facts = json.loads(crossnet("diff", PUSHED, CLOSED, "--root", str(store.root), "--json").stdout)
    assert facts["settings"] == [{"setting": "evaluator.max_rmse", "before": 100.0, "after": 1e-12}]
    assert facts["steps"][0]["step"] == "evaluator"


def test_diff_without_names_compares_the_newest_with_the_one_before(crossnet, store):
    assert crossnet("diff", "--root", str(store.root)).stdout.startswith(
        f"before: run {FAILED}, FAILED\nafter:  run {PARTIAL}"
    )
    one = crossnet("diff", CLOSED, "--root", str(store.root)).stdout
    assert one.startswith(f"before: run {CLOSED}, NOT BLESSED\nafter:  run {PARTIAL}")


def test_diff_refuses_what_is_not_two_runs(crossnet, store):
    root = ("--root", str(store.root))
    assert "There are not two runs in " in crossnet("diff", "--root", "nowhere").stderr
    assert crossnet("diff", "a", "b", "c").exit_code == 2
    assert f"Run `{CLOSED}` is named twice." in crossnet("diff", CLOSED, CLOSED, *root).stderr
    wrong = crossnet("diff", "close", CLOSED, *root)
    assert (wrong.exit_code, "No run `close`" in wrong.stderr) == (1, True)
    assert "Did you mean `closed`?" in wrong.stderr


def test_show_takes_the_newest_run_or_the_one_that_is_named(crossnet, store):
    assert crossnet("show", "--root", str(store.root)).stdout.startswith(f"Run {PARTIAL} in {store.root}\n")
    done = crossnet("show", CLOSED, "--root", str(store.root), "--json")
    assert RunRecord.from_json(json.loads(done.stdout)) == store.read_run(CLOSED)


def test_show_prints_the_settings_of_a_run(crossnet, store):
    done = crossnet("show", CLOSED, "--settings", "--root", str(store.root))
    assert done.stdout.startswith(f"# Every setting of run {CLOSED}.\nroot = ")
    both = crossnet("show", "--settings", "--json", "--root", str(store.root))
    assert (both.exit_code, both.stdout) == (2, "")
    assert "--settings prints TOML and --json prints JSON: give one of them." in both.stderr


def test_show_prints_the_model_card_of_a_run(crossnet, store):
    done = crossnet("show", CLOSED, "--card", "--root", str(store.root))
    assert done.stdout == (store.runs / CLOSED / "model_card.md").read_text(encoding="utf-8")
    both = crossnet("show", "--card", "--json", "--root", str(store.root))
    assert (both.exit_code, both.stdout) == (2, "")
    assert "--card prints Markdown and --json prints JSON: give one of them." in both.stderr
    none = crossnet("show", PARTIAL, "--card", "--root", str(store.root))
    assert (none.exit_code, "has no model card: `evaluator` was not part of this run." in none.stderr) == (1, True)


def test_show_and_runs_say_when_there_is_no_run(crossnet):
    done = crossnet("show")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "There is none yet: call `crossnet run`." in done.stderr
    assert "Start one with `crossnet run`." in crossnet("runs").stdout
    assert json.loads(crossnet("runs", "--json").stdout) == {"runs": []}


def test_report_writes_the_page_of_a_run_and_the_index(crossnet, ran, tmp_path):
    runs = tmp_path / "crossnet_root" / "runs"
    for page in (runs / "first" / "report.html", runs / "index.html"):
        page.unlink()
    done = crossnet("report")
    assert done.stdout.split() == [str(runs / "first" / "report.html"), str(runs / "index.html")]
    assert "<!doctype html>" in (runs / "first" / "report.html").read_text(encoding="utf-8")
    assert (runs / "index.html").is_file()
    assert "No run `second`" in crossnet("report", "second").stderr
