import os
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete

from crossnet.pipeline.cli import cli
from support import REPOSITORY


@pytest.fixture
def completed(tmp_path, monkeypatch):
    """Returns what Tab offers behind a command line, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CROSSNET_ROOT", raising=False)

    def completed(*words):
        shell = ShellComplete(cli, {}, "crossnet", "_CROSSNET_COMPLETE")
        return [item.value for item in shell.get_completions(list(words[:-1]), words[-1])]

    return completed


def test_steps_are_those_of_the_config_that_is_named(completed, tmp_path):
    assert completed("why", "trainer_") == ["trainer_cross_layer", "trainer_tfrs_cross", "trainer_dense"]
    (tmp_path / "mine.toml").write_text('models = ["dense"]\n')
    assert completed("run", "--config", "mine.toml", "--until", "trainer_") == ["trainer_dense"]
    (tmp_path / "mine.toml").write_text("models = 3\n")
    assert completed("plan", "--config", "mine.toml", "--until", "push") == ["pusher"]


def test_runs_are_those_of_the_root_the_newest_first(completed, tmp_path):
    for name in ("20260101T000000Z", "20260201T000000Z", ".tmp"):
        (tmp_path / "mine" / "runs" / name).mkdir(parents=True)
    expected = ["20260201T000000Z", "20260101T000000Z"]
    assert completed("show", "--root", "mine", "") == expected
    assert completed("diff", "--root", "mine", expected[1], "202602") == expected[:1]
    assert completed("report", "") == []


def test_settings_are_completed_and_then_their_words(completed):
    assert completed("run", "--set", "trainer.epo") == ["trainer.epochs="]
    assert completed("run", "--set", "trainer.optimizer=ad") == [
        "trainer.optimizer=adam",
        "trainer.optimizer=adamw",
        "trainer.optimizer=adagrad",
    ]
    assert completed("run", "--set", "cross_layer.use_bias=") == [
        "cross_layer.use_bias=true",
        "cross_layer.use_bias=false",
    ]


def test_configs_are_the_shipped_ones_and_files(completed):
    assert completed("run", "--config", "a") == ["article", "a"]
    assert completed("config", "check", "") == ["article", "csv", "default", ""]


def test_a_shell_gets_its_script_and_its_words():
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}

    def run(**variables):
        command = [sys.executable, "-m", "crossnet"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment | variables, timeout=60)
        return done.stdout

    assert "complete -o nosort -F _crossnet_completion crossnet" in run(_CROSSNET_COMPLETE="bash_source")
    words = {"COMP_WORDS": "crossnet why trainer_d", "COMP_CWORD": "2"}
    assert run(_CROSSNET_COMPLETE="bash_complete", **words) == "plain,trainer_dense\n"
