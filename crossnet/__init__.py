"""Offers the public Python API; each name is imported when first used.

`import crossnet` alone loads neither TensorFlow nor grpc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossnet.lazy import lazy_names

if TYPE_CHECKING:
    from crossnet.components.networks.cross_gated import CrossGated
    from crossnet.components.networks.cross_mix import CrossMix
    from crossnet.components.networks.layers import CrossLayer
    from crossnet.serving.client import AsyncPredictionClient, PredictionClient

__all__ = ["AsyncPredictionClient", "CrossGated", "CrossLayer", "CrossMix", "PredictionClient"]

if not TYPE_CHECKING:  # to a type checker, a module with `__getattr__` has every name
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "AsyncPredictionClient": "crossnet.serving.client",
            "CrossGated": "crossnet.components.networks.cross_gated",
            "CrossLayer": "crossnet.components.networks.layers",
            "CrossMix": "crossnet.components.networks.cross_mix",
            "PredictionClient": "crossnet.serving.client",
        },
    )
