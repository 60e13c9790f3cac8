"""Gives every worker of a training the checkpoint that the chief has."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

from crossnet.components.training.checkpoints import STATE, Checkpoint, Checkpoints
from crossnet.components.training.meeting import Meeting


class SharedCheckpoints:
    """The checkpoints of a training on several workers; the chief's are the ones that count.

    Args:
      meeting: The workers.
      own: Where the chief keeps them; None: nowhere, as on any other worker.
    """

    def __init__(self, meeting: Meeting, own: Checkpoints | None) -> None:
        self._meeting, self._own = meeting, own

    def read(self) -> Checkpoint | None:
        """Returns the chief's checkpoint, on every worker; None where he has none.

        Raises:
          TrainingError: It was made with another identity, or a worker has ended.
        """
        if not self._meeting.cluster.is_chief:
            return unpack(self._meeting.share(b""))
        found = self._own.read() if self._own else None
        self._meeting.share(pack(found))
        return found

    def write(self, checkpoint: Checkpoint) -> None:
        """Replaces the chief's checkpoint; does nothing on another worker."""
        if self._own:
            self._own.write(checkpoint)


def pack(checkpoint: Checkpoint | None) -> bytes:
    """Returns a checkpoint as bytes, none of them without one."""
    if checkpoint is None:
        return b""
    stream = io.BytesIO()
    arrays: dict[str, Any] = {
        STATE: np.frombuffer(json.dumps(checkpoint.state).encode(), np.uint8),
        **checkpoint.arrays,
    }
    np.savez(stream, **arrays)
    return stream.getvalue()


def unpack(payload: bytes) -> Checkpoint | None:
    """Returns the checkpoint that `pack` was given."""
    if not payload:
        return None
    with np.load(io.BytesIO(payload)) as stored:  # never unpickles: allow_pickle is off
        arrays = {name: stored[name] for name in stored.files}
    return Checkpoint(json.loads(arrays.pop(STATE).tobytes()), arrays)
