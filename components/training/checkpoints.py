"""Writes and reads checkpoints, from which a killed training goes on."""

from __future__ import annotations

import json
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


@dataclass(frozen=True)
class Checkpoint:
    """A finished epoch.

    Attributes:
      state: JSON values: the history.
      arrays: Weights and what the optimizer remembers.
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
        text = json.dumps({"identity": self.identity, "state": checkpoint.state})
        temporary = self.folder / f".tmp-{CHECKPOINT_FILE}"
        with temporary.open("wb") as stream:
            arrays: dict[str, Any] = {STATE: np.frombuffer(text.encode(), np.uint8), **checkpoint.arrays}
            np.savez(stream, **arrays)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self.folder / CHECKPOINT_FILE)

    def read(self) -> Checkpoint | None:
        """Returns the checkpoint, or None where there is none.

        Raises:
          TrainingError: It is damaged, or was made with another identity.
        """
        path = self.folder / CHECKPOINT_FILE
        if not path.exists():
            return None
        advice = f"Remove `{path.name}` from `{self.folder.name}` to train from the start."
        try:
            with path.open("rb") as stream, np.load(stream) as stored:  # never unpickles: allow_pickle is off
                arrays = {name: stored[name] for name in stored.files}
            found = json.loads(arrays.pop(STATE).tobytes())
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise TrainingError(f"The checkpoint `{path}` cannot be read ({error}). {advice}") from None
        if difference := differences(found["identity"], json.loads(json.dumps(self.identity))):
            raise TrainingError(f"The checkpoint `{path}` comes from another training: {difference}. {advice}")
        return Checkpoint(found["state"], arrays)


def differences(there: Any, here: Any, name: str = "") -> str:
    """Returns what differs between two JSON values, in words: "`kind` is dense there, cross_layer here"."""
    if isinstance(there, dict) and isinstance(here, dict):
        parts = (differences(there.get(key), here.get(key), key) for key in dict.fromkeys([*here, *there]))
        return "; ".join(part for part in parts if part)
    return "" if there == here else f"`{name}` is {json.dumps(there)} there, {json.dumps(here)} here"
