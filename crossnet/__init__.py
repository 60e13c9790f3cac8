"""Offers the public Python API; each name is imported when first used.

`import crossnet` alone loads neither TensorFlow nor grpc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossnet.lazy import lazy_names

if TYPE_CHECKING:
    from crossnet.components.artifacts.base import Artifact
    from crossnet.components.errors import NotBlessedError, PipelineError
    from crossnet.components.networks.cross_gated import CrossGated
    from crossnet.components.networks.cross_mix import CrossMix
    from crossnet.components.networks.layers import CrossLayer
    from crossnet.components.params.setting import setting
    from crossnet.pipeline.api.calls import RunFailedError, load_run, run
    from crossnet.pipeline.api.loaded_run import LoadedRun
    from crossnet.pipeline.config import Config
    from crossnet.serving.client import AsyncPredictionClient, PredictionClient

__all__ = [
    "Artifact",
    "AsyncPredictionClient",
    "Config",
    "CrossGated",
    "CrossLayer",
    "CrossMix",
    "LoadedRun",
    "NotBlessedError",
    "PipelineError",
    "PredictionClient",
    "RunFailedError",
    "load_run",
    "run",
    "setting",
]

if not TYPE_CHECKING:  # to a type checker, a module with `__getattr__` has every name
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Artifact": "crossnet.components.artifacts.base",
            "AsyncPredictionClient": "crossnet.serving.client",
            "Config": "crossnet.pipeline.config",
            "CrossGated": "crossnet.components.networks.cross_gated",
            "CrossLayer": "crossnet.components.networks.layers",
            "CrossMix": "crossnet.components.networks.cross_mix",
            "LoadedRun": "crossnet.pipeline.api.loaded_run",
            "NotBlessedError": "crossnet.components.errors",
            "PipelineError": "crossnet.components.errors",
            "PredictionClient": "crossnet.serving.client",
            "RunFailedError": "crossnet.pipeline.api.calls",
            "load_run": "crossnet.pipeline.api.calls",
            "run": "crossnet.pipeline.api.calls",
            "setting": "crossnet.components.params.setting",
        },
    )
