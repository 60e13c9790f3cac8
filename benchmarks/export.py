"""Compares the exported graph with the graph that Keras makes of it.

Both are loaded and run as the embedded server does. Weights, preprocessing and signature are the same; one computes
feature by feature with constants, the other row by row with variables (`crossnet.components.networks.by_feature`).
Dense layers wider than 256 are exported as Keras computes them; three cases say what the other way would cost. The
networks of preset `table` are exported member by member (`crossnet.components.networks.by_member`): the last case.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.harness import Row, interleave

REPEATS = 9
SECONDS = 0.1  # of calls per repeat
CASES: tuple[tuple[str, str, dict[str, Any], int], ...] = (
    ("one cross layer, 3 features", "cross_layer", {}, 3),
    ("two cross layers, 20 features", "cross_layer", {"num_layers": 2}, 20),
    ("three cross layers, 100 features", "cross_layer", {"num_layers": 3}, 100),
    ("cross layers and a tower of 64, 20 features", "cross_layer",
     {"num_layers": 2, "structure": "stacked", "deep_units": (64,)}, 20),
    ("dense 64 64, 3 features", "dense", {"units": (64, 64)}, 3),
    ("dense 256 256, 20 features", "dense", {"units": (256, 256)}, 20),
    ("dense 512 512, 20 features", "dense", {"units": (512, 512)}, 20),
    ("16 members of a cross layer beside a tower of 64 64, 20 features", "cross_layer",
     {"projection_dim": 5, "structure": "parallel", "deep_units": (64, 64), "members": 16}, 20),
)  # fmt: skip


def rows() -> Iterator[Row]:
    """Yields CPU time per call at 1, 100 and 1,000 rows."""
    from crossnet.components.networks import by_feature

    for network, kind, settings, width in CASES:
        with tempfile.TemporaryDirectory() as folder:
            gains = kind != "dense" or max(settings["units"]) <= by_feature.MAX_DENSE_WIDTH
            with mock.patch.object(by_feature, "MAX_DENSE_WIDTH", 10**6):
                ours = _Served(Path(folder, "ours"), kind, settings, width)
            export = "crossnet.components.networks.export"
            with (
                mock.patch(f"{export}.by_feature", return_value=None),
                mock.patch(f"{export}.by_member", return_value=None),
            ):
                other = _Served(Path(folder, "keras"), kind, settings, width)
            for count in (1, 100, 1000):
                batch = list(np.random.default_rng(0).normal(size=(width, count)).astype(np.float32))
                np.testing.assert_allclose(ours.call(batch), other.call(batch), rtol=1e-4, atol=1e-4)
                a, b, ratio, scatter = interleave(
                    partial(ours.cost, batch), partial(other.cost, batch), repeats=REPEATS
                )
                case = f"{network}, {count:,} rows" + ("" if gains else " (not done)")
                words = "the same weights as Keras computes them"
                yield Row("export", case, a, b, "us", ratio, alternative=words, scatter=scatter)


class _Served:
    """An export with random weights, loaded into a session."""

    def __init__(self, path: Path, kind: str, settings: dict[str, Any], width: int) -> None:
        from crossnet.components.networks.columns import NumberColumn
        from crossnet.components.networks.export import export_model
        from crossnet.components.networks.models import build_network, describe, initialize
        from crossnet.components.networks.preprocessing import Preprocessing, Transform
        from crossnet.components.params.networks import CrossLayerParams, DenseParams
        from crossnet.serving.embedded.model import LoadedModel

        members = settings.get("members")
        given = {name: value for name, value in settings.items() if name != "members"}
        architecture = (DenseParams if kind == "dense" else CrossLayerParams)(**given)
        network = build_network(kind, architecture, num_numbers=width, members=members)
        initialize(network, 0)
        for variable in network.trainable_variables:  # a graph optimizer takes an addition of zero out
            variable.assign_add(np.full(variable.shape, 0.01, np.float32))
        columns = tuple(NumberColumn(f"x{i:03}", "FLOAT", True, mean=0.1, scale=2.0) for i in range(width))
        description = describe(kind, architecture, network) | ({"shares": [1 / members] * members} if members else {})
        export_model(network, Transform(Preprocessing(columns, ())), path, description=description)
        model = LoadedModel(path)
        run = model.prepare(model.signatures["serving_default"], ("prediction",))
        self.call: Callable[[list[Any]], Any] = lambda batch: run(batch)["prediction"]

    def cost(self, batch: list[Any]) -> float:
        """Returns CPU microseconds per call."""
        end, calls, start = time.perf_counter() + SECONDS, 0, time.process_time()
        while time.perf_counter() < end:
            for _ in range(10):
                self.call(batch)
            calls += 10
        return (time.process_time() - start) / calls * 1e6
