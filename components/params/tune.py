"""Settings of `crossnet tune`: what is tried, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crossnet.components.params.setting import setting


@dataclass(frozen=True, kw_only=True)
class TuneParams:
    """What `crossnet tune` tries; `crossnet run` does not read it."""

    trials: int = setting(30, "configurations that are tried; those as the config says are the first", least=1)
    space: Mapping[str, Any] = setting(
        {},
        'what is tried, by setting: a list of values, or a range such as "trainer.learning_rate" = {low = 0.001, high '
        "= 0.03}; without any, learning rate, weight decay, layers, width and bins around what the config says",
    )
