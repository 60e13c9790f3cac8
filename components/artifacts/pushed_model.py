"""Reads the artifact of Pusher: the record of a push."""

from __future__ import annotations

from pathlib import Path

from crossnet.components.artifacts.base import Artifact
from crossnet.components.files import folder_checksum


class PushedModel(Artifact):
    """The record of a push: pushed.json. The model itself is in the folder that the server watches.

    Properties: `model_name`, `version`, `destination` (absolute), `checksum`, `model` (fingerprint).
    """

    @property
    def version(self) -> int:
        """The version's number, the name of its folder."""
        return int(self.properties["version"])

    @property
    def destination(self) -> Path:
        """The version's folder."""
        return Path(self.properties["destination"])

    @property
    def in_service(self) -> bool:
        """Whether the version is still there and unchanged."""
        return self.destination.is_dir() and folder_checksum(self.destination) == self.properties["checksum"]
