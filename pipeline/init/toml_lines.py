"""Writes a setting as one line of TOML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomli_w


def toml_value(value: Any) -> str:
    """Returns a value as TOML on one line; a mapping as an inline table."""
    if isinstance(value, Mapping):
        items = (f"{tomli_w.dumps({key: 0}).partition(' = 0')[0]} = {toml_value(item)}" for key, item in value.items())
        return f"{{ {', '.join(items)} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return tomli_w.dumps({"x": value}).strip().partition(" = ")[2]


def toml_line(key: str, value: Any) -> str:
    """Returns `key = value`."""
    return f"{key} = {toml_value(value)}"
