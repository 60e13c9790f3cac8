import subprocess
import sys

import pytest

import crossnet
from crossnet.pipeline.compare import compare
from crossnet.pipeline.config import make_config
from crossnet.pipeline.runner import run_step
from crossnet.pipeline.tune.search import tune
from support.own_project import own_project

SETTINGS = {
    "plugins": ["shop.kinds", "shop.steps"],
    "models": ["residual", "dense"],
    "num_workers": 2,
    "example_gen": {"num_examples": 400},
    "trainer": {"epochs": 1, "batch_size": 50},
    "evaluator": {"max_rmse": 99, "max_mean_ratio": "none", "max_linear_ratio": "none", "min_improvement": "none"},
}


@pytest.mark.slow
def test_kinds_and_components_of_ones_own_work_in_all_ways_to_run_a_pipeline(tmp_path):
    with own_project(tmp_path):
        config = make_config(SETTINGS, folder=tmp_path)
        together = crossnet.run(config, root=tmp_path / "together", jobs=2, quiet=True)
        assert together.verdict == "BLESSED"
        assert (
            (tmp_path / "together" / "runs" / together.name / "card" / "card.md").read_text().endswith(", 400 rows\n")
        )
        assert "residual" in together.report().read_text()

        steps = ["example_gen", "statistics_gen", "schema_gen", "example_validator", "row_count", "trainer_residual"]
        for step in steps:
            alone = run_step(config, tmp_path / "steps", step)
            assert alone.exit_code == 0, alone.error
        trained = [
            (root / "artifacts" / "trainer_residual").glob("*/artifact.json")
            for root in (tmp_path / "together", tmp_path / "steps")
        ]
        names = [[file.parent.name for file in files] for files in trained]
        assert names[0] == names[1]  # the same fingerprint

        other = tmp_path / "shop" / "kinds.py"
        other.write_text(other.read_text().replace("num_blocks: int = setting(2", "num_blocks: int = setting(1"))
        again = crossnet.run(SETTINGS | {"plugins_folder": str(tmp_path)}, root=tmp_path / "together", quiet=True)
        counts = [run.record.steps["trainer_residual"].counts["parameters"] for run in (together, again)]
        assert counts == [2 * (3 * 3 + 3) + 4, 3 * 3 + 3 + 4]


@pytest.mark.slow
def test_a_network_of_ones_own_is_the_same_when_it_is_trained_again(tmp_path):
    with own_project(tmp_path):
        found = []
        for name in ("one", "two"):
            config = make_config({**SETTINGS, "models": ["residual"]}, folder=tmp_path)
            run = crossnet.run(config, root=tmp_path / name, until="trainer_residual", quiet=True)
            found.append(run.models["residual"].history)
        assert found[0]["train"].tolist() == found[1]["train"].tolist()


@pytest.mark.slow
def test_a_kind_of_ones_own_is_compared_tuned_and_not_exported(tmp_path):
    with own_project(tmp_path):
        config = make_config(SETTINGS, folder=tmp_path)
        table = compare(config, seeds=2, output_dir=tmp_path / "table", strong_units=())
        assert (len(table.rows["residual"]["eval_rmse"]), table.rows["residual"]["num_parameters"]) == (2, 28)

        trainer = SETTINGS["trainer"] | {"early_stopping_patience": 1}
        config = make_config({**SETTINGS, "trainer": trainer}, folder=tmp_path)
        found = tune(config, tmp_path / "root", kind="residual", trials=2)
        assert {*found.best["values"]} >= {"trainer.learning_rate"}

        pushed = crossnet.run(config, root=tmp_path / "root", quiet=True)
        assert pushed.verdict == "BLESSED"
        command = [sys.executable, "-m", "crossnet", "export", "--format", "onnx", "--output", "model.onnx"]
        done = subprocess.run([*command, "--root", "root"], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 1
        assert "`residual`" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "model.onnx").exists()
