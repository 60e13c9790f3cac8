"""Computes the time left for a call and the pause between attempts."""

from __future__ import annotations

import time

_FIRST_PAUSE_SECONDS = 0.05
_MAX_PAUSE_SECONDS = 1.0
_MAX_DEADLINE_SECONDS = 1e9  # gRPC's clock has no infinity


class Deadline:
    """The moment at which a call must have ended.

    Args:
      seconds: From now; above zero; infinity for no deadline.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + min(seconds, _MAX_DEADLINE_SECONDS)

    def left(self) -> float:
        """Returns the seconds that are left, at least zero."""
        left = self._end - time.monotonic()
        return left if left > 0.0 else 0.0


def pause_before_retry(attempt: int, jitter: float) -> float:
    """Returns how many seconds to wait after a failed attempt.

    The pause doubles from 0.05 s up to 1 s; between half and all of it is used, so that clients do not retry together.

    Args:
      attempt: How many attempts failed before this one.
      jitter: Between 0 and 1.
    """
    return min(_MAX_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(attempt, 10)) * (0.5 + 0.5 * jitter)
