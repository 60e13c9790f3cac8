"""Builds protobuf message classes from declarations written as text.

Protobuf refuses two definitions of one name in one descriptor pool, and TensorFlow registers its own messages in the
default pool. So each call builds a separate pool: the classes work before, after and without an import of TensorFlow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    name: getattr(_Field, f"TYPE_{name.upper()}")
    for name in ("string", "bytes", "bool", "int32", "int64", "uint32", "uint64", "float", "double")
}
_FIELD = re.compile(r"(?:(repeated|map|oneof (\w+)) )?([\w.]+) (\w+) = (\d+)")


def message_classes(
    messages: Mapping[str, Sequence[str]], enums: Mapping[str, Mapping[str, int]] | None = None
) -> dict[str, Any]:
    """Returns the class of each declared message by full name.

    Args:
      messages: Full name of a message -> its fields, written as in a .proto file (proto3): `"string name = 1"`,
        `"repeated int64 sizes = 6"`. `"map TensorInfo inputs = 1"` is a map with text keys, and
        `"oneof kind BytesList bytes_list = 1"` is a member of the oneof `kind`. A type is a scalar or a declared
        message or enum; one without a package belongs to the package of the message. In full names, packages are
        written in lower case and messages are not, so that `tensorflow.TensorShapeProto.Dim` is a message in a
        message.
      enums: Full name of an enum -> its values' names and numbers.
    """
    files = _Files(messages, enums or {})
    pool = descriptor_pool.DescriptorPool()
    for package in TopologicalSorter(files.uses).static_order():  # a file is added after those that it uses
        files.files[package].dependency.extend(sorted(_file_name(used) for used in files.uses[package]))
        pool.Add(files.files[package])
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in messages}


class _Files:
    """The file descriptors of some declarations, one per package.

    Attributes:
      files: Package -> its file.
      uses: Package -> the other packages that its fields name.
    """

    def __init__(self, messages: Mapping[str, Sequence[str]], enums: Mapping[str, Mapping[str, int]]) -> None:
        self.files: dict[str, descriptor_pb2.FileDescriptorProto] = {}
        self.uses: dict[str, set[str]] = {}
        self._declared, self._enums = messages, enums
        self._messages: dict[str, descriptor_pb2.DescriptorProto] = {}
        for name, values in enums.items():
            enum = self._parent(name).enum_type.add(name=name.rpartition(".")[2])
            for value, number in values.items():
                enum.value.add(name=value, number=number)
        for name, declarations in messages.items():
            self._message(name)  # one without fields too
            for declaration in declarations:
                self._add_field(name, declaration)

    def _parent(self, name: str) -> Any:
        """Returns the message or the file in which `name` is declared."""
        outer = name.rpartition(".")[0]
        if outer != _package(name):
            return self._message(outer)
        if outer not in self.files:
            self.files[outer] = descriptor_pb2.FileDescriptorProto(
                name=_file_name(outer), package=outer, syntax="proto3"
            )
            self.uses[outer] = set()
        return self.files[outer]

    def _message(self, name: str) -> descriptor_pb2.DescriptorProto:
        """Returns the message of a full name, created at the first call."""
        if name not in self._messages:
            parent = self._parent(name)
            siblings = parent.nested_type if isinstance(parent, descriptor_pb2.DescriptorProto) else parent.message_type
            self._messages[name] = siblings.add(name=name.rpartition(".")[2])
        return self._messages[name]

    def _add_field(self, owner: str, declaration: str) -> None:
        match = _FIELD.fullmatch(declaration)
        if match is None:
            raise ValueError(
                f"`{owner}` declares `{declaration}`. Expected a field such as `repeated int64 sizes = 6`."
            )
        kind, oneof, type_name, name, number = match.groups()
        message = self._message(owner)
        repeated = kind in ("repeated", "map")
        label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
        field = message.field.add(name=name, number=int(number), label=label)
        if kind == "map":
            entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
            entry.options.map_entry = True
            entry.field.add(name="key", number=1, type=_Field.TYPE_STRING, label=_Field.LABEL_OPTIONAL)
            value = entry.field.add(name="value", number=2, label=_Field.LABEL_OPTIONAL)
            self._set_type(value, type_name, _package(owner))
            field.type, field.type_name = _Field.TYPE_MESSAGE, f".{owner}.{entry.name}"
        else:
            self._set_type(field, type_name, _package(owner))
        if oneof:
            names = [declared.name for declared in message.oneof_decl]
            if oneof not in names:
                message.oneof_decl.add(name=oneof)
                names.append(oneof)
            field.oneof_index = names.index(oneof)

    def _set_type(self, field: descriptor_pb2.FieldDescriptorProto, type_name: str, package: str) -> None:
        if type_name in _SCALARS:
            field.type = _SCALARS[type_name]
            return
        is_full = type_name in self._declared or type_name in self._enums
        full_name = type_name if is_full else f"{package}.{type_name}"
        field.type = _Field.TYPE_ENUM if full_name in self._enums else _Field.TYPE_MESSAGE
        field.type_name = f".{full_name}"
        self.uses[package] |= {_package(full_name)} - {package}


def _package(name: str) -> str:
    """Returns the package of a full name: its parts before the first one that is not in lower case."""
    parts = name.split(".")
    return ".".join(parts[: next(i for i, part in enumerate(parts) if not part.islower())])


def _file_name(package: str) -> str:
    return f"crossnet/{package}.proto"
