"""Parses one tf.train.Example, in any form that protobuf allows.

That is: features in any order, numbers packed or not, unknown fields. It is slow and complete; the readers of many
records call it for records written in an unusual way.

Source: tensorflow/core/example/{example,feature}.proto; protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from crossnet.serving.protocol.varint import read_varint

_KINDS = {1: "BYTES", 2: "FLOAT", 3: "INT"}
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


class MalformedExampleError(ValueError):
    """The bytes are not a tf.train.Example."""


@dataclass
class ParsedFeature:
    """One feature.

    Attributes:
      kind: "FLOAT", "INT" or "BYTES"; "" where no list is set.
      values: Its values.
      start, stop: Where the bytes of the packed values begin and end in the record (numbers only).
      packed: Whether numbers are in one packed field.
    """

    kind: str
    values: list[Any]
    start: int = 0
    stop: int = 0
    packed: bool = True


def parse_example(record: bytes) -> dict[str, ParsedFeature]:
    """Returns the features of a serialized tf.train.Example by name.

    Raises:
      MalformedExampleError: The bytes are not a tf.train.Example.
    """
    features: dict[str, ParsedFeature] = {}
    try:
        for _, wire, start, stop in _fields(record, 0, len(record), wanted=1):
            _expect(wire)
            for _, entry_wire, entry_start, entry_stop in _fields(record, start, stop, wanted=1):
                _expect(entry_wire)
                name, feature = "", ParsedFeature("", [])
                for field, field_wire, a, b in _fields(record, entry_start, entry_stop):
                    if field in (1, 2):
                        _expect(field_wire)
                    if field == 1:
                        name = record[a:b].decode()
                    elif field == 2:
                        feature = _parse_feature(record, a, b)
                features[name] = feature
    except MalformedExampleError:
        raise
    except (IndexError, UnicodeDecodeError, struct.error):
        raise MalformedExampleError("it ends in the middle of a field, or a name is not UTF-8") from None
    except ValueError as error:
        raise MalformedExampleError(str(error)) from None
    return features


def other_message(record: bytes) -> str:
    """Returns, in words, which other message a record that parses as tf.train.Example is; "" where it may be one.

    The context of a tf.train.SequenceExample stands where an Example has its features.
    """
    try:
        wires = {number: wire for number, wire, _, _ in _fields(record, 0, len(record))}
    except (IndexError, ValueError):
        return ""
    if wires.get(2) == _LENGTH and set(wires) <= {1, 2}:
        return "a tf.train.SequenceExample"
    return "" if 1 in wires or not wires else f"a message with field {min(wires)} and without features"


def _expect(wire: int) -> None:
    if wire != _LENGTH:
        raise MalformedExampleError(f"a field has wire type {wire}, expected {_LENGTH}")


def _fields(data: bytes, position: int, stop: int, wanted: int | None = None) -> Iterator[tuple[int, int, int, int]]:
    """Yields (number, wire type, start, stop of the content) of each field, or of the `wanted` ones."""
    while position < stop:
        tag, position = read_varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire == _LENGTH:
            size, position = read_varint(data, position)
            end = position + size
        elif wire == _VARINT:
            end = read_varint(data, position)[1]
        elif wire in (_FIXED32, _FIXED64):
            end = position + (4 if wire == _FIXED32 else 8)
        else:
            raise MalformedExampleError(f"field {number} has wire type {wire}, which protobuf does not use here")
        if end > stop:
            raise MalformedExampleError(f"field {number} reaches beyond its message")
        if wanted is None or number == wanted:
            yield number, wire, position, end
        position = end


def _parse_feature(data: bytes, start: int, stop: int) -> ParsedFeature:
    feature = ParsedFeature("", [])
    for field, wire, a, b in _fields(data, start, stop):
        if field not in _KINDS:
            continue
        _expect(wire)
        if feature.kind != _KINDS[field]:  # of a oneof, the last list wins; lists of one kind are merged
            feature = ParsedFeature(_KINDS[field], [])
        for _, value_wire, c, d in _fields(data, a, b, wanted=1):
            feature.packed = value_wire == _LENGTH and not feature.values
            feature.start, feature.stop = c, d
            feature.values += _values(feature.kind, value_wire, data, c, d)
    return feature


def _values(kind: str, wire: int, data: bytes, start: int, stop: int) -> list[Any]:
    if kind == "BYTES":
        _expect(wire)
        return [data[start:stop]]
    if kind == "FLOAT":
        if (stop - start) % 4:
            raise MalformedExampleError("packed floats do not fill whole 4 bytes")
        return list(struct.unpack(f"<{(stop - start) // 4}f", data[start:stop]))
    values = []
    while start < stop:
        value, start = read_varint(data, start)
        value &= (1 << 64) - 1
        values.append(value - (1 << 64) if value >> 63 else value)
    return values
