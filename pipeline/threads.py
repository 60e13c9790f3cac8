"""Gives TensorFlow one thread where a table has few rows.

To hand the products of a small batch to a second thread costs more than it saves: a run on 546 rows takes 14.7 CPU s,
and 17.1 where `FEW_ROWS` is 0 (2026-11-30, 2 idle cores, a config of `crossnet init`, the same predictions). Threads
can change the order in which floats are summed, so a run decides once, for all its steps, in whichever process they
are. In a process that is not a command of ours TensorFlow stays as it is.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable

from crossnet.components.artifacts.base import Artifact
from crossnet.components.artifacts.examples import Examples

FEW_ROWS = 2000  # of all splits

_own_process = False


def claim_process() -> None:
    """Says that this process is a command of ours."""
    global _own_process
    _own_process = True


def is_own_process() -> bool:
    """Returns whether this process is a command of ours."""
    return _own_process


def may_limit() -> bool:
    """Returns whether a process that this one starts for a step may limit threads, as this one may.

    It may not where TensorFlow has begun here with all threads, to try the networks of a user's project.
    """
    tensorflow = sys.modules.get("tensorflow")
    return _own_process and (tensorflow is None or tensorflow.config.threading.get_intra_op_parallelism_threads() == 1)


def limit_threads(made: Iterable[Artifact]) -> None:
    """Has each op of TensorFlow run in one thread where a step reads few rows.

    Does nothing in a process that is not a command of ours, or where TensorFlow is not imported. TensorFlow takes the
    number only before it computes anything; a later step of the same run finds it set.

    Args:
      made: What the step reads.
    """
    rows = [sum(artifact.counts.values()) for artifact in made if isinstance(artifact, Examples)]
    tensorflow = sys.modules.get("tensorflow")
    if not _own_process or not rows or max(rows) > FEW_ROWS or tensorflow is None:
        return
    with contextlib.suppress(RuntimeError):
        tensorflow.config.threading.set_intra_op_parallelism_threads(1)
