"""Numbers the names in a SavedModel from 0, for equal bytes.

TensorFlow numbers functions, captures, initializers and tables by all that the process has made before. The names are
changed where they stand in the message: to print a graph as text and to parse that again costs ten times as much.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

FUNCTION = re.compile(r"(__inference_\w*?_)(\d+)\b")
INITIALIZER = re.compile(r"\b(key_value_init)(\d+)")
NUMBER = re.compile(r"^()(\d+)$")
# Attributes of nodes and arguments whose value may be such a number and nothing else.
CAPTURE, TABLE = "_user_specified_name", "shared_name"
# Much, and without such names: values of tensors, and the definitions of TensorFlow's own ops.
_LEFT_OUT = {"tensorflow.TensorProto", "tensorflow.TensorShapeProto", "tensorflow.MetaGraphDef.MetaInfoDef"}

Replace = Callable[[str, str], str]  # a name's kind, and text that may hold such names, to other text


def renumber(saved: Any, tables: str) -> None:
    """Numbers functions, captures, initializers and tables of a `SavedModel` message from 0, each in their order.

    Args:
      saved: The message of saved_model.pb, changed in place.
      tables: What tells the tables of two models apart, which a process shares by name: comes before their numbers.
    """
    patterns = {"": (FUNCTION, INITIALIZER), CAPTURE: (NUMBER,), TABLE: (NUMBER,)}
    found: dict[tuple[str, re.Pattern[str]], set[int]] = {
        (kind, pattern): set() for kind in patterns for pattern in patterns[kind]
    }

    def note(kind: str, text: str) -> str:
        for pattern in patterns[kind]:
            found[kind, pattern].update(int(match[2]) for match in pattern.finditer(text))
        return text

    def number(kind: str, text: str) -> str:
        for pattern in patterns[kind]:
            text = pattern.sub(lambda match, key=(kind, pattern): prefixed(match, key), text)  # type: ignore[misc]
        return text

    def prefixed(match: re.Match[str], key: tuple[str, re.Pattern[str]]) -> str:
        return f"{match[1]}{f'{tables}-' if key[0] == TABLE else ''}{places[key][int(match[2])]}"

    _replace(saved, note)
    places = {key: {number: i for i, number in enumerate(sorted(numbers))} for key, numbers in found.items()}
    _replace(saved, number)


def _replace(message: Any, replace: Replace) -> None:
    """Replaces every string of a message by what `replace` makes of it, and the bytes of the two attributes."""
    for field, value in message.ListFields():
        if field.message_type is None:
            if field.type == field.TYPE_STRING:
                _replace_strings(message, field.name, value, replace)
        elif field.message_type.GetOptions().map_entry:
            _replace_in_map(value, replace)
        elif field.message_type.full_name not in _LEFT_OUT:
            for part in [value] if hasattr(value, "ListFields") else value:
                _replace(part, replace)


def _replace_strings(message: Any, name: str, value: Any, replace: Replace) -> None:
    if not isinstance(value, str):
        for i, text in enumerate(value):
            if (new := replace("", text)) != text:
                value[i] = new
    elif (new := replace("", value)) != value:
        setattr(message, name, new)


def _replace_in_map(values: Any, replace: Replace) -> None:
    for key in list(values):
        value = values[key]
        if isinstance(value, str):
            values[key] = replace("", value)
        elif key in (CAPTURE, TABLE) and value.DESCRIPTOR.full_name == "tensorflow.AttrValue":
            value.s = replace(key, value.s.decode()).encode()
        elif hasattr(value, "ListFields"):
            _replace(value, replace)
        if isinstance(key, str) and (new := replace("", key)) != key:
            if hasattr(value, "ListFields"):
                values[new].CopyFrom(values[key])
            else:
                values[new] = values[key]
            del values[key]
