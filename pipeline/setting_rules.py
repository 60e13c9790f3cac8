"""Says what is wrong with the value of a setting."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Mapping
from typing import Any

from crossnet.components.params.setting import PathKind
from crossnet.pipeline.toml_text import received
from crossnet.serving.protocol.suggestions import did_you_mean

MAX_WHOLE = 2**63  # of an int64, which artifacts and NumPy hold
MAX_TEXT_BYTES, MAX_NAME_BYTES = 4095, 255  # of a path and of a name in it; those of Linux
BOUNDS = (
    ("at least", "least", operator.ge),
    ("above", "above", operator.gt),
    ("at most", "most", operator.le),
    ("below", "below", operator.lt),
)


def out_of_range(name: str, value: Any, rule: Mapping[str, Any]) -> Iterator[str]:
    """Yields a sentence for each mistake.

    Args:
      name: The setting, as `section.key`.
      value: Of the setting's type.
      rule: The metadata of its field, from `crossnet.components.params.setting`.
    """
    if isinstance(value, tuple):
        for item in value:
            yield from out_of_range(name, item, rule)
    elif isinstance(value, Mapping):
        for text in (*value, *value.values()):
            yield from out_of_range(name, text, rule)
    elif isinstance(value, str):
        if rule.get("choices") and value not in rule["choices"]:
            hint = did_you_mean(value, rule["choices"], quote="'")
            number = "a whole number or " if rule["least"] is not None else "one of "
            yield f"`{name}` must be {number}{', '.join(rule['choices'])}. Received {received(value)}.{hint}"
        elif problem := _unusable_text(value, is_path=rule["path"] not in (None, PathKind.QUERY)):
            yield f"`{name}` {problem} Received {received(value)}."
    elif isinstance(value, int | float) and not isinstance(value, bool):
        given = [(word, rule[key], fits) for word, key, fits in BOUNDS if rule.get(key) is not None]
        is_finite = -MAX_WHOLE <= value < MAX_WHOLE if isinstance(value, int) else math.isfinite(value)
        if not is_finite or not all(fits(value, bound) for _, bound, fits in given):
            bounds = [f"{word} {bound}" for word, bound, _ in given]
            if isinstance(value, int) and not is_finite:
                bounds += ["at most 2^63 - 1" if value > 0 else "at least -2^63"]
            wanted = " and ".join(bounds)
            yield f"`{name}` must be a finite number{' ' + wanted if wanted else ''}. Received {received(value)}."


def _unusable_text(text: str, *, is_path: bool) -> str:
    """Returns what is wrong with a text, as the rest of a sentence that begins with its setting; "" for nothing."""
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        return "must be text in UTF-8, which can be written into a run's config.toml."
    if len(encoded) > MAX_TEXT_BYTES:
        return f"must be text of at most {MAX_TEXT_BYTES:,} bytes."
    if is_path and "\0" in text:
        return "must be a path, which cannot hold a NUL character."
    if is_path and any(len(name) > MAX_NAME_BYTES for name in encoded.split(b"/")):
        return f"must be a path with at most {MAX_NAME_BYTES} bytes in each name."
    return ""
