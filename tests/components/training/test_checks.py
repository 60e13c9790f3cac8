"""Settings and rows that are refused; the rest is in test_trainer.py, through the step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crossnet.components.errors import TrainingError
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.training.checks import check_recipe, check_training
from crossnet.components.training.learned_rows import learned_rows
from crossnet.components.training.recipe import Recipe
from support.training_fixtures import article_table, make_artifacts


def check(folder: Path, train: Any, weight: str = "", **settings: Any) -> None:
    examples, _, statistics = make_artifacts(folder, train, {name: [] for name in train}, weight=weight)
    check_training(examples.label, learned_rows(examples, statistics), TrainerParams(**settings))


def test_a_constant_label_is_refused(tmp_path: Path) -> None:
    table = {**article_table(50), "y": [2.5] * 50}
    with pytest.raises(TrainingError, match="The label `y` is 2.5 in all rows of train: there is nothing to"):
        check(tmp_path, table, batch_size=10)


def test_too_few_rows_to_hold_some_out_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="Train has 29 rows, too few to hold some out: at least 30 are expected"):
        check(tmp_path / "few", article_table(29), early_stopping_patience="auto", batch_size="auto")
    weighed = {**article_table(40), "w": [0.0, 1.0] * 20}
    with pytest.raises(TrainingError, match="Train has 20 rows whose weight is above 0, too few to hold some out: at"):
        check(tmp_path / "weighed", weighed, "w", early_stopping_patience="auto", batch_size="auto")
    check(tmp_path / "enough", article_table(30), early_stopping_patience="auto", batch_size="auto")
    check(tmp_path / "all", article_table(29), batch_size=10)


def test_intervals_without_held_out_rows_are_refused(tmp_path: Path) -> None:
    sentence = (
        r"`trainer\.interval_coverage` is measured on rows that are held out, and none are\. Set "
        r"`trainer\.early_stopping_patience` to auto or a number of epochs, or `trainer\.interval_coverage` to none\."
    )
    with pytest.raises(TrainingError, match=sentence):
        check(tmp_path / "none", article_table(40), interval_coverage=0.9, batch_size="auto")


def test_members_that_cannot_be_trained_are_refused() -> None:
    held_out = Recipe(members=40, early_stopping_patience=3)
    with pytest.raises(TrainingError, match="`trainer.members` is 40, but train has 39 rows. Set at most 39, or set"):
        check_recipe(held_out, 39, "cross_layer")
    check_recipe(held_out, 40, "cross_layer")
    with pytest.raises(TrainingError, match="but no rows are held out for them. Set `trainer.early_stopping_patience`"):
        check_recipe(Recipe(members=2), 100, "cross_layer")
    with pytest.raises(TrainingError, match="but `tfrs_cross` trains the layer of another library"):
        check_recipe(held_out, 100, "tfrs_cross")
