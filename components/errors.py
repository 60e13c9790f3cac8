"""Defines the errors that a user can cause.

Each message says what is wrong, what was received, what is expected and what to do next.
"""

from __future__ import annotations

from pathlib import Path


class PipelineError(Exception):
    """A failure that the command line explains in its message, without a traceback.

    Attributes:
      exit_code: What the process returns: 1 failed, 2 wrong usage, 3 the gate is closed.
    """

    exit_code = 1


class SettingsError(PipelineError):
    """A setting is unknown, of the wrong type or out of range. The message lists all of them."""

    exit_code = 2


class DataError(PipelineError):
    """Input data cannot be read; the message names `file:line` or the record's number."""


class DataAnomalyError(PipelineError):
    """The data breaks its schema or one of the limits set for it."""


class MissingArtifactError(PipelineError):
    """A finished artifact is missing on disk, or is of another type than expected."""


class ChangedError(PipelineError):
    """Files, code or libraries that a step depends on were changed while the run worked."""


class UnreadableFileError(PipelineError):
    """A file that this program keeps cannot be read, or does not hold what it should.

    Attributes:
      reason: Why, such as "it is empty".
    """

    def __init__(self, path: Path, reason: str, advice: str = "") -> None:
        super().__init__(path, reason, advice)  # what a worker process sends makes the same error again
        self.path, self.reason, self._advice = path, reason, advice

    def __str__(self) -> str:
        return f"`{self.path}` cannot be read: {self.reason}.{f' {self._advice}' if self._advice else ''}"

    def advise(self, advice: str) -> UnreadableFileError:
        """Returns the same error with what to do next, one or more sentences."""
        return UnreadableFileError(self.path, self.reason, advice)


class TrainingError(PipelineError):
    """Training cannot start, or stopped on a NaN or an exploding gradient."""


class DivergedError(TrainingError):
    """The loss is not finite although all rows are: the gradient has exploded."""


class OwnCodeError(PipelineError):
    """Code of a user's own project has raised an exception; the message names file and line."""


class ExportError(PipelineError):
    """A model cannot be exported or loaded, or does not answer as its schema promises."""


class NotBlessedError(PipelineError):
    """The gate is closed; nothing was pushed."""

    exit_code = 3
