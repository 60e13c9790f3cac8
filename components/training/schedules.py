"""Computes the learning rate of each update."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# An exponential schedule ends at this share of the highest rate.
EXPONENTIAL_END = 0.01


def learning_rates(
    first: int, last: int, *, updates: int, highest: float, schedule: str, warmup_fraction: float = 0.0
) -> npt.NDArray[np.float64]:
    """Returns the rates of updates `first` to `last - 1` of `updates`, counted from 0.

    The rate rises in a line from `highest / warmup` over `warmup = round(warmup_fraction * updates)` updates. With `t`
    the share of the rest that is done (0 at its first update), it then is `highest` ("constant"),
    `highest * (1 + cos(pi t)) / 2` ("cosine"; the update after the last would have rate 0) or
    `highest * EXPONENTIAL_END ** t` ("exponential").
    """
    update = np.arange(first, last, dtype=np.float64)
    warmup = round(warmup_fraction * updates)
    t = np.clip((update - warmup) / max(1, updates - warmup), 0.0, 1.0)
    if schedule == "cosine":
        rates = highest * 0.5 * (1 + np.cos(np.pi * t))
    elif schedule == "exponential":
        rates = highest * EXPONENTIAL_END**t
    else:
        rates = np.full_like(update, highest)
    rising = update < warmup
    rates[rising] = highest * (update[rising] + 1) / warmup
    return rates
