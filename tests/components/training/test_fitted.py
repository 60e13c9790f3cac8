"""A network and its rows, from the artifacts to the last update."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from crossnet.components.params.networks import CrossLayerParams, ModelParams
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.training.fitted import fit_network, trained_instead
from crossnet.components.training.learned_rows import learned_rows
from crossnet.components.training.recipe import Recipe, make_recipe
from crossnet.components.training.untrained import make_untrained
from support.training_fixtures import article_table, make_artifacts


@pytest.mark.parametrize("patience", [None, 2])
def test_a_network_is_trained_in_place_and_its_rows_can_be_read_until_the_end(
    tmp_path: Path, patience: int | None
) -> None:
    table = article_table(60)
    examples, schema, statistics = make_artifacts(tmp_path, table, table)
    settings = TrainerParams(batch_size=20, epochs=3, early_stopping_patience=patience, cache_mib=0)
    params = make_recipe(settings, 60)
    model = ModelParams(kind="cross_layer", architecture=CrossLayerParams())
    untrained = make_untrained(learned_rows(examples, statistics), schema, params, model)
    before = [weight.copy() for weight in untrained.network.get_weights()]
    with ExitStack() as stack:
        fitted = fit_network(stack, untrained, examples, params, lambda train: pytest.fail, scratch=tmp_path)
        assert len(fitted.train) == 60
        assert list(tmp_path.glob(".tmp-rows-*"))
        assert fitted.train.label[:60].shape == (60,)
    assert not list(tmp_path.glob(".tmp-rows-*"))
    assert len(fitted.history["loss"]) == 3
    assert len(fitted.history["eval_loss"]) == 3
    assert any(not np.array_equal(a, b) for a, b in zip(before, untrained.network.get_weights(), strict=True))
    if patience is None:
        assert (fitted.train.units, fitted.held_out, fitted.train.fold) == (None, None, None)
    else:
        assert fitted.held_out == (0,)
        assert fitted.train.units is not None
        assert fitted.train.fold is not None
        assert set(fitted.train.fold) == set(range(params.folds))


def test_one_device_has_no_other_copy_of_the_network() -> None:
    assert trained_instead(None, Recipe(), pytest.fail) is None
