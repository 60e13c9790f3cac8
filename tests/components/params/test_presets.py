from __future__ import annotations

import dataclasses

import pytest

from crossnet.components.params.networks import ARCHITECTURES
from crossnet.components.params.presets import PRESETS, preset_defaults, with_preset
from crossnet.components.params.trainer import TrainerParams

SECTIONS = {"trainer": TrainerParams, **ARCHITECTURES}


@pytest.mark.parametrize("preset", PRESETS)
def test_preset_names_settings_that_there_are(preset: str) -> None:
    for section, defaults in preset_defaults(preset).items():
        assert set(defaults) <= {item.name for item in dataclasses.fields(SECTIONS[section])}
        SECTIONS[section](**defaults)


def test_own_settings_win_and_nothing_is_changed_in_place() -> None:
    values = {"models": ["dense"], "trainer": {"preset": "article", "epochs": 3}}
    filled = with_preset(values)
    assert (filled["trainer"]["epochs"], filled["trainer"]["optimizer"]) == (3, "adagrad")
    assert filled["cross_layer"] == {"kernel_initializer": "truncated_normal"}
    assert values == {"models": ["dense"], "trainer": {"preset": "article", "epochs": 3}}


@pytest.mark.parametrize("trainer", [None, 3, [], {}, {"preset": 7}, {"preset": "tables"}])
def test_what_is_no_preset_is_left_as_it_is(trainer: object) -> None:
    assert with_preset({"trainer": trainer}) == {"trainer": trainer}
