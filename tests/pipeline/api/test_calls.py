from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import crossnet
from crossnet.components.errors import MissingArtifactError, PipelineError, SettingsError
from crossnet.pipeline.api.calls import RunFailedError, load_run, read_config, run
from crossnet.pipeline.config import load_config
from support import REPOSITORY

ROWS = {"example_gen": {"num_examples": 200}}


def test_a_config_may_have_any_form(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[trainer]\nepochs = 2\n")
    expected = load_config(file)
    assert read_config(file) == read_config(str(file)) == read_config({"trainer": {"epochs": 2}}) == expected
    assert read_config(expected) == expected
    changed = load_config(None, ["trainer.epochs=2"])
    assert read_config(None, ["trainer.epochs=2"]) == read_config(None, {"trainer.epochs": 2}) == changed
    assert read_config("article").trainer.epochs == 100
    assert read_config() == load_config()


def test_settings_of_a_mapping_may_be_any_value_that_toml_holds(tmp_path: Path) -> None:
    config = read_config(
        settings={
            "models": ("cross_layer", "dense"),
            "evaluator.max_rmse": None,
            "evaluator.slices": [["x0"]],
            "trainer.epochs": np.int64(3),
            "pusher.serving_dir": tmp_path,
        }
    )
    assert config.models == ("cross_layer", "dense")
    assert (config.evaluator.max_rmse, config.evaluator.slices) == (None, (("x0",),))
    assert (config.trainer.epochs, config.pusher.serving_dir) == (3, str(tmp_path))


@pytest.mark.parametrize(
    ("config", "settings", "sentence"),
    [
        ("nowhere.toml", (), r"^No config file `nowhere.toml`\. Name a TOML file, or one of those that come with"),
        ({"trainer": {"epoch": 2}}, (), r"^Unknown setting `trainer.epoch`\. Did you mean `trainer.epochs`\?"),
        (None, {"trainer.epoch": 2}, r"^Unknown setting `trainer.epoch`\. Did you mean `trainer.epochs`\?"),
        (None, "trainer.epochs=2", r"^`settings` must be a list, such as \['trainer.epochs=2'\]\. Received text\."),
        (None, {"trainer.epochs": object()}, r"^`trainer.epochs` must be what TOML can hold: .* Received object\."),
        (7, (), r"^A config must be a path, the name of one .* or a Config\. Received int\.$"),
    ],
)
def test_a_wrong_config_is_refused_in_the_command_lines_words(config: object, settings: object, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        read_config(config, settings)  # type: ignore[arg-type]


def test_a_run_is_made_repeated_and_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(ROWS, root=tmp_path / "root", until="schema_gen", name="one", quiet=True)
    assert (first.name, first.state, first.verdict, first.root) == ("one", "finished", None, tmp_path / "root")
    again = run(ROWS, root=str(tmp_path / "root"), until="schema_gen", quiet=True)
    assert again.name == "one"  # nothing had to run
    monkeypatch.setenv("CROSSNET_ROOT", str(tmp_path / "root"))
    assert load_run().name == "one"
    with pytest.raises(MissingArtifactError, match=r"^No run `two` in `.*root`\. There are: one\.$"):
        load_run(name="two")
    with pytest.raises(MissingArtifactError, match=r"There is none yet: call `crossnet run`\.$"):
        load_run(tmp_path / "other")


def test_a_run_that_fails_raises_the_sentence_of_the_command_line(tmp_path: Path) -> None:
    table = tmp_path / "rides.csv"
    table.write_text("x,y\n" + "".join(f"{i},{i}\n" for i in range(50)) + "1,much\n")
    settings = {"example_gen.source": "csv", "example_gen.input": table, "example_gen.numeric": ["y"]}
    with pytest.raises(RunFailedError) as caught:
        run(settings=settings, root=tmp_path / "root", quiet=True)
    error = caught.value
    assert isinstance(error, PipelineError)
    assert "rides.csv:52" in str(error)
    failed = load_run(error.root, error.run)
    assert (error.exit_code, failed.error, failed.models) == (1, str(error), {})
    with pytest.raises(MissingArtifactError, match=r"has no rows: `example_gen` failed\. Call `crossnet run`\."):
        failed.examples("train")
    with pytest.raises(MissingArtifactError, match=r"has no predictions: `evaluator` did not run, because a"):
        failed.predictions()


def test_public_names_are_these() -> None:
    assert (crossnet.run, crossnet.load_run, crossnet.RunFailedError) == (run, load_run, RunFailedError)


def test_opening_a_run_loads_neither_tensorflow_nor_grpc(tmp_path: Path) -> None:
    run(ROWS, root=tmp_path, until="schema_gen", quiet=True)
    code = (
        f"import crossnet, sys; run = crossnet.load_run({str(tmp_path)!r}); run.examples('eval').to_arrow(); "
        "run._repr_html_(); print([name for name in ('tensorflow', 'grpc') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert done.stdout.strip() == "[]"
