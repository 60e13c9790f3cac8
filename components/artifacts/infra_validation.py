"""Reads the artifact of InfraValidator: whether the champion serves."""

from __future__ import annotations

from crossnet.components.artifacts.base import Artifact


class InfraValidation(Artifact):
    """Whether the champion answers over gRPC as the Evaluator saw it: INFRA_BLESSED | INFRA_NOT_BLESSED, report.json.

    Properties: `model`, `server` ("binary" or "embedded"), `max_difference`, `reasons`.
    """

    @property
    def blessed(self) -> bool:
        """Whether the champion may be pushed."""
        return (self.path / "INFRA_BLESSED").exists()

    @property
    def reasons(self) -> list[str]:
        """Why it may not; empty when it may."""
        return list(self.properties["reasons"])
