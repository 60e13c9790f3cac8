"""Settings of ExampleValidator: the limits that data must keep."""

from __future__ import annotations

from dataclasses import dataclass

from crossnet.components.params.setting import setting


@dataclass(frozen=True, kw_only=True)
class ExampleValidatorParams:
    """Limits. Above a `warn_` limit a warning is shown; a `max_` limit, where set, stops the run."""

    max_duplicate_fraction: float | None = setting(
        None, "share of all rows that repeat an earlier one", least=0, most=1
    )
    max_leaked_fraction: float | None = setting(None, "share of eval rows that also occur in train", least=0, most=1)
    max_skew: float | None = setting(
        None, "train against eval: L-infinity (text) or Jensen-Shannon (numbers)", least=0, most=1
    )
    max_drift: float | None = setting(None, "the same against the last blessed run's train split", least=0, most=1)
    warn_skew: float = setting(0.1, "distance above which skew is shown", least=0, most=1)
    warn_drift: float = setting(0.1, "distance above which drift is shown", least=0, most=1)
