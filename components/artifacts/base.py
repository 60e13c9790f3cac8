"""Reads the folder of a finished artifact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from crossnet.components.errors import MissingArtifactError, UnreadableFileError
from crossnet.components.files import read_object

ARTIFACT_FILE = "artifact.json"
SPLIT_PREFIX = "Split-"
_FACTS = {"type": str, "format": int, "counts": dict, "properties": dict, "fingerprint": str}
_ADVICE = "Make the artifact again with `crossnet run`."


def split_folder(folder: Path, split: str) -> Path:
    """Returns the folder of one split inside an artifact's folder, named as in TFX."""
    return folder / f"{SPLIT_PREFIX}{split}"


def read_facts(folder: Path, kind: str = "artifact") -> dict[str, Any]:
    """Returns the artifact.json of a finished artifact's folder, of any type; `kind` names it in the error.

    Raises:
      MissingArtifactError: There is none, or it cannot be read.
    """
    file = folder / ARTIFACT_FILE
    try:
        facts = read_object(file)
    except (FileNotFoundError, NotADirectoryError):
        raise MissingArtifactError(
            f"No finished {kind} in `{folder}`: it has no {ARTIFACT_FILE}. Make it again with `crossnet run`."
        ) from None
    except UnreadableFileError as error:
        raise MissingArtifactError(str(error.advise(_ADVICE))) from error
    for name, expected in _FACTS.items():
        if not isinstance(facts.get(name), expected):
            found = type(facts[name]).__name__ if name in facts else "missing"
            problem = UnreadableFileError(file, f"`{name}` is {found}, expected {expected.__name__}", _ADVICE)
            raise MissingArtifactError(str(problem))
    return facts


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one artifact adds to the outcome of its run.

    Attributes:
      verdict: "BLESSED" or "NOT_BLESSED"; None: the artifact holds no verdict.
      champion: The blessed model's name.
      models: Metrics by model, in the order in which they are shown.
      pushed_version: The version in service.
      reasons: Why nothing is pushed, one sentence each.
      warnings: What is worth knowing and stops nothing.
      error: Why the run has failed.
      exit_code: 0, or the exit code with which the run ends.
    """

    verdict: str | None = None
    champion: str | None = None
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pushed_version: int | None = None
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str | None = None
    exit_code: int = 0


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

    @property
    def is_current(self) -> bool:
        """Whether what the step wrote outside this folder is still there and unchanged."""
        return True

    @property
    def headline(self) -> str:
        """The counts in words, for one line on the screen."""
        return ", ".join(f"{name} {count:,}" for name, count in self.counts.items())

    def passes(self, *, force: bool = False) -> bool:
        """Whether the steps that need this one may run.

        Args:
          force: Push in spite of the gate.
        """
        return True

    def outcome(self, *, force: bool = False) -> Outcome:
        """Returns what the artifact adds to the outcome of its run."""
        return Outcome()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Returns the finished artifact in `path`.

        Raises:
          MissingArtifactError: There is none, it cannot be read, or it is of another type or format.
        """
        facts = read_facts(path, cls.__name__)
        if (facts["type"], facts["format"]) != (cls.__name__, cls.FORMAT):
            raise MissingArtifactError(
                f"`{path}` holds {facts['type']} (format {facts['format']}), expected {cls.__name__} "
                f"(format {cls.FORMAT}). Remove the folder and call `crossnet run` again."
            )
        return cls(path, facts["counts"], facts["properties"], facts["fingerprint"])
