from __future__ import annotations

import pytest

from crossnet.components.errors import SettingsError
from crossnet.pipeline.config import make_config


def test_a_space_may_hold_lists_and_ranges() -> None:
    space = {"trainer.learning_rate": {"low": 0.001, "high": 0.1}, "cross_layer.num_layers": [1, 2]}
    assert make_config({"tune": {"space": space}}).tune.space == space


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"`tune.trials` must be a finite number at least 1. Received 0."):
        make_config({"tune": {"trials": 0}})
