"""Reads the artifact of Pusher: the record of a push."""

from __future__ import annotations

from pathlib import Path

from crossnet.components.artifacts.base import Artifact, Outcome
from crossnet.components.files import folder_checksum
from crossnet.components.model_folder import versions_in_service

RECORD_FILE = "pushed.json"


class PushedModel(Artifact):
    """The record of a push: pushed.json. The model itself is in the folder that the server watches.

    Properties: `model_name`, `version`, `destination` (absolute), `checksum`, `model` (fingerprint), `damaged` (numbers
    of the versions that the push took out of service because their files had changed).
    """

    @property
    def version(self) -> int:
        """The version's number, the name of its folder."""
        return int(self.properties["version"])

    @property
    def model_name(self) -> str:
        """The name that clients ask for."""
        return str(self.properties["model_name"])

    @property
    def model(self) -> str:
        """Fingerprint of the Model that was pushed."""
        return str(self.properties["model"])

    @property
    def destination(self) -> Path:
        """The version's folder; in a root that was moved or copied since, the one there."""
        recorded = Path(self.properties["destination"])
        moved = Path(*self.path.parts[:-3], "serving_models", recorded.parent.name, recorded.name)
        return moved if moved.is_dir() and not recorded.exists() else recorded

    @property
    def is_current(self) -> bool:
        """Whether the version is in service: the newest there, because servers take that one, and unchanged."""
        try:
            newest = next(iter(versions_in_service(self.destination.parent)), None)
            return newest == self.version and folder_checksum(self.destination) == self.properties["checksum"]
        except OSError:  # rolled back while it was read, or not readable by this user
            return False

    @property
    def headline(self) -> str:
        """The version in words."""
        return f"version {self.version}" + ("" if self.counts["pushed"] else " (was there already)")

    def outcome(self, *, force: bool = False) -> Outcome:
        """Returns the version in service."""
        return Outcome(pushed_version=self.version)
