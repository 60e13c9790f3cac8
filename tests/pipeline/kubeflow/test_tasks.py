import json
import shutil

import pytest

from crossnet.components.errors import SettingsError
from crossnet.pipeline.config import load_config
from crossnet.pipeline.kubeflow.tasks import close_gate, plan_steps, refuse_plugins, run_task, to_parameter
from crossnet.pipeline.plan import make_plan
from crossnet.pipeline.remote import places
from crossnet.pipeline.remote.root import RemoteRoot
from crossnet.pipeline.store import Store

CONFIG = load_config(None, ["example_gen.num_examples=300"])


@pytest.fixture
def task(tmp_path):
    """Runs a step and returns what the task says, with the description that it wrote as the third."""

    def run(step, config=CONFIG):
        file = tmp_path / "artifact"
        return *run_task(step, to_parameter(config), str(tmp_path / "root"), str(file)), json.loads(file.read_text())

    return run


def plan(tmp_path):
    return plan_steps(to_parameter(CONFIG), str(tmp_path / "root"))


def test_a_task_runs_its_step_and_describes_what_it_made(task, tmp_path):
    verdict, shown, written = task("example_gen")
    assert (verdict, shown) == ("BLESSED", written)
    assert (shown["step"], shown["status"], shown["headline"]) == ("example_gen", "ran", "eval 30, train 270")
    (folder,) = (tmp_path / "root" / "artifacts" / "example_gen").iterdir()
    assert (shown["path"], shown["fingerprint"]) == (str(folder), folder.name)
    assert task("example_gen")[1]["status"] == "reused"


def test_a_task_names_its_artifact_in_a_store(task, tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    remote = RemoteRoot((tmp_path / "there").as_uri(), tmp_path / "root")
    monkeypatch.setitem(places._roots, remote.folder, remote)
    _, shown, _ = task("example_gen")
    assert shown["path"] == f"{remote.uri}/artifacts/example_gen/{shown['fingerprint']}"


def test_a_task_that_cannot_run_says_why_and_exits_as_the_command_does(task, capsys, tmp_path):
    with pytest.raises(SystemExit) as raised:
        task("statistics_gen")
    assert raised.value.code == 1
    assert "`statistics_gen` cannot run before 1 other step - `example_gen`: it has never" in capsys.readouterr().err
    with pytest.raises(SystemExit) as raised:
        run_task("example_gen", '{"example_gen": {"source": "csw"}}', str(tmp_path), str(tmp_path / "artifact"))
    assert raised.value.code == 2
    assert "`example_gen.source`" in capsys.readouterr().err
    for text in ("models = []", "[1]", '{"models": null}'):
        with pytest.raises(SystemExit) as raised:
            run_task("example_gen", text, str(tmp_path), str(tmp_path / "artifact"))
        assert raised.value.code == 2
        assert "The parameter `config` expects all settings as one JSON object" in capsys.readouterr().err


def test_settings_survive_the_way_through_a_parameter(tmp_path):
    text = to_parameter(CONFIG)
    assert "\n" not in text
    assert plan_steps(text, str(tmp_path)).keys() == make_plan(CONFIG, Store(tmp_path)).keys()


def test_a_task_that_fails_exits_with_its_code_and_words(task, capsys, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("x,y\n1,2\n1,2,3\n")
    settings = ["source='csv'", f"input='{rows}'", "label='y'"]
    with pytest.raises(SystemExit) as raised:
        task("example_gen", load_config(None, [f"example_gen.{setting}" for setting in settings]))
    assert raised.value.code == 1
    assert "rows.csv:3" in capsys.readouterr().err


def test_what_has_to_run_gets_a_value_that_no_cache_has_seen(task, tmp_path):
    expected = {name: step.fingerprint for name, step in make_plan(CONFIG, Store(tmp_path / "root")).items()}
    first, second = plan(tmp_path), plan(tmp_path)
    assert {name: value.partition("-")[0] for name, value in first.items()} == expected
    assert not set(first.values()) & set(second.values())
    task("example_gen")
    assert plan(tmp_path)["example_gen"] == expected["example_gen"]
    assert plan(tmp_path)["statistics_gen"] != expected["statistics_gen"]
    shutil.rmtree(tmp_path / "root" / "artifacts")
    assert plan(tmp_path)["example_gen"] != expected["example_gen"]


def test_a_closed_gate_never_ends_well(capsys, tmp_path):
    with pytest.raises(SystemExit) as raised:
        close_gate(to_parameter(CONFIG), str(tmp_path / "root"))
    assert raised.value.code == 1  # without a verdict the gate is not closed
    assert "`evaluator` cannot run before" in capsys.readouterr().err


def test_steps_of_a_users_project_are_refused_in_words(tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    (tmp_path / "mine.toml").write_text('plugins = ["mine"]\nmodels = ["plain", "dense"]\n')
    with pytest.raises(SettingsError) as found:
        refuse_plugins(load_config(tmp_path / "mine.toml"))
    assert str(found.value) == (
        "A compiled pipeline has the steps of this package alone, and `trainer_plain`, `count_rows` come from "
        "`plugins`. Run such steps with `crossnet step` in an orchestrator that takes commands, such as Argo or "
        "Airflow, or leave them out of `models` and `plugins`."
    )
    refuse_plugins(load_config())


OWN = '''
from dataclasses import dataclass
from pathlib import Path
from crossnet import Artifact, setting
from crossnet.components.artifacts.examples import Examples


@dataclass(frozen=True, kw_only=True)
class Plain:
    """One layer."""

    width: int = setting(2, "units", least=1)

    def network(self, x, dtype):
        import tf_keras

        return tf_keras.layers.Dense(self.width, dtype=dtype)(x)


class Count(Artifact):
    """How many rows."""


def count_rows(examples: Examples, *, output_dir: Path) -> Count:
    return Count(output_dir)


MODEL_KINDS, COMPONENTS = {"plain": Plain}, {"count_rows": count_rows}
'''
