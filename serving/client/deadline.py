"""When a call must be over, and how long to wait before it is tried again."""

from __future__ import annotations

import time

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_LONGEST_SECONDS = 1e9  # of a deadline; gRPC's clock has no infinity


class Deadline:
    """The moment a call must be over.

    Args:
      seconds: From now; above zero, infinity for none.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + min(seconds, _LONGEST_SECONDS)

    def left(self) -> float:
        """Returns the seconds that are left, not below zero."""
        left = self._end - time.monotonic()
        return left if left > 0.0 else 0.0


def pause_before_retry(attempt: int, jitter: float) -> float:
    """Returns how many seconds to wait after a failed attempt.

    Doubles from 0.05 s up to 1 s, then takes between half and all of it, so that clients do not come back in step.

    Args:
      attempt: How many attempts failed before this one.
      jitter: Between 0 and 1.
    """
    return min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(attempt, 10)) * (0.5 + 0.5 * jitter)
