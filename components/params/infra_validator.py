"""Settings of InfraValidator: how a champion is tried in a server."""

from __future__ import annotations

from dataclasses import dataclass

from crossnet.components.params.setting import setting


@dataclass(frozen=True, kw_only=True)
class InfraValidatorParams:
    """How the champion is tried in a server before it is pushed."""

    server: str = setting(
        "auto", "auto: tensorflow_model_server where installed", choices=("auto", "embedded", "binary")
    )
    timeout_seconds: float = setting(60.0, "for the server to become ready", above=0)
    tolerance: float = setting(1e-6, "of max(label's standard deviation, |prediction|), in the same batches", above=0)
    single_row_tolerance: float = setting(1e-4, "on the same scale, for calls of one row", above=0)
    num_single_rows: int = setting(20, "rows sent one by one", least=0)
