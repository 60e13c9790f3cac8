"""Computes the network's numeric inputs from columns of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import tensorflow as tf

from crossnet.components.clock import HHMM
from crossnet.components.networks.columns import NumberColumn

CLIP = 3.0  # scales
# Beyond this many scales a value is as good as at the limit, and its square still fits in float32.
_FAR = 1e15
_FAR_CLOCK = 2.0**20  # beyond, what is not a time of day is seen as this, whose float32 is exact


def numeric_inputs(columns: Mapping[str, tf.Tensor], numbers: Sequence[NumberColumn], *, clip: bool) -> tf.Tensor:
    """Returns numeric features as the network sees them, float32 `[numbers, batch]`.

    Below the numbers are the indicators of what is missing, then sine and cosine of each cycle of each time.

    Args:
      columns: Tensors `[batch]` by name.
      numbers: What is done with them.
      clip: Whether `smooth_clip` follows the scaling.
    """
    parts, means, missing, waves = [], [], [], []
    for column in numbers:
        part, mean = columns[column.name], column.mean
        part = since_midnight(part, column.unit) if column.is_clock else part
        flag = None if column.required else tf.math.is_nan(part)
        if flag is not None:
            missing.append(tf.cast(flag, tf.float32))
        waves += cyclic(part, flag, column.periods) if column.cycles else []
        if column.type == "INT" and mean:
            # The float32 of a large integer, such as a time, has lost what differs: the mean goes in float64.
            part, mean = tf.cast(part, tf.float64) - mean, 0.0
        part = tf.cast(part, tf.float32)
        if flag is not None:
            part = tf.where(flag, tf.constant(column.fill - column.mean + mean, tf.float32), part)
        parts.append(part)
        means.append([mean])
    x = tf.stack(parts)
    if any(mean for (mean,) in means):
        x -= tf.constant(means, tf.float32)
    if any(column.scale != 1.0 for column in numbers):
        x *= tf.constant([[1 / column.scale] for column in numbers], tf.float32)
    if clip:
        x = smooth_clip(x)
    return tf.concat([x, tf.stack([*missing, *waves])], axis=0) if missing or waves else x


def since_midnight(values: tf.Tensor, form: str) -> tf.Tensor:
    """Returns times of day as minutes since midnight, with seconds as those, `[batch]`, of their type; NaN stays NaN.

    As in `crossnet.components.clock.since_midnight`, a number that is not a time is the next full hour, never an error.
    """
    numbers = tf.cast(values, tf.float32)  # LiteRT does not divide int64
    near = tf.clip_by_value(numbers, -_FAR_CLOCK, _FAR_CLOCK)
    numbers = tf.where(tf.math.is_finite(numbers), near, numbers)
    # TensorFlow multiplies by the float32 of 1/100, which is too small: with 0.5, no whole number is near an edge.
    hour = 100.0 if form == HHMM else 10_000.0
    hours = tf.floor((numbers + 0.5) / hour)
    rest = numbers - hour * hours
    if form == HHMM:
        return tf.cast(60.0 * hours + tf.minimum(rest, 60.0), values.dtype)
    minutes = tf.floor((rest + 0.5) / 100.0)
    seconds = tf.minimum(60.0 * minutes + tf.minimum(rest - 100.0 * minutes, 60.0), 3600.0)
    return tf.cast(3600.0 * hours + seconds, values.dtype)


def smooth_clip(x: tf.Tensor) -> tf.Tensor:
    """Returns `x / sqrt(1 + (x / 3)^2)`: about x in the middle, never beyond -3 and 3; NaN for what is not finite.

    References:
      Holzmüller et al., 2024, Better by Default (RealMLP), https://arxiv.org/abs/2407.04491.
    """
    third = tf.clip_by_value(x / CLIP, -_FAR, _FAR)
    return tf.where(tf.math.is_finite(x), CLIP * (third / tf.sqrt(1.0 + third * third)), math.nan)


def cyclic(values: tf.Tensor, missing: tf.Tensor | None, periods: Sequence[int]) -> list[tf.Tensor]:
    """Returns sine and cosine of each value's place in each period, float32 `[batch]`, both 0 where it is missing.

    The place is found in whole numbers, or in float64 where NaN may mark a missing value: in float32 a time of today is
    off by a minute.

    Args:
      values: int64 `[batch]`; float32 where `missing` is given.
      missing: bool `[batch]`; None: no value is.
      periods: In the unit of the values.
    """
    waves = []
    for period in periods:
        if missing is None:
            place = tf.cast(tf.math.floormod(values, tf.constant(period, tf.int64)), tf.float64)
        else:
            place = tf.math.floormod(tf.cast(values, tf.float64), tf.constant(period, tf.float64))
        angle = tf.cast(place * (2 * math.pi / period), tf.float32)
        for wave in (tf.sin(angle), tf.cos(angle)):
            waves.append(wave if missing is None else tf.where(missing, 0.0, wave))
    return waves
