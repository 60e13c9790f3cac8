"""Runs the whole walk with the real parts, from rows to answers."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from crossnet.components.files import read_json
from crossnet.components.model_folder import versions_in_service
from crossnet.pipeline.cli import cli
from crossnet.serving.client import PredictionClient
from crossnet.serving.launcher import running_server
from support import REPOSITORY
from support.serving_fixtures import wait_until

SMALL = ("example_gen.num_examples=3000", "trainer.epochs=60", "trainer.batch_size=100")
PENGUINS = REPOSITORY.parent / "shared" / "data" / "penguins_processed.csv"


def crossnet(*arguments, root, settings=()):
    """Calls the command line in this process; returns click's result."""
    options = [part for setting in settings for part in ("--set", setting)]
    return CliRunner().invoke(cli, [*arguments, "--root", str(root), *options], catch_exceptions=False)


def tree(folder):
    return sorted((str(path.relative_to(folder)), path.stat().st_mtime_ns) for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root with one finished run of the built-in table, 3,000 rows."""
    root = tmp_path_factory.mktemp("walk") / "root"
    done = crossnet("run", "--json", root=root, settings=SMALL)
    assert done.exit_code == 0, done.stderr
    return root


def test_run_pushes_a_champion_that_knows_the_polynomial(root):
    facts = json.loads(crossnet("run", "--json", root=root, settings=SMALL).stdout)
    assert (facts["verdict"], facts["champion"]) == ("BLESSED", "cross_layer")
    assert {kind: model["num_parameters"] for kind, model in facts["models"].items()} == {
        "cross_layer": 16,
        "tfrs_cross": 16,
        "dense": 40,
    }
    assert facts["models"]["cross_layer"]["eval_rmse"] < 0.01
    assert [step["status"] for step in facts["steps"].values()] == ["reused"] * 10
    folder = Path(facts["serving_dir"]) / "crossnet" / str(facts["pushed_version"])
    assert (folder / "saved_model.pb").is_file()
    rows = {"x0": [0.5, 1.0], "x1": [0.2, 0.0], "x2": [0.1, 0.5]}
    truth = [0.5**2 + 0.5 * 0.2 + 0.2 * 0.1 + 0.1**2, 1.0 + 0.5**2]
    with (
        running_server(folder.parent, "crossnet", server="embedded", timeout_seconds=60) as server,
        PredictionClient(server.target, model_name="crossnet") as client,
    ):
        answer = client.predict(rows)
    assert answer.version == facts["pushed_version"]
    assert answer.values == pytest.approx(truth, abs=0.05)


def test_run_unchanged_says_up_to_date_in_a_process_without_tensorflow(root):
    before = tree(root)
    options = [part for setting in SMALL for part in ("--set", setting)]
    code = (
        "import sys; from click.testing import CliRunner; from crossnet.pipeline.cli import cli\n"
        "done = CliRunner().invoke(cli, sys.argv[1:], catch_exceptions=False)\n"
        "print(done.stdout); assert 'tensorflow' not in sys.modules; sys.exit(done.exit_code)"
    )
    command = [sys.executable, "-c", code, "run", "--root", str(root), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Up to date: nothing has changed since run" in done.stdout
    assert [item for item in tree(root) if item not in before and ".lock" not in item[0]] == []


def test_run_prints_at_most_thirty_lines(tmp_path):
    options = [part for setting in (*SMALL, "trainer.epochs=2", "evaluator.max_rmse=9") for part in ("--set", setting)]
    done = CliRunner().invoke(cli, ["run", "--root", str(tmp_path), *options], catch_exceptions=False)
    assert len(done.output.splitlines()) <= 30, done.output


def test_run_with_the_gate_closed_exits_3_and_leaves_the_serving_folder_as_it_was(root):
    before = tree(root / "serving_models")
    done = crossnet("run", root=root, settings=(*SMALL, "evaluator.max_rmse=1e-12"))
    assert done.exit_code == 3
    assert "NOT_BLESSED: `cross_layer` has eval rmse" in done.stdout
    assert "above max_rmse 1e-12" in done.stdout
    assert "Nothing was pushed" in done.stdout
    planned = crossnet("plan", root=root, settings=(*SMALL, "evaluator.max_rmse=1e-12")).stdout
    assert [line.split()[:2] for line in planned.splitlines()[-2:]] == [["infra_validator", "skip"], ["pusher", "skip"]]
    assert planned.count("evaluator did not pass") == 2
    assert tree(root / "serving_models") == before


def test_plan_says_what_a_change_would_run_and_why_says_which(root):
    changed = (*SMALL, "dense.units=[4]")
    table = crossnet("plan", root=root, settings=changed).stdout
    rows = {line.split()[0]: line.split()[1] for line in table.splitlines()[1:]}
    runs = [name for name, would in rows.items() if would == "run"]
    assert runs == ["trainer_dense", "evaluator", "infra_validator", "pusher"]
    why = crossnet("why", "trainer_dense", root=root, settings=changed).stdout
    assert "dense.units: [3, 3, 3] → [4]" in why


def test_show_and_runs_tell_of_the_run(root):
    shown = crossnet("show", root=root).stdout
    assert "example_gen" in shown
    listed = json.loads(crossnet("runs", "--json", root=root).stdout)["runs"]
    assert any(run["verdict"] == "BLESSED" and run["pushed_version"] for run in listed)


def test_run_with_a_setting_that_is_unknown_exits_2_before_any_work(tmp_path):
    done = crossnet("run", "--json", root=tmp_path / "root", settings=["trainer.learning_rat=1"])
    assert done.exit_code == 2
    assert json.loads(done.stdout)["error"] == (
        "Unknown setting `trainer.learning_rat`. Did you mean `trainer.learning_rate`?"
    )
    assert not (tmp_path / "root").exists()


STOP_AT_HOLES = ["example_gen.unlabelled=error"]


def write_rides(folder, rows=600, mend=lambda lines: lines):
    """Writes rides.csv (text, numbers with holes, a header with a space) and a config of ten lines."""
    lines = ["ride_id,zone,trip miles,passengers,fare"]
    for i in range(rows):
        zone, miles = ("north", "south", "east")[i % 3], (i * 37 % 101) / 10
        passengers = "" if i % 11 == 0 else str(i % 4 + 1)
        fare = 3 + (4 if zone == "east" else 2) * miles  # a product of a text and a number
        lines.append(f"{i},{zone},{miles},{passengers},{fare}")
    (folder / "rides.csv").write_text("\n".join(mend(lines)) + "\n")
    config = folder / "rides.toml"
    config.write_text(
        'models = ["cross_layer", "dense"]\n'
        '[example_gen]\nsource = "csv"\ninput = "rides.csv"\nlabel = "fare"\nexclude = ["ride_id"]\nsplit = "hash"\n'
        "[trainer]\nepochs = 200\nbatch_size = 50\nlearning_rate = 0.02\n"
        '[evaluator]\nmax_rmse = 2.0\nmin_improvement = "none"\n[pusher]\nmodel_name = "rides"\n'
    )
    return config


def test_run_takes_a_table_with_text_and_holes_to_a_served_model(tmp_path):
    config = write_rides(tmp_path)
    done = crossnet("run", "--config", str(config), "--json", root=tmp_path / "root")
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["models"]["cross_layer"]["eval_rmse"] < 2.0
    schema = (tmp_path / "root" / facts["steps"]["schema_gen"]["artifact"] / "schema.pbtxt").read_text()
    assert "trip_miles" in schema
    base = tmp_path / "root" / "serving_models" / "rides"
    with (
        running_server(base, "rides", server="embedded", timeout_seconds=60) as server,
        PredictionClient(server.target, model_name="rides") as client,
    ):
        rows = {"zone": ["east", "nowhere"], "trip_miles": [4.0, 2.0], "passengers": [2.0, float("nan")]}
        answer = client.predict(rows)
    assert answer.values[0] == pytest.approx(3 + 4 * 4.0, abs=1)


@pytest.mark.parametrize(
    ("mend", "sentence", "settings"),
    [
        (lambda lines: [*lines[:300], "299,north,1.0,2", *lines[301:]], "rides.csv:301", []),
        (lambda lines: [*lines[:300], "299,north,far,2,9.0", *lines[301:]], "rides.csv:301", []),
        (lambda lines: [line.rpartition(",")[0] for line in lines], "fare", []),
        (lambda lines: [*lines[:300], "299,north,1.0,2,inf", *lines[301:]], "rides.csv:301", []),
        (lambda lines: [*lines[:300], "299,north,1.0,2,", *lines[301:]], "rides.csv:301", STOP_AT_HOLES),
        (
            lambda lines: [lines[0], *(line.rpartition(",")[0] + "," for line in lines[1:])],
            "an empty label, `fare`",
            [],
        ),
    ],
    ids=["short row", "text in a numeric column", "no label column", "inf label", "empty label", "no label at all"],
)
def test_run_stops_at_broken_rows_names_the_place_and_pushes_nothing(tmp_path, mend, sentence, settings):
    config = write_rides(tmp_path, mend=mend)
    done = crossnet("run", "--config", str(config), root=tmp_path / "root", settings=["trainer.epochs=1", *settings])
    assert done.exit_code in (1, 2)
    assert sentence in done.stderr
    assert "Traceback" not in done.output
    assert not (tmp_path / "root" / "serving_models").exists()
    assert not list((tmp_path / "root" / "artifacts").glob("*/.tmp-*"))


@pytest.mark.skipif(not PENGUINS.exists(), reason="the shared penguin table is not beside this checkout")
def test_run_takes_the_penguins_to_predictions(tmp_path):
    config = tmp_path / "penguins.toml"
    config.write_text(
        f'[example_gen]\nsource = "csv"\ninput = "{PENGUINS}"\nlabel = "body_mass_g"\ntext = ["species"]\n'
        'split = "hash"\n[trainer]\nlearning_rate = 0.02\nbatch_size = 32\n[evaluator]\nmax_rmse = 0.2\n'
        'min_improvement = "none"\n[pusher]\nmodel_name = "penguins"\n'
    )
    done = crossnet("run", "--config", str(config), "--json", root=tmp_path / "root")
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["models"]["cross_layer"]["eval_rmse"] < 0.15
    record = read_json(Path(facts["serving_dir"]) / "penguins" / f"{facts['pushed_version']}.json")
    assert record["kind"] == facts["champion"]
    assert list(versions_in_service(Path(facts["serving_dir"]) / "penguins")) == [facts["pushed_version"]]


def test_rollback_takes_the_version_out_and_only_force_pushes_it_again(tmp_path):
    small = (
        *SMALL,
        "example_gen.num_examples=1000",
        "trainer.epochs=20",
        "evaluator.max_rmse=9",
        "evaluator.max_linear_ratio=none",
        'models=["cross_layer"]',
    )
    first = json.loads(crossnet("run", "--json", root=tmp_path, settings=small).stdout)["pushed_version"]
    done = crossnet("rollback", "--yes", "--reason", "a test", root=tmp_path)
    assert done.stdout == f"Version {first} of `crossnet` is out of service.\nNo version is in service now.\n"
    again = crossnet("run", root=tmp_path, settings=small)
    assert again.exit_code == 3
    assert f"is version {first} of `crossnet`, which was rolled back." in again.stdout
    assert again.output.count("rolled back") == again.output.count("Nothing was pushed") == 1
    assert not versions_in_service(tmp_path / "serving_models" / "crossnet")
    forced = json.loads(crossnet("run", "--json", "--force", "it was right", root=tmp_path, settings=small).stdout)
    assert forced["pushed_version"] > first
    record = read_json(tmp_path / "serving_models" / "crossnet" / f"{forced['pushed_version']}.json")
    assert record["forced"]["reason"] == "it was right"
    assert "No artifact" not in crossnet("gc", "--keep", "1", root=tmp_path).stdout
    assert crossnet("show", root=tmp_path).exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "place"),
    [
        (("trainer.epochs=1500", "trainer.batch_size=100"), "Resumed after epoch"),
        # The rows of few updates are handed over at once.
        (
            ("trainer.epochs=3", "trainer.batch_size=2", "trainer.cache_mib=0", "trainer.checkpoint_updates=50"),
            " updates.",
        ),
    ],
    ids=["between-epochs", "inside-an-epoch"],
)
def test_a_training_that_was_killed_ends_with_the_same_bytes(settings, place, tmp_path):
    settings = (*SMALL[:1], *settings)
    command = [sys.executable, "-m", "crossnet", "run", "--until", "trainer_cross_layer"]
    command += [part for setting in settings for part in ("--set", setting)]

    def weights(root):
        (path,) = root.glob("artifacts/trainer_cross_layer/*/Format-Serving/variables/variables.data-*")
        return path.read_bytes()

    killed = subprocess.Popen([*command, "--root", str(tmp_path / "killed")], stdout=subprocess.DEVNULL)
    wait_until(lambda: list((tmp_path / "killed").glob("checkpoints/*/checkpoint.npz")), seconds=120)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    for root in ("killed", "whole"):
        subprocess.run([*command, "--root", str(tmp_path / root)], check=True, stdout=subprocess.DEVNULL)
    assert place in "".join(log.read_text() for log in tmp_path.glob("killed/runs/*/log.txt"))
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")
