"""Reads the folder of a finished artifact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from crossnet.components.errors import MissingArtifactError
from crossnet.components.files import read_json

ARTIFACT_FILE = "artifact.json"


@dataclass(frozen=True)
class Artifact:
    """A finished folder.

    Attributes:
      path: The folder.
      counts: Whole numbers worth a line on the screen, such as rows by split.
      properties: Facts for later steps; JSON values only.
      fingerprint: Hex digest of all that made it; empty while it is being made.
    """

    path: Path
    counts: Mapping[str, int] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str = ""

    FORMAT: ClassVar[int] = 1

    @classmethod
    def load(cls, path: Path) -> Self:
        """Returns the finished artifact in `path`.

        Raises:
          MissingArtifactError: There is none, or it is of another type or format.
        """
        try:
            facts = read_json(path / ARTIFACT_FILE)
        except (FileNotFoundError, NotADirectoryError):
            raise MissingArtifactError(
                f"No finished {cls.__name__} in `{path}`: it has no {ARTIFACT_FILE}. Make it again with `crossnet run`."
            ) from None
        if (facts["type"], facts["format"]) != (cls.__name__, cls.FORMAT):
            raise MissingArtifactError(
                f"`{path}` holds {facts['type']} (format {facts['format']}), expected {cls.__name__} "
                f"(format {cls.FORMAT}). Remove the folder and call `crossnet run` again."
            )
        return cls(path, facts["counts"], facts["properties"], facts["fingerprint"])
