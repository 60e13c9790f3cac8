"""Names sets of defaults for the settings that a user leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crossnet.components.params.setting import AUTO

PRESETS = ("article", "polynomial", "table")

_BESIDE_A_TOWER = {"structure": "parallel", "deep_units": AUTO}

# Settings by section, where a preset's default is another than the code's. "polynomial" is the code's.
_DEFAULTS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "article": {
        "trainer": {
            "optimizer": "adagrad",
            "learning_rate": 0.4,
            "schedule": "constant",
            "epochs": 100,
            "batch_size": 1000,
            "normalize": "none",
            "shuffle": False,
        },
        "cross_layer": {"kernel_initializer": "truncated_normal"},
        "tfrs_cross": {"kernel_initializer": "truncated_normal"},
    },
    "polynomial": {},
    "table": {
        "trainer": {
            "optimizer": "adamw",
            "epochs": AUTO,
            "batch_size": AUTO,
            "learning_rate": AUTO,
            "beta_2": 0.999,
            "warmup_fraction": 0.03,
            "shuffle": True,
            "weight_decay": AUTO,
            "early_stopping_patience": AUTO,
            "interval_coverage": 0.95,
            "members": AUTO,
            "blend_linear": True,
            "normalize": "robust",
            "number_bins": AUTO,
            "embed_whole_numbers": True,
            "min_count": AUTO,
            "date_parts": True,
            "clip_predictions": True,
        },
        "cross_layer": {**_BESIDE_A_TOWER, "projection_dim": AUTO},
        "tfrs_cross": {**_BESIDE_A_TOWER, "projection_dim": AUTO},
        "cross_gated": {**_BESIDE_A_TOWER, "projection_dim": AUTO},
        "cross_mix": _BESIDE_A_TOWER,
        "dense": {"units": AUTO},
    },
}


def with_preset(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings with the defaults of the preset that they name, where they say nothing else.

    Args:
      values: Settings by section, as a TOML file holds them. What is not a preset or not a section is left for the
        rules of settings to refuse.
    """
    trainer = values.get("trainer")
    name = trainer.get("preset") if isinstance(trainer, Mapping) else None
    chosen = dict(values)
    for section, defaults in preset_defaults(name if isinstance(name, str) else "").items():
        own = values.get(section, {})
        if isinstance(own, Mapping):
            chosen[section] = {**defaults, **own}
    return chosen


def preset_defaults(name: str) -> Mapping[str, Mapping[str, Any]]:
    """Returns a preset's defaults by section, where they differ from the code's; none for an unknown name."""
    return _DEFAULTS.get(name, {})
