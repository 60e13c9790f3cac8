"""Brings workers of a training together in threads of this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from crossnet.components.training.cluster import Cluster
from crossnet.components.training.meeting import Meeting
from crossnet.components.training.rows import Rows
from crossnet.components.training.shared_rows import SharedRows, shared
from crossnet.components.training.sharing import Sharing
from support.arena import free_port

SECONDS = 30.0


def together(*work: Callable[[Meeting], Any]) -> Sequence[Any]:
    """Returns what each worker's function returns or raises."""
    ports: set[int] = set()
    while len(ports) < len(work):
        ports.add(free_port())
    names = tuple(f"127.0.0.1:{port}" for port in ports)

    def take_part(index: int) -> Any:
        try:
            with Meeting(Cluster(names, index), {}, SECONDS) as meeting:
                return work[index](meeting)
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(work)) as pool:
        return [future.result(SECONDS) for future in [pool.submit(take_part, index) for index in range(len(work))]]


def sharing(count: int, work: Callable[[Sharing], Any]) -> Sequence[Any]:
    """Returns what each of several workers that share rows returns; raises what the first raises that does."""
    found = together(*[lambda meeting: work(Sharing(meeting))] * count)
    for one in found:
        if isinstance(one, Exception):
            raise one
    return found


def share_of(whole: Rows, workers: Sharing) -> SharedRows:
    """Returns the share of all rows that a worker would have read: of what weighs more than 0."""
    blocks = workers.blocks(len(whole))
    read = blocks.places(np.arange(blocks.count(len(whole))))
    place = None
    if whole.weight is not None:
        place = np.flatnonzero(whole.weight[read] > 0)
        read = read[place]
    parts: dict[str, Any] = {
        name: None if (part := getattr(whole, name)) is None else part[read] for name in ("fold", "weight", "units")
    }
    inputs = tuple(part[read] for part in whole.inputs)
    rows = Rows(inputs, whole.label[read], whole.chunk, **parts, place=place, folder=whole.folder, blocks=blocks)
    found = shared(rows, workers, len(whole))
    assert isinstance(found, SharedRows)
    return found
