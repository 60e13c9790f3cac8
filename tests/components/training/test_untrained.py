from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from crossnet.components.params.networks import CrossLayerParams, ModelParams
from crossnet.components.training.learned_rows import learned_rows
from crossnet.components.training.recipe import Recipe
from crossnet.components.training.untrained import make_untrained
from support.training_fixtures import article_table, make_artifacts


def test_network_is_made_for_its_rows_and_drawn_from_the_seed(tmp_path: Path) -> None:
    table = article_table(60)
    examples, schema, statistics = make_artifacts(tmp_path, table, {name: [] for name in table})
    learned = learned_rows(examples, statistics)
    architecture = CrossLayerParams(structure="parallel", deep_units="auto", projection_dim="auto")
    model = ModelParams(kind="cross_layer", architecture=architecture)

    def made(**settings: Any) -> Any:
        return make_untrained(learned, schema, params=Recipe(**settings), model=model)

    ours = made()
    assert ours.model.architecture.deep_units == (32, 32)
    assert ours.description["deep_units"] == [32, 32]
    assert ours.preprocessing.number_names == ("x0", "x1", "x2")
    assert ours.network.output_shape == (None, 1)
    assert made(members=3).network.output_shape == (None, 3)
    same, other = made().network.get_weights(), made(seed=1).network.get_weights()
    assert [weight.tobytes() for weight in ours.network.get_weights()] == [weight.tobytes() for weight in same]
    assert not np.array_equal(same[0], other[0])
