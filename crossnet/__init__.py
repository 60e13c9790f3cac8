"""Trains, judges and serves cross networks: the public Python API, imported when it is first used.

`import crossnet` alone loads neither TensorFlow nor grpc.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crossnet.components.networks.layers import CrossLayer
    from crossnet.serving.client import AsyncPredictionClient, PredictionClient

__all__ = ["AsyncPredictionClient", "CrossLayer", "PredictionClient"]

_MODULES = {
    "AsyncPredictionClient": "crossnet.serving.client",
    "CrossLayer": "crossnet.components.networks.layers",
    "PredictionClient": "crossnet.serving.client",
}


def __getattr__(name: str) -> Any:
    """Imports a name of the public API from its module."""
    if name not in _MODULES:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`. It has: {', '.join(__all__)}.")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
