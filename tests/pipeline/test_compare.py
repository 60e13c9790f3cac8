"""Compare: the article's table from real trainings, small ones."""

from __future__ import annotations

import dataclasses
import math
import re

import pytest

from crossnet.components.errors import DataAnomalyError, DivergedError
from crossnet.components.files import read_json
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.params.networks import CrossLayerParams, DenseParams
from crossnet.components.params.trainer import TrainerParams
from crossnet.pipeline.compare import (
    ARTICLE_LOSSES,
    Comparison,
    _Graph,
    _number,
    _Runs,
    _summary,
    compare,
    is_article,
    render,
)
from crossnet.pipeline.config import Config

CONFIG = Config(
    models=("cross_layer",),
    example_gen=ExampleGenParams(num_examples=1000),
    trainer=TrainerParams(epochs=30, batch_size=100, warmup_records=0, seed=7),
)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory) -> tuple[Comparison, list[str]]:
    lines: list[str] = []
    output = tmp_path_factory.mktemp("root") / "compare" / "now"
    return compare(CONFIG, seeds=2, output_dir=output, strong_units=(8, 4), progress=lines.append), lines


def test_compare_trains_every_model_from_every_seed(comparison):
    result, lines = comparison
    assert list(result.rows) == ["mean_predictor", "linear", "cross_layer", "strong_dense"]
    assert result.seeds == (7, 8)
    assert len(lines) == 4
    assert lines[0].startswith("seed 7: cross_layer trained in ")
    row = result.rows["cross_layer"]
    assert (row["num_parameters"], result.rows["strong_dense"]["num_parameters"]) == (16, 32 + 36 + 5)
    assert len(set(row["eval_rmse"])) == 2
    assert row["median_eval_rmse"] == pytest.approx(sum(row["eval_rmse"]) / 2)
    assert row["eval_rmse_range"] == (min(row["eval_rmse"]), max(row["eval_rmse"]))
    assert row["median_eval_rmse"] < 0.1 < 0.6 < result.rows["mean_predictor"]["median_eval_rmse"] < 0.8
    assert len(set(result.rows["linear"]["eval_rmse"])) == 1  # no seed has a part in it
    assert 0.1 < result.rows["linear"]["median_eval_rmse"] < 0.2
    assert all(seconds > 0 for seconds in row["seconds"])


def test_compare_leaves_the_table_and_nothing_else(comparison):
    result, _ = comparison
    assert sorted(path.name for path in result.path.iterdir()) == ["compare.json", "compare.txt"]
    assert (result.path / "compare.txt").read_text() == result.text + "\n"
    facts = read_json(result.path / "compare.json")
    assert facts["rows"]["cross_layer"]["eval_rmse"] == result.rows["cross_layer"]["eval_rmse"]
    assert (facts["seeds"], facts["examples"]) == ([7, 8], {"train": 900, "eval": 100})
    assert "article_rmse" not in facts


def test_compare_shows_the_articles_figures_as_rmse(comparison):
    assert "dense [8, 4]" in comparison[0].text
    rows = comparison[0].rows
    text = render(rows, {name: name for name in rows}, {"train": 9, "eval": 1}, (1, 2), article=True)
    assert text.endswith(
        "The article prints the mean squared error under the name RMSE. As RMSE:\n"
        "  its table: dense 0.0024 -> 0.049, cross 5.5e-11 -> 7.4e-6\n"
        "  its printed run: dense 0.48 -> 0.69, cross 5.3e-11 -> 7.3e-6 (dense is dead: it predicts the mean)"
    )
    assert math.sqrt(ARTICLE_LOSSES["its printed run"]["dense"]) == pytest.approx(0.6893, abs=1e-4)


def test_compare_shows_the_articles_figures_beside_the_articles_rows_only(comparison):
    assert "article" not in comparison[0].text
    assert len(comparison[0].text.splitlines()) == 6
    assert is_article(dataclasses.asdict(ExampleGenParams()))
    for other in ({"num_examples": 1000}, {"num_features": 4}, {"source": "csv"}, {"generator": "sharded"}):
        assert not is_article(dataclasses.asdict(ExampleGenParams()) | other)


def test_compare_trains_in_one_process_what_workers_would_share(tmp_path):
    config = dataclasses.replace(CONFIG, trainer=TrainerParams(strategy="multi_worker", worker_rows="share"))
    (step,) = _Graph(config, tmp_path, []).trainers.values()
    params = step.settings["params"]
    assert (params.strategy, params.worker_rows) == ("one_device", "all")


def test_compare_sorts_a_run_that_diverged_behind_all_others():
    for rmse in ([1.0, 2.0, None], [None, 1.0, 2.0], [1.0, None, 2.0]):
        values = [_number(value) for value in rmse]
        summary = _summary(_Runs(40, values, values, [1.0] * 3), _Runs(1, [0.7] * 3, [0.7] * 3, [0.0] * 3))
        assert (summary["median_eval_rmse"], summary["eval_rmse_range"]) == (2.0, (1.0, math.inf))


def test_compare_counts_a_model_that_diverges_as_collapsed_and_goes_on(tmp_path):
    # Deeper than the others: at a rate at which one cross layer still learns, four explode.
    config = dataclasses.replace(
        CONFIG,
        models=("cross_layer", "dense"),
        cross_layer=CrossLayerParams(num_layers=4),
        trainer=dataclasses.replace(CONFIG.trainer, optimizer="sgd", learning_rate=3.0, schedule="constant"),
        dense=DenseParams(learning_rate=0.01),
    )
    lines: list[str] = []
    result = compare(config, seeds=2, output_dir=tmp_path / "out", progress=lines.append)
    row = result.rows["cross_layer"]
    assert (row["eval_rmse"], row["collapsed"], row["num_parameters"]) == ([math.inf] * 2, 2, 0)
    assert len(set(result.rows["linear"]["eval_rmse"])) == 1  # no seed has a part in it
    assert 0.1 < result.rows["linear"]["median_eval_rmse"] < 0.2
    assert all(seconds > 0 for seconds in row["seconds"])
    assert result.rows["dense"]["median_eval_rmse"] < 1
    assert re.match(
        r"seed 7: cross_layer diverged\. The loss is (nan|inf) in epoch 1, batch \d+ .* exploded\.", lines[0]
    )
    assert re.search(r"cross_layer +- +∞ +∞ +∞ to ∞ +2 of 2", result.text)
    assert read_json(result.path / "compare.json")["rows"]["cross_layer"]["median_eval_rmse"] is None
    with pytest.raises(DivergedError, match="the gradient has exploded"):
        compare(dataclasses.replace(config, models=("cross_layer",)), seeds=1, output_dir=tmp_path / "none")
    assert not any((tmp_path / "none").iterdir())


def test_compare_counts_runs_that_learned_nothing():
    mean = _Runs(1, [0.7] * 4, [0.7] * 4, [0.0] * 4)
    summary = _summary(_Runs(40, [0.1] * 4, [0.05, 0.69, math.nan, 0.66], [1.0] * 4), mean)
    assert summary["collapsed"] == 2


def test_compare_stops_at_bad_data_and_leaves_nothing(tmp_path):
    (tmp_path / "rows.csv").write_text("a,y\n" + "1,2\n" * 50 + "inf,3\n" + "1,2\n" * 49)
    source = ExampleGenParams(source="csv", input=str(tmp_path / "rows.csv"))
    with pytest.raises(DataAnomalyError, match=r"`a` is .*rows\.csv:52"):
        compare(dataclasses.replace(CONFIG, example_gen=source), seeds=1, output_dir=tmp_path / "out")
    assert not any((tmp_path / "out").iterdir())
