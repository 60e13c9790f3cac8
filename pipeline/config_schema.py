"""Writes the JSON Schema of a config, so that editors complete it.

Editors that know TOML (taplo, "Even Better TOML") read the address of a schema from the first line of a file:
`#:schema ./crossnet.schema.json`. The schema is draft 4, the newest that all of them read. Rules that more than one
setting decides are `load_config`'s.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any

from crossnet.components.params.setting import AUTO
from crossnet.pipeline.config import Config, as_values
from crossnet.pipeline.config_build import NONE, TEXT_OR_LIST
from crossnet.pipeline.plugins import NO_PLUGINS

SCHEMA_FILE = "crossnet.schema.json"
FIRST_LINE = f"#:schema ./{SCHEMA_FILE}"
_HEAD = {"$schema": "http://json-schema.org/draft-04/schema#", "title": "CrossNet pipeline config"}
_TYPES = {int: "integer", float: "number", bool: "boolean", str: "string"}


def config_schema(config: Config | None = None) -> dict[str, Any]:
    """Returns the schema of a config, JSON values; each setting has its meaning, type, range and default.

    A config that names `plugins` may have kinds of models and sections that are not ours: it is not refused for these.

    Args:
      config: One whose plugins are loaded, so that their settings are described too; None: ours alone.
    """
    own = config.plugins_loaded if config is not None else NO_PLUGINS
    found = _object(Config, as_values(Config()))
    for name, section in own.sections.items():
        about = (section.__doc__ or "").partition("\n")[0]
        found["properties"][name] = {"description": about, **_object(section, as_values(section()))}
    kinds = found["properties"]["models"]["items"].pop("enum")
    found["properties"]["models"]["items"]["enum"] = [*kinds, *own.kinds]
    if own:
        return {**_HEAD, **found}
    # Draft 4 cannot say "unless": either there are plugins, or every name is one of ours.
    del found["additionalProperties"]
    ours: dict[str, Any] = {name: {} for name in found["properties"]}
    found["properties"]["models"]["items"] = {"type": "string"}
    strict = {
        "properties": {**ours, "plugins": {"maxItems": 0}, "models": {"items": {"enum": kinds}}},
        "additionalProperties": False,
    }
    return {**_HEAD, **found, "anyOf": [{"required": ["plugins"]}, strict]}


def _object(kind: type[Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    properties: dict[str, Any] = {}
    for item in dataclasses.fields(kind):
        hint, default = hints[item.name], defaults[item.name]
        if dataclasses.is_dataclass(hint):
            section = typing.cast(type, hint)
            about = (section.__doc__ or "").partition("\n")[0]
            properties[item.name] = {"description": about, **_object(section, default)}
        else:
            described = {"description": item.metadata["doc"], "default": default}
            properties[item.name] = described | _value(hint, item.metadata)
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _value(hint: Any, rule: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a value of this type must be."""
    if hint == TEXT_OR_LIST:
        return {"anyOf": [_value(item, rule) for item in hint.__args__]}
    if isinstance(hint, types.UnionType):
        first, *words = hint.__args__
        named = [NONE if word is types.NoneType else AUTO for word in words]
        return {"anyOf": [_value(first, {**rule, "choices": ()}), {"enum": named}]}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return {"type": "array", "items": _value(arguments[0], rule)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _value(arguments[1], rule)}
    if hint is Any:
        return {}
    found: dict[str, Any] = {"type": _TYPES[hint]}
    if hint is str:
        if rule["choices"]:
            return found | {"enum": list(rule["choices"])}
        return {"type": ["string", "integer"]}  # a version, or a column that is called 7
    if hint is not bool:
        for end, inclusive, exclusive in (("minimum", "least", "above"), ("maximum", "most", "below")):
            if rule[inclusive] is not None:
                found[end] = rule[inclusive]
            elif rule[exclusive] is not None:
                found |= {end: rule[exclusive], f"exclusive{end.capitalize()}": True}
    return found
