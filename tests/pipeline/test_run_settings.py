"""Settings of a run: every one of them, as TOML, and what "auto" became."""

from __future__ import annotations

import shutil
import tomllib

import pytest

from crossnet.components.errors import PipelineError
from crossnet.components.files import write_json
from crossnet.pipeline.config import load_config
from crossnet.pipeline.run_settings import settings_text
from crossnet.pipeline.store import Store
from support.report_fixtures import CLOSED, make_runs


@pytest.fixture
def copy(tmp_path_factory, tmp_path):
    """A root with the records of one run, to be changed."""
    store = make_runs(tmp_path_factory)
    for folder in (f"runs/{CLOSED}", "artifacts"):
        shutil.copytree(store.root / folder, tmp_path / "root" / folder, symlinks=True)
    return Store(tmp_path / "root")


def test_settings_are_toml_that_gives_the_same_config(copy, tmp_path):
    text = settings_text(copy.read_run(CLOSED), copy)
    assert text.startswith(f"# Every setting of run {CLOSED}.\n")
    (tmp_path / "again.toml").write_text(text, encoding="utf-8")
    assert load_config(tmp_path / "again.toml", []) == load_config(copy.runs / CLOSED / "config.toml", [])


def test_what_a_model_chose_from_its_rows_stands_in_comments(copy):
    run = copy.read_run(CLOSED)
    file = copy.root / run.steps["trainer_cross_layer"].artifact / "artifact.json"
    facts = copy.facts(file.parent)
    facts["properties"]["chosen"] = {"batch_size": 32, "deep_units": [41, 41], "learning_rate": 0.01}
    write_json(file, facts)
    text = settings_text(run, copy)
    chosen = "#   batch_size = 32\n#   deep_units = [41, 41]\n#   learning_rate = 0.01\n"
    assert f"# trainer_cross_layer trained with:\n{chosen}" in text + "\n"
    tomllib.loads(text)


def test_a_run_without_its_settings_says_so(copy):
    (copy.runs / CLOSED / "config.toml").unlink()
    with pytest.raises(PipelineError, match="it stopped before its settings were written. Start it again with"):
        settings_text(copy.read_run(CLOSED), copy)
