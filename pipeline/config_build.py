"""Fills a dataclass of settings from values; lists every mistake at once."""

from __future__ import annotations

import dataclasses
import datetime
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from crossnet.components.params.setting import AUTO
from crossnet.pipeline.setting_rules import MAX_WHOLE, out_of_range
from crossnet.pipeline.toml_text import received
from crossnet.serving.protocol.printable import shown
from crossnet.serving.protocol.suggestions import did_you_mean

NONE = "none"
TEXT_OR_LIST = tuple[str, ...] | str  # the type of a setting that may be one text or several
MAX_LISTED = 50  # mistakes
MOVED = {  # settings of old configs -> what to write instead
    "example_gen.num_workers": "It is now `num_workers`, for every step: write it at the top of the file, before the "
    "first section, or `--set num_workers=2`.",
}


def build(
    kind: type[Any], values: Mapping[str, Any], names: Sequence[str], problems: list[str], prefix: str = ""
) -> Any:
    """Returns `kind` filled from `values`; what does not fit goes to `problems`.

    Args:
      kind: A frozen dataclass whose fields have the metadata of `setting`, or are such dataclasses.
      values: Values by name, as TOML has them.
      names: Every legal setting, for what may have been meant.
      problems: One sentence for each mistake is added.
      prefix: The section, with a dot; empty at the top.
    """
    hints = typing.get_type_hints(kind)
    known = {item.name: item for item in dataclasses.fields(kind)}
    chosen: dict[str, Any] = {}
    count = len(problems)
    for key, value in values.items():
        name = f"{prefix}{key}"
        if key not in known:
            near = did_you_mean(name, names) if len(problems) < MAX_LISTED else ""
            problems.append(f"Unknown setting `{shown(name)}`.{' ' + MOVED[name] if name in MOVED else near}")
        elif dataclasses.is_dataclass(hints[key]):
            if isinstance(value, Mapping):
                chosen[key] = build(typing.cast(type, hints[key]), value, names, problems, f"{name}.")
            else:
                problems.append(
                    f"`{name}` is a section; its settings are written `{name}.key`. Received {received(value)}."
                )
        else:
            try:
                chosen[key] = _convert(value, hints[key])
            except TypeError:
                wrong, alone = _of_one(name, value, hints[key], known[key].metadata)
                problems.append(f"`{name}` must be {_describe(hints[key])}. Received {received(value)}.{alone}")
                problems.extend(wrong)
            except OverflowError:
                problems.append(f"`{name}` must be a finite number. Received {received(value)}.")
            else:
                problems.extend(out_of_range(name, chosen[key], known[key].metadata))
    built = kind(**chosen)
    if hasattr(built, "problems") and len(problems) == count:
        problems.extend(f"In `[{prefix.rstrip('.')}]`: {problem}" for problem in built.problems())
    return built


def _of_one(name: str, value: Any, hint: Any, rule: Mapping[str, Any]) -> tuple[list[str], str]:
    """Returns what is wrong with a value that came without the list around it, and how to write it where nothing is.

    A date, which TOML has without quotes, may be text.
    """
    if hint is str and isinstance(value, datetime.date | datetime.time):
        return [], f' Write it in quotes: "{value.isoformat()}".'
    try:
        (item,) = _convert([value], hint)
        wrong = list(out_of_range(name, item, rule))
    except (TypeError, ValueError, OverflowError):
        return [], ""
    return wrong, "" if wrong else f" Write it as [{received(value)}]."


def _convert(value: Any, hint: Any) -> Any:
    """Returns `value` as `hint` wants it.

    Raises:
      TypeError: It does not fit.
      OverflowError: It is a whole number beyond those that a float holds.
    """
    if hint is Any:
        return value
    if isinstance(hint, types.UnionType):
        if types.NoneType in hint.__args__ and (value == NONE or value is None):
            return None
        if str in hint.__args__ and isinstance(value, str):  # a number or a word
            return value
        return _convert(value, hint.__args__[0])
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise TypeError
        return tuple(_convert(item, hint.__args__[0]) for item in value)
    if typing.get_origin(hint) is Mapping:
        if not isinstance(value, Mapping):
            raise TypeError
        return {key: _convert(item, hint.__args__[1]) for key, item in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is str and isinstance(value, int) and not isinstance(value, bool) and abs(value) < MAX_WHOLE:
        return str(value)  # a version, or a column that is called 7
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise TypeError
    return value


def _describe(hint: Any) -> str:
    if hint == TEXT_OR_LIST:
        return "text, or a list (text each)"
    if isinstance(hint, types.UnionType):
        words = " or ".join(f'"{NONE if kind is types.NoneType else AUTO}"' for kind in hint.__args__[1:])
        return f"{_describe(hint.__args__[0])}, or {words}"
    if typing.get_origin(hint) is tuple:
        item = hint.__args__[0]
        if typing.get_origin(item) is tuple:
            return f"a list of lists ({_describe(item.__args__[0])} each)"
        return f"a list ({_describe(item)} each)"
    if typing.get_origin(hint) is Mapping:
        return f"a table ({_describe(hint.__args__[1])} by name; names with dots in quotes)"
    return {int: "a whole number", float: "a number", bool: "true or false", str: "text", Any: "any value"}[hint]
