from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from crossnet.pipeline.export.compare import compare
from crossnet.serving.protocol.dtypes import Array

NAN, INF = float("nan"), float("inf")


class Adds:
    def __init__(self, added: Array | float) -> None:
        self.added = added

    def predict(self, features: Mapping[str, Array]) -> Array:
        return np.where(np.isfinite(self.added), features["x"] + np.nan_to_num(self.added), self.added)


def batches(*values: list[float]) -> Any:
    return (({"x": np.array(each, np.float32)}, np.array(each, np.float32)) for each in values)


def test_the_largest_difference_of_all_batches_is_told() -> None:
    result = compare(Adds(0.5), batches([1.0, -8.0], [4.0]))
    assert (result.rows, result.difference, result.largest) == (3, 0.5, 8.0)
    assert result.passes(1 / 16)
    assert not result.passes(1 / 17)
    assert result.sentence("what it said", 1e-5) == (
        "The largest difference from what it said is 0.5 (allowed: 1e-5 of the largest, 8)."
    )


def test_answers_that_are_not_finite_must_be_the_same() -> None:
    assert compare(Adds(0.0), batches([NAN, INF, -INF])).passes(0.0)
    for odd in (NAN, INF):
        result = compare(Adds(np.array([odd, 0.0])), batches([1.0, 2.0]))
        assert not result.passes(1e9)
        assert "are not numbers" in result.sentence("it", 1e-5)
    assert not compare(Adds(np.array([-INF])), batches([INF])).passes(1.0)
