from __future__ import annotations

import pytest

from crossnet.components.params.presets import preset_defaults
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.training.recipe import Recipe, chosen, make_recipe

TABLE = TrainerParams(preset="table", **preset_defaults("table")["trainer"])


def test_what_is_set_stays() -> None:
    params = TrainerParams(epochs=3, batch_size=7, learning_rate=0.5)
    assert make_recipe(params, 1000) == Recipe(epochs=3, batch_size=7, learning_rate=0.5)
    assert chosen(params, make_recipe(params, 1000)) == {}


def test_auto_is_chosen_from_the_rows() -> None:
    recipe = make_recipe(TABLE, 8000)
    assert (recipe.batch_size, recipe.optimizer) == (200, "adamw")
    assert set(chosen(TABLE, recipe)) == {"epochs", "batch_size", "learning_rate", "early_stopping_patience"}


@pytest.mark.parametrize("rows", [30, 31, 300, 1_500, 9_999, 10_000, 300_000, 10**7])
def test_one_more_row_changes_a_recipe_hardly(rows: int) -> None:
    ours, more = make_recipe(TABLE, rows), make_recipe(TABLE, rows + 1)
    assert abs(more.batch_size - ours.batch_size) <= 1
    assert abs(more.epochs - ours.epochs) <= max(1, 0.04 * ours.epochs)
    assert more.learning_rate == pytest.approx(ours.learning_rate, rel=0.04)


@pytest.mark.parametrize("rows", [30, 1_000, 100_000, 10**8])
def test_a_recipe_ends(rows: int) -> None:
    recipe = make_recipe(TABLE, rows)
    assert 1 <= recipe.batch_size <= min(rows, 1024)
    updates = recipe.epochs * -(-rows // recipe.batch_size)
    assert updates <= 2_700 or recipe.epochs == 1
