from __future__ import annotations

import pytest

from crossnet.components.params.networks import CrossLayerParams, DenseParams
from crossnet.components.params.presets import preset_defaults
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.training.recipe import Recipe, chosen, make_architecture, make_recipe

TABLE = TrainerParams(preset="table", **preset_defaults("table")["trainer"])


def test_what_is_set_stays() -> None:
    params = TrainerParams(epochs=3, batch_size=7, learning_rate=0.5)
    assert make_recipe(params, 1000) == Recipe(epochs=3, batch_size=7, learning_rate=0.5)
    assert chosen(params, make_recipe(params, 1000)) == {}


def test_auto_is_chosen_from_the_rows() -> None:
    recipe = make_recipe(TABLE, 8000)
    assert (recipe.batch_size, recipe.optimizer) == (200, "adamw")
    assert set(chosen(TABLE, recipe)) == {
        *("epochs", "batch_size", "learning_rate", "weight_decay"),
        *("early_stopping_patience", "members"),
    }


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


def test_members_of_a_group_share_a_decay_and_each_fold_has_one_of_every_group() -> None:
    recipe = Recipe(members=6, weight_decay=(0.1, 2.0), validation_fraction=0.5)
    assert recipe.held_out == (0, 0, 1, 1, 2, 2)
    assert recipe.groups == (0, 1, 0, 1, 0, 1)
    assert recipe.folds == 3
    assert recipe.shares([0.25, 0.75]) == pytest.approx([0.25 / 3, 0.75 / 3] * 3)


def test_members_are_fewer_where_rows_are_many() -> None:
    members = [make_recipe(TABLE, rows).members for rows in (100, 3000, 8000, 40_000, 90_000, 300_000, 10**8)]
    assert members == [16, 16, 4, 4, 3, 1, 1]
    assert make_recipe(TABLE, 100, several=False).members == 1


@pytest.mark.parametrize("rows", [3000, 7559, 40_000])
def test_folds_change_with_the_rows_by_no_more_than_one(rows: int) -> None:
    folds = [make_recipe(TABLE, near).held_out[-1] for near in (rows, rows + 1)]
    assert folds[0] - 1 <= folds[1] <= folds[0]


def test_decays_come_nearer_with_the_rows_until_they_are_one() -> None:
    decays = [make_recipe(TABLE, rows).weight_decay for rows in (30, 3000, 3750, 4499, 4500, 10**8)]
    assert decays[:2] == [(0.1, 2.0)] * 2
    assert decays[2] == pytest.approx((0.1, 0.1 * 20**0.5))
    assert decays[3] == pytest.approx((0.1, 0.1), rel=0.01)
    assert decays[4:] == [(0.1,)] * 2


def test_architecture_is_chosen_from_rows_and_inputs() -> None:
    auto = CrossLayerParams(structure="parallel", deep_units="auto", projection_dim="auto")
    assert make_architecture(auto, 3000, 40) == CrossLayerParams(
        structure="parallel", deep_units=(64, 64), projection_dim=10
    )
    assert make_architecture(auto, 3000, 3).projection_dim is None
    assert make_architecture(DenseParams(units=(7,)), 3000, 40) == DenseParams(units=(7,))


def test_the_rank_of_wide_tables_is_limited() -> None:
    auto = CrossLayerParams(projection_dim="auto")
    ranks = [make_architecture(auto, 1500, width).projection_dim for width in (252, 256, 900)]
    assert ranks == [63, 64, 64]
