from __future__ import annotations

from typing import Any

import pytest

from crossnet.components.errors import SettingsError
from crossnet.pipeline.config import Config, make_config
from crossnet.pipeline.tune.space import Choices, Range, applied, space_of, words


def config(**space: Any) -> Config:
    return make_config({"trainer": {"preset": "table"}, "tune": {"space": space}})


def test_without_a_space_what_the_preset_chooses_by_the_rows_is_tried_and_around_it() -> None:
    space, configured = space_of(config(), "cross_layer", 1000)
    assert space["trainer.learning_rate"] == Range(0.0025, 0.04, True, False)
    assert space["cross_layer.deep_units"] == Choices(("auto", [25, 25], [102, 102], [51, 51, 51], [51]))
    assert space["cross_layer.num_layers"] == Choices((1, 2, 3))
    assert {"trainer.weight_decay", "trainer.number_bins"} < set(space)
    assert configured["trainer.learning_rate"] == 0.01
    assert applied(config(), configured) == applied(config(), {"trainer.learning_rate": 0.01})


def test_dense_networks_are_tried_by_their_own_settings() -> None:
    space, _ = space_of(config(), "dense", 1000)
    assert "dense.units" in space
    assert not [name for name in space if name.startswith("cross_layer")]


def test_a_space_of_ones_own_is_read_with_and_without_quotes() -> None:
    layers = {"cross_layer.num_layers": {"low": 1, "high": 3}}
    rates = {"trainer": {"learning_rate": {"low": 0.001, "high": 0.1}}}
    space, configured = space_of(config(**layers, **rates), "cross_layer", 1000)
    assert space == {
        "cross_layer.num_layers": Range(1, 3, False, True),
        "trainer.learning_rate": Range(0.001, 0.1, True, False),
    }
    assert configured == {"cross_layer.num_layers": 1, "trainer.learning_rate": 0.01}


def test_what_the_config_has_is_among_what_is_tried() -> None:
    space, configured = space_of(config(**{"trainer.members": [1, 4]}), "cross_layer", 1000)
    assert space == {"trainer.members": Choices(("auto", 1, 4))}
    assert configured == {"trainer.members": "auto"}


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        ({"trainer.lerning_rate": [1]}, r"`trainer.lerning_rate`, which is not a setting. Did you mean `trainer.learn"),
        ({"trainer.seed": [1, 2]}, r"names `trainer.seed`, by which trials could not be compared"),
        ({"dense.units": [[3]]}, r"names `dense.units`, which changes nothing of how `cross_layer` is trained"),
        ({"trainer.members": []}, r"no values to try for `trainer.members`: expected a list of some.* Received \[\]"),
        ({"trainer.members": {"low": 4, "high": 2}}, r"low below high.* Received \{"),
        ({"trainer.members": {"low": "a", "high": 2}}, r"expected a list of some"),
        ({"trainer.learning_rate": {"low": 0, "high": 1, "log": True}}, r"with log = true, low above 0"),
        (
            {"cross_layer.num_layers": [1, 0]},
            r"`cross_layer.num_layers` must be a finite number at least 1. Received 0",
        ),
        ({"trainer.learning_rate": {"low": -1.0, "high": 1.0}}, r"`trainer.learning_rate` must be .* above 0"),
    ],
)
def test_a_space_that_cannot_be_tried_is_refused_in_words(space: Any, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        space_of(config(**space), "cross_layer", 1000)


def test_values_are_told_in_words() -> None:
    assert words({"trainer.learning_rate": 0.0123456, "dense.units": [8, 8], "trainer.members": "auto"}) == (
        "trainer.learning_rate 0.0123, dense.units [8, 8], trainer.members auto"
    )
