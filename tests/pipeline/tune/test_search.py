"""Searches of a small table, with real trainings in processes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossnet.components.errors import PipelineError, SettingsError
from crossnet.components.files import read_json
from crossnet.pipeline.config import Config, config_values, load_config
from crossnet.pipeline.runner import run_pipeline
from crossnet.pipeline.store import Store
from crossnet.pipeline.tune.result import JSON_FILE, Result
from crossnet.pipeline.tune.search import tune, write_config

FILE = """
models = ["cross_layer"]
[example_gen]
source = "csv"
input = "rows.csv"
label = "y"
[trainer]
epochs = 9
batch_size = 40
early_stopping_patience = 9
[tune.space]
"trainer.learning_rate" = {low = 0.01, high = 0.3}
"cross_layer.projection_dim" = ["none", 1, 5]
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("table")
    rows = np.random.default_rng(0).random((120, 3))
    lines = [f"{a},{b},{c},{a * b + c}" for a, b, c in rows]
    (folder / "rows.csv").write_text("\n".join(["a,b,c,y", *lines]))
    (folder / "rows.toml").write_text(FILE)
    return folder / "rows.toml"


@pytest.fixture(scope="module")
def found(file: Path) -> Result:
    return tune(load_config(file), file.parent / "root", kind="cross_layer", trials=4)


@pytest.mark.slow
def test_a_search_tries_as_many_as_it_was_told(found: Result) -> None:
    result = found
    assert [trial["number"] for trial in result.trials] == [0, 1, 2, 3]
    assert result.trials[0]["values"]["cross_layer.projection_dim"] == "none"
    assert result.trials[0]["state"] == "whole"
    unfit = [trial for trial in result.trials if trial["values"].get("cross_layer.projection_dim") == 5]
    assert unfit
    assert all("must be at most half the features' width" in trial["error"] for trial in unfit)
    facts = read_json(result.folder / JSON_FILE)
    assert (facts["tried"], facts["best"]) == (4, result.best["number"])
    assert result.page.is_file()
    assert not list(result.folder.glob(".tmp-*"))


@pytest.mark.slow
def test_a_search_that_is_done_is_not_done_again(found: Result, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(*_: object) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr("crossnet.pipeline.tune.search.Worker", begin)
    again = tune(load_config(file), file.parent / "root", kind="cross_layer", trials=4)
    assert again == found


@pytest.mark.slow
def test_the_best_is_written_as_a_config_that_a_run_takes(found: Result, file: Path, tmp_path: Path) -> None:
    result = found
    write_config(result, config_values(file, ["trainer.epochs=7"]), tmp_path / "best.toml")
    best = load_config(tmp_path / "best.toml")
    assert best.trainer.learning_rate == result.best["values"]["trainer.learning_rate"]
    assert (best.trainer.epochs, best.example_gen.input) == (7, str(file.parent / "rows.csv"))
    assert (tmp_path / "best.toml").read_text().startswith("# Tried 4 configurations of `cross_layer`")
    write_config(result, config_values(file), file.parent / "best.toml")
    assert 'input = "rows.csv"' in (file.parent / "best.toml").read_text()


@pytest.mark.slow
def test_the_run_that_makes_the_rows_is_not_taken_for_the_newest(found: Result, file: Path) -> None:
    store = Store(file.parent / "root")
    (name,) = store.run_names()
    record = store.read_run(name)
    assert (record.made_for, record.why) == ("tune", "It made the rows for `crossnet tune`.")
    assert store.read_run().run == name  # there is none beside it
    run_pipeline(load_config(file), store.root, name="mine", until="example_gen")
    tune(load_config(file, ["trainer.seed=7"]), store.root, kind="cross_layer", trials=1)
    assert store.read_run().run == "mine"


def test_a_config_that_holds_out_no_rows_is_refused_in_words(file: Path) -> None:
    config = load_config(file, ["trainer.early_stopping_patience=none"])
    with pytest.raises(SettingsError, match="judges trials on rows of train that are held out, and none are"):
        tune(config, file.parent / "root", kind="cross_layer", trials=1)


def test_data_that_cannot_be_made_is_an_error_in_words(tmp_path: Path) -> None:
    config = load_config(
        None, ["example_gen.source=csv", f"example_gen.input={tmp_path}/no.csv", "trainer.preset=table"]
    )
    assert isinstance(config, Config)
    with pytest.raises(PipelineError, match=r"no\.csv"):
        tune(config, tmp_path / "root", kind="dense", trials=1)
