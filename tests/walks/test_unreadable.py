"""Checks that a file that cannot be read stops no command that does not need it."""

import json

import pytest
from click.testing import CliRunner

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.files import write_json
from crossnet.pipeline.cli import cli
from crossnet.pipeline.config import load_config
from crossnet.pipeline.plan import make_plan
from support.damage import DAMAGES
from support.report_fixtures import make_bare_run

# File -> the commands that read it and say so, and those that must not be stopped by it.
READ_BY = {
    "runs/other/run.json": (["runs", "runs --json", "show", "report bare", "gc"], ["show bare", "plan"]),
    "artifacts/example_gen/*/artifact.json": (["plan", "why example_gen"], ["runs", "report bare"]),
    "serving_models/crossnet/2.json": (["gc", "rollback"], ["plan", "runs", "report bare"]),
}


@pytest.fixture
def store(tmp_path):
    """A root with the runs `bare` and `other`, an artifact that the default config would reuse, and two versions."""
    store = make_bare_run(tmp_path / "root")
    facts = json.loads((store.runs / "bare" / "run.json").read_text())
    other = store.new_run("other")
    write_json(other / "run.json", facts | {"run": "other", "started": "2026-02-02T03:04:05+00:00"})
    (other / "example_gen").symlink_to("../../artifacts/example_gen/f1")
    planned = make_plan(load_config(), store, until="example_gen")["example_gen"]
    with store.working_folder("example_gen") as folder:
        store.finish(Examples(folder, {"train": 1}, {"label": "y"}), "example_gen", planned.fingerprint, planned.parts)
    for version in (1, 2):
        (store.serving_models / "crossnet" / str(version)).mkdir(parents=True)
        write_json(store.serving_models / "crossnet" / f"{version}.json", {"version": version, "model": "m"})
    with store.working_folder("pusher") as folder:
        properties = {"model": "m", "destination": str(store.serving_models / "crossnet" / "2"), "checksum": ""}
        store.finish(PushedModel(folder, {"pushed": 1}, properties), "pusher", "p", {"inputs": {}})
    return store


def call(store, *arguments):
    done = CliRunner().invoke(cli, [*arguments, "--root", str(store.root)], prog_name="crossnet")
    assert done.exception is None or isinstance(done.exception, SystemExit), (arguments, done.exception)
    return done


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
@pytest.mark.parametrize("file", READ_BY)
def test_a_command_skips_what_it_cannot_read_and_says_so_once(store, file, damage):
    (path,) = store.root.glob(file)
    damage.apply(path)
    readers, others = READ_BY[file]
    for command in (*others, *readers):
        done = call(store, *command.split())
        assert done.exit_code == 0, (command, done.stderr)
        said = [line for line in done.stderr.splitlines() if f"`{path}` cannot be read: {damage.reason}" in line]
        if f"its artifact is damaged: `artifact.json` cannot be read ({damage.reason}" in done.stdout:
            said = ["the step's reason to run"]
        assert len(said) == len(set(said))
        assert said or command in others, (command, done.stderr)
        if command.endswith("--json"):
            assert [run["run"] for run in json.loads(done.stdout)["runs"]] == ["bare"]


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_the_broken_run_itself_is_an_error_in_words(store, damage):
    damage.apply(store.runs / "other" / "run.json")
    for arguments in (["show", "other"], ["report", "other"], ["show", "other", "--json"]):
        done = call(store, *arguments)
        assert done.exit_code == 1
        assert f"run.json` cannot be read: {damage.reason}" in done.stderr
        assert "Remove the folder " in done.stderr


def test_settings_of_a_run_that_are_not_toml_leave_the_index_whole(store):
    (store.runs / "other" / "config.toml").write_text("models = [")
    done = call(store, "report", "bare")
    assert done.exit_code == 0
    assert "config.toml` is not valid TOML" in done.stderr
