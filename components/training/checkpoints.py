"""Writes and reads checkpoints, from which a killed training goes on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crossnet.components.errors import TrainingError

CHECKPOINT_FILE = "checkpoint.npz"
STATE = "state"
LOGGER = logging.getLogger(__name__)

# What a changed byte makes `zipfile` and NumPy raise.
_DAMAGED = (OSError, EOFError, KeyError, ValueError, NotImplementedError, RuntimeError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Checkpoint:
    """A place in a training: after an epoch, and some updates of the next.

    Attributes:
      state: JSON values: the history.
      arrays: Weights, what the optimizer remembers, and the losses of those updates.
    """

    state: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoint of one training, the newest only.

    Attributes:
      folder: Where it is.
      identity: All that the result depends on, JSON values: architecture, settings, rows.
    """

    folder: Path
    identity: Mapping[str, Any]

    def write(self, checkpoint: Checkpoint) -> None:
        """Replaces the checkpoint by one rename: a kill leaves either the old one or the new one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        facts = {"identity": self.identity, "state": checkpoint.state, "sha256": _sha256(checkpoint.arrays)}
        text = json.dumps(facts)
        temporary = self.folder / f".tmp-{CHECKPOINT_FILE}"
        arrays: dict[str, Any] = {STATE: np.frombuffer(text.encode(), np.uint8), **checkpoint.arrays}
        try:
            with temporary.open("wb") as stream:
                np.savez(stream, **arrays)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(self.folder / CHECKPOINT_FILE)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()  # a half takes space from a disk that is full
            raise

    def read(self) -> Checkpoint | None:
        """Returns the checkpoint; None where there is none, or where its checksums say that it is damaged.

        Raises:
          TrainingError: It was made with another identity.
        """
        path = self.folder / CHECKPOINT_FILE
        if not path.exists():
            return None
        try:
            with path.open("rb") as stream, np.load(stream) as stored:  # never unpickles: allow_pickle is off
                arrays = {name: stored[name] for name in stored.files}
            found = json.loads(arrays.pop(STATE).tobytes())
            if found["sha256"] != _sha256(arrays):  # the archive has a CRC-32 of each part, and none of itself
                raise ValueError("its arrays are not those that were written")
        except _DAMAGED as error:
            LOGGER.warning("The checkpoint `%s` is damaged (%s). The training begins anew.", path, error)
            return None
        if difference := differences(found["identity"], json.loads(json.dumps(self.identity))):
            raise TrainingError(
                f"The checkpoint `{path}` comes from another training: {difference}. Remove `{path.name}` from "
                f"`{self.folder.name}` to train from the start."
            )
        return Checkpoint(found["state"], arrays)


def _sha256(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """Returns the SHA-256 of names, types, shapes and values, in the order of the names."""
    total = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        total.update(f"{name} {array.dtype.str} {array.shape}\0".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def differences(there: Any, here: Any, name: str = "") -> str:
    """Returns what differs between two JSON values, in words: "`kind` is dense there, cross_layer here"."""
    if isinstance(there, dict) and isinstance(here, dict):
        parts = (differences(there.get(key), here.get(key), key) for key in dict.fromkeys([*here, *there]))
        return "; ".join(part for part in parts if part)
    return "" if there == here else f"`{name}` is {json.dumps(there)} there, {json.dumps(here)} here"
