import json
import re
import shutil

import pytest

from crossnet.pipeline.run_record import RunRecord
from crossnet.pipeline.run_state import at_work
from support.report_fixtures import make_runs

ROWS = ("--set", "example_gen.num_examples=300")
DATA_ONLY = ("--until", "statistics_gen", *ROWS)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_runs(tmp_path_factory)


# run


def test_run_prints_results_on_stdout_and_progress_on_stderr(ran, tmp_path):
    assert ran.stdout == "Report: crossnet_root/runs/first/report.html\n"  # relative to where it was called
    assert [line.split()[:2] for line in ran.stderr.splitlines()] == [["example_gen", "ran"], ["statistics_gen", "ran"]]
    assert (tmp_path / "crossnet_root/runs/first/report.html").is_file()


def test_run_quiet_prints_no_progress_and_verbose_prints_what_steps_log(crossnet):
    assert crossnet("run", "-q", *DATA_ONLY).stderr == ""
    train = ("--until", "trainer_dense", "--set", "trainer.epochs=20", "--set", "trainer.batch_size=90", *ROWS)
    assert re.search(r"^  epoch 1 of 20, about .* left: loss ", crossnet("run", "-v", *train).stderr, re.MULTILINE)


def test_run_json_is_one_object(crossnet):
    done = crossnet("run", "--json", "--run", "mine", *DATA_ONLY)
    facts = json.loads(done.stdout)
    assert (facts["run"], facts["verdict"], facts["pushed_version"]) == ("mine", None, None)
    assert {name: step["status"] for name, step in facts["steps"].items()} == {
        "example_gen": "ran",
        "statistics_gen": "ran",
    }


def test_run_that_cannot_start_prints_its_error_once_also_as_json(crossnet):
    done = crossnet("run", "--until", "trainer", "--json")
    assert done.exit_code == 2
    facts = json.loads(done.stdout)
    assert "No step `trainer`. Did you mean `trainer_dense`? The steps are: example_gen" in facts["error"]
    assert (facts["run"], facts["steps"]) == ("", {})
    assert done.stderr == f"{facts['error']}\n"


@pytest.mark.parametrize("verb", ["run", "plan"])
def test_wrong_setting_exits_2_with_the_nearest_name(crossnet, verb):
    done = crossnet(verb, "--set", "trainer.learning_rat=1")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "Unknown setting `trainer.learning_rat`. Did you mean `trainer.learning_rate`?\n"


def test_run_without_its_csv_says_so_and_writes_no_artifact(crossnet, tmp_path):
    done = crossnet("run", "--set", "example_gen.source=csv", "--set", "example_gen.input=missing.csv")
    assert done.exit_code in (1, 2)
    assert "missing.csv" in done.stderr
    assert not (tmp_path / "crossnet_root" / "artifacts").exists()


@pytest.mark.parametrize("reason", ["", "  "])
def test_run_with_force_asks_for_a_reason(crossnet, tmp_path, reason):
    done = crossnet("run", "--force", reason)
    assert done.exit_code == 2
    assert f"expected a reason, which is recorded with the version; received '{reason}'." in done.stderr
    assert not list(tmp_path.iterdir())


def test_run_refuses_a_name_that_is_too_long(crossnet):
    done = crossnet("run", "--run", "n" * 300)
    assert done.exit_code == 2
    assert "A run's name must be a plain folder name" in done.stderr


def test_run_names_a_root_that_cannot_be_written(crossnet):
    done = crossnet("run", "--root", "/proc/x")
    assert done.exit_code == 1
    assert "Cannot write in `/proc/x`" in done.stderr


# plan, why


def test_plan_and_why_look_at_the_same_root_and_settings(crossnet, ran):
    rows = [line.split()[:2] for line in crossnet("plan", *DATA_ONLY).stdout.splitlines()]
    assert rows == [["step", "would"], ["example_gen", "reuse"], ["statistics_gen", "reuse"]]
    assert crossnet("why", "statistics_gen", *ROWS).stdout.startswith(
        "`statistics_gen` would be reused: artifacts/statistics_gen/"
    )
    changed = crossnet("why", "example_gen", "--set", "example_gen.num_examples=301").stdout
    assert "example_gen.num_examples: 300 → 301" in changed
    assert "it has never run in this root" in crossnet("why", "example_gen", "--root", "other").stdout


# compare


@pytest.mark.parametrize("layers", ["0", "8,x", "8,-1", "1.5"])
def test_compare_refuses_layers_that_are_not_whole_numbers(crossnet, tmp_path, layers):
    done = crossnet("compare", "--strong-dense", layers)
    assert done.exit_code == 2
    assert f"expected whole numbers of at least 1, separated by commas, such as 64,64; received '{layers}'." in (
        done.stderr
    )
    assert not list(tmp_path.iterdir())


def test_compare_clears_what_a_killed_one_left_and_nothing_of_one_at_work(crossnet, tmp_path):
    root = tmp_path / "crossnet_root" / "compare"
    for name in ("killed", "at work"):
        (root / name / ".tmp-work" / "example_gen").mkdir(parents=True)
        (root / name / "log.txt").touch()
    with at_work(root / "at work"):
        done = crossnet("compare", "--set", "example_gen.source=csv", "--set", "example_gen.input=none.csv")
    assert (done.exit_code, [path.parent.name for path in root.glob("*/.tmp-work")]) == (1, ["at work"])


def test_compare_prints_the_table_or_its_rows_and_keeps_both(crossnet, tmp_path):
    small = (*ROWS, "--set", 'models=["dense"]', "--set", "trainer.epochs=1", "--set", "trainer.batch_size=90")
    done = crossnet("compare", "--seeds", "1", "--strong-dense", "8,4", *small)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("Medians over 1 seed (42 to 42), 270 train and 30 eval rows;")
    assert "dense [8, 4]" in done.stdout
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["seed 42"] * 2
    (folder,) = (tmp_path / "crossnet_root" / "compare").iterdir()
    assert (folder / "compare.txt").read_text(encoding="utf-8") == done.stdout
    assert (folder / "log.txt").is_file()
    shutil.rmtree(folder)
    done = crossnet("compare", "--seeds", "1", "--quiet", "--json", *small)
    assert set(json.loads(done.stdout)) == {"mean_predictor", "linear", "dense"}
    assert done.stderr == ""


# gc


def test_gc_names_what_it_removes_and_how_much(crossnet, ran, tmp_path):
    root = tmp_path / "crossnet_root"
    assert crossnet("run", *DATA_ONLY, "--set", "example_gen.num_examples=301").exit_code == 0
    old = sorted(store_path(root, "first"))
    done = crossnet("gc", "--keep", "1", "--dry-run")
    assert done.stdout.splitlines()[:-1] == old
    assert done.stdout.splitlines()[-1].startswith("Would remove 2 folders, 0.")
    assert all((root / path).is_dir() for path in old)
    assert crossnet("gc", "--keep", "1").stdout.splitlines()[-1].startswith("Removed 2 folders, 0.")
    assert not any((root / path).exists() for path in old)
    assert crossnet("gc").stdout == "Removed 0 folders, 0.0 MiB.\n"


def store_path(root, run):
    return [step.artifact for step in RunRecord.read(root / "runs" / run).steps.values()]


@pytest.mark.usefixtures("ran")
def test_gc_says_that_a_pushed_models_record_cannot_be_read(crossnet, tmp_path):
    folder = tmp_path / "crossnet_root" / "serving_models" / "crossnet"
    (folder / "7").mkdir(parents=True)
    (folder / "7.json").write_text("")
    done = crossnet("gc")
    assert (done.exit_code, done.stdout) == (0, "Removed 0 folders, 0.0 MiB.\n")
    assert done.stderr.endswith("cannot be read: it is empty. Version 7 counts as put there by hand.\n")


def test_gc_refuses_a_folder_without_runs_and_writes_nothing_there(crossnet, tmp_path):
    (tmp_path / "artifacts" / "photos" / "2025").mkdir(parents=True)
    done = crossnet("gc", "--root", ".")
    assert done.exit_code == 1
    assert "There is none yet: call `crossnet run`" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["artifacts"]
    assert (tmp_path / "artifacts" / "photos" / "2025").is_dir()
