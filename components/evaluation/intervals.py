"""Computes confidence intervals of an RMSE and of the ratio of two.

Why in two ways. The whole split gets a bootstrap: no assumption about errors, and the models are resampled together,
unit by unit (`units.py`), so what they share cancels. A slice is judged beside many others, at 5 % / (number of tests);
2,000 resamples cannot see such a tail, and 2,000 more per slice would cost what the answer is not worth. A t test of
the paired differences of squared errors can: it needs five sums per slice, and squared errors make it cautious (at
the boundary it called 0 to 3 % of families of 100 noise slices wrong, with normal, Laplace and Student errors, where
5 % are allowed).
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from crossnet.serving.protocol.dtypes import Array


def percentile_interval(samples: Array, low: float, high: float) -> tuple[float, float] | None:
    """Returns the `low` and `high` quantiles of bootstrap samples (replicates,), or None where one is not finite."""
    if not np.isfinite(samples).all():
        return None
    lower, upper = np.quantile(samples, [low, high])
    return float(lower), float(upper)


def lower_bound(
    mean: float, square: float, reference: float, reference_square: float, product: float, units: int, error: float
) -> float:
    """Returns a one-sided lower confidence bound of the RMSE, or of its ratio to a reference's.

    For the ratio this inverts the paired t test of `a - q b`, with a and b the two models' squared errors in a unit, a
    row or a group (Fieller 1954): the bound is the smallest ratio, as sqrt(q), that the test does not reject. Without a
    reference, let b be the unit's weight, of a row without weights the constant 1.

    Args:
      mean, reference: Mean of a and of b.
      square, reference_square, product: Mean of a², b² and a b.
      units: Number of units, at least `units.MIN_UNITS`.
      error: Probability that the bound is above the truth.

    Returns:
      The bound, at least 0.
    """
    scale = student_quantile(1 - error, units - 1) ** 2 / (units - 1)
    variance = max(square - mean * mean, 0.0) * scale
    reference_variance = max(reference_square - reference * reference, 0.0) * scale
    covariance = (product - mean * reference) * scale
    # Roots of (mean - q reference)² = variance - 2 q covariance + q² reference_variance.
    a = reference * reference - reference_variance
    half = mean * reference - covariance
    c = max(mean * mean - variance, 0.0)  # 0 where the test does not reject q = 0
    root = math.sqrt(max(half * half - a * c, 0.0))
    # c / (half + root) is the smaller root, and stays right where a is 0 or negative.
    return math.sqrt(c / (half + root)) if half + root > 0 else 0.0


def student_quantile(probability: float, degrees: int) -> float:
    """Returns a quantile of Student's t by its expansion around the normal's; within 1 % from 19 degrees on.

    References:
      Abramowitz and Stegun, 1964, Handbook of Mathematical Functions, 26.7.5.
    """
    z = NormalDist().inv_cdf(probability)
    return (
        z
        + (z**3 + z) / (4 * degrees)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * degrees**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * degrees**4)
    )
