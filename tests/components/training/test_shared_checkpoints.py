"""The chief's checkpoint, on its way to the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from crossnet.components.training.checkpoints import Checkpoint, Checkpoints
from crossnet.components.training.cluster import Cluster
from crossnet.components.training.shared_checkpoints import SharedCheckpoints, pack, unpack

CHECKPOINT = Checkpoint(
    {"history": {"loss": [0.1, 1e-300]}}, {"weight_0": np.array([[1.5]], np.float32), "losses": np.zeros(0)}
)


class Wire:
    """A meeting of two in one thread: what the chief says, the other hears."""

    def __init__(self, index: int, said: list[bytes]) -> None:
        self.cluster, self.said = Cluster(("a:1", "b:2"), index), said

    def share(self, payload: bytes) -> bytes:
        if self.cluster.is_chief:
            self.said.append(payload)
        return self.said[-1]


def same(one: Checkpoint | None, other: Checkpoint | None) -> bool:
    assert one is not None
    assert other is not None
    arrays = zip(one.arrays.items(), other.arrays.items(), strict=True)
    return one.state == other.state and all(
        a == b and x.dtype == y.dtype and np.array_equal(x, y) for (a, x), (b, y) in arrays
    )


def test_a_checkpoint_comes_out_as_it_went_in() -> None:
    assert same(unpack(pack(CHECKPOINT)), CHECKPOINT)
    assert unpack(pack(None)) is None


def test_all_go_on_from_the_checkpoint_of_the_chief_who_alone_writes(tmp_path: Path) -> None:
    said: list[bytes] = []
    wires: list[Any] = [Wire(0, said), Wire(1, said)]
    chief = SharedCheckpoints(wires[0], Checkpoints(tmp_path / "chief", {"seed": 1}))
    other = SharedCheckpoints(wires[1], None)
    assert chief.read() is None
    assert other.read() is None
    other.write(CHECKPOINT)
    assert list(tmp_path.iterdir()) == []
    chief.write(CHECKPOINT)
    assert same(chief.read(), CHECKPOINT)
    assert same(other.read(), CHECKPOINT)
