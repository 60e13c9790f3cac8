"""Errors a user can cause. Each reads as a small letter: what is wrong, received, expected, next step."""


class PipelineError(Exception):
    """A failure explained in words; the command line prints it without a traceback.

    Attributes:
      exit_code: What the process returns: 1 failed, 2 wrong usage, 3 the gate is closed.
    """

    exit_code = 1


class SettingsError(PipelineError):
    """A setting is unknown, of the wrong type or out of range. The message lists all of them."""

    exit_code = 2


class DataError(PipelineError):
    """Input data cannot be read as it stands; the message names `file:line` or the record's number."""


class DataAnomalyError(PipelineError):
    """The data breaks its schema or one of the limits set for it."""


class MissingArtifactError(PipelineError):
    """A finished artifact was expected on disk and is not there, or is of another type."""


class TrainingError(PipelineError):
    """Training cannot start from what it was given, or stopped on a NaN or an exploding gradient."""


class DivergedError(TrainingError):
    """The loss is no longer finite, though the rows are: the gradient has exploded."""


class ExportError(PipelineError):
    """A model does not export, load or answer as its schema promises."""


class NotBlessedError(PipelineError):
    """The gate is closed; nothing was pushed."""

    exit_code = 3
