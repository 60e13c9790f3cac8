import re

import pytest

from crossnet.components.errors import SettingsError
from crossnet.pipeline.config import make_config
from crossnet.pipeline.report.run import load_run
from crossnet.pipeline.runner import run_pipeline
from crossnet.pipeline.store import Store
from support.own_project import KINDS, STEPS, own_project

SMALL = {
    "example_gen": {"num_examples": 200},
    "trainer": {"epochs": 1, "batch_size": 50},
    "models": ["residual"],
    "evaluator": {"max_rmse": 99.0, "max_mean_ratio": "none", "max_linear_ratio": "none"},
}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "return x\n",
            "return None\n",
            r"must return the output of its last Keras layer.* Received NoneType .*py, line",
        ),
        ("import tf_keras\n", "import nothing_like_it\n", r"has raised ModuleNotFoundError: .*kinds\.py, line \d+\)"),
        ("x = tf", "x = tf_keras.layers.BatchNormalization()(x); y = tf", r"take LayerNormalization"),
    ],
)
def test_a_network_that_cannot_be_built_ends_the_run_before_its_first_step(tmp_path, old, new, sentence):
    with own_project(tmp_path, kinds=KINDS.replace(old, new, 1)) as package:
        config = make_config({**SMALL, "plugins": ["shop.kinds"]}, folder=package.parent)
        with pytest.raises(SettingsError, match=sentence):
            run_pipeline(config, tmp_path / "root")
    assert not [*(tmp_path / "root").glob("*/*")]  # no artifact, no run


def until(tmp_path, steps, step, **settings):
    with own_project(tmp_path, steps=steps) as package:
        config = make_config(
            {**SMALL, "models": ["dense"], "plugins": ["shop.steps"], **settings}, folder=package.parent
        )
        return run_pipeline(config, tmp_path / "root", until=step)


def test_a_component_of_ones_own_runs_and_is_reused(tmp_path):
    with own_project(tmp_path) as package:
        config = make_config({**SMALL, "models": ["dense"], "plugins": ["shop.steps"]}, folder=package.parent)
        first = run_pipeline(config, tmp_path / "root", until="row_count")
        assert first.steps["row_count"].status == "ran"
        assert (tmp_path / "root" / "runs" / first.run / "row_count" / "rows.txt").read_text() == "200\n"
        assert run_pipeline(config, tmp_path / "root", until="row_count").up_to_date
    shown = load_run(Store(tmp_path / "root"), first.run).artifacts["row_count"]  # without the user's code
    assert shown.counts == {"rows": 200}


@pytest.mark.parametrize(
    ("old", "new", "code", "sentence"),
    [
        (
            "rows = sum",
            "rows = 1 / 0 + sum",
            1,
            r"`row_count` has raised ZeroDivisionError: .* \(.*py, line",
        ),
        (
            "return RowCount(output_dir",
            "return Card(output_dir",
            1,
            r"`row_count` \(.*\) must return RowCount\. Rec",
        ),
        ("RowCount(output_dir", "RowCount(output_dir / 'x'", 1, r"must return an artifact of the folder `output_dir`"),
        ('{"rows": rows}', '{"rows": {1, 2}}', 1, r"must return counts and properties that are JSON values"),
        (
            '(f"{rows}',
            '(open("/nothing/here").read() or f"{rows}',
            1,
            r"has raised FileNotFoundError: .*py, line",
        ),
    ],
)
def test_a_component_of_ones_own_that_fails_is_one_sentence_with_file_and_line(tmp_path, old, new, code, sentence):
    assert old in STEPS
    result = until(tmp_path, STEPS.replace(old, new, 1), "row_count")
    assert result.exit_code == code
    assert result.error
    assert re.search(sentence, result.error), result.error
    assert result.steps["row_count"].status == "failed"


def test_a_component_of_ones_own_can_close_the_gate(tmp_path):
    result = until(tmp_path, STEPS, "trainer_dense", row_count={"least": 1000})
    assert result.exit_code == 3
    assert result.reasons == ("There are 200 rows, fewer than row_count.least 1000.",)
    assert result.steps["trainer_dense"].status == "skipped"
