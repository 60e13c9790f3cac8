"""Reads the artifact of InfraValidator: whether the champion serves."""

from __future__ import annotations

from crossnet.components.artifacts.base import Artifact, Outcome
from crossnet.components.errors import NotBlessedError

INFRA_BLESSED, INFRA_NOT_BLESSED = "INFRA_BLESSED", "INFRA_NOT_BLESSED"  # names of empty files
REPORT_FILE = "report.json"


class InfraValidation(Artifact):
    """Whether the champion answers over gRPC as the Evaluator saw it: INFRA_BLESSED | INFRA_NOT_BLESSED, report.json.

    Properties: `model`, `server` ("binary" or "embedded"), `max_difference`, `reasons`.
    """

    @property
    def blessed(self) -> bool:
        """Whether the champion may be pushed."""
        return (self.path / INFRA_BLESSED).exists()

    @property
    def model(self) -> str:
        """The model that was tried."""
        return str(self.properties["model"])

    @property
    def reasons(self) -> list[str]:
        """Why it may not; empty when it may."""
        return list(self.properties["reasons"])

    @property
    def headline(self) -> str:
        """The verdict in words."""
        return "blessed" if self.blessed else "not blessed"

    def passes(self, *, force: bool = False) -> bool:
        """Whether the champion may be pushed."""
        return self.blessed

    def outcome(self, *, force: bool = False) -> Outcome:
        """Returns why the champion may not be pushed."""
        if self.blessed:
            return Outcome()
        return Outcome(reasons=tuple(self.reasons), exit_code=NotBlessedError.exit_code)
