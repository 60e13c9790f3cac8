"""Tests message classes built from declarations against the official classes."""

from __future__ import annotations

import pytest
from google.protobuf import struct_pb2, text_format, wrappers_pb2

from crossnet.serving.protocol.descriptors import message_classes

VALUE = {
    "google.protobuf.Value": (
        "oneof kind NullValue null_value = 1",
        "oneof kind double number_value = 2",
        "oneof kind string string_value = 3",
        "oneof kind bool bool_value = 4",
        "oneof kind Struct struct_value = 5",
        "oneof kind ListValue list_value = 6",
    ),
    "google.protobuf.Struct": ("map Value fields = 1",),
    "google.protobuf.ListValue": ("repeated Value values = 1",),
}


def test_classes_of_declared_messages_read_and_write_as_the_official_ones():
    ours = message_classes(VALUE, {"google.protobuf.NullValue": {"NULL_VALUE": 0}})["google.protobuf.Struct"]
    official = struct_pb2.Struct()
    official.update({"a": 1.5, "b": {"c": [True, "x", None]}})
    assert ours.FromString(official.SerializeToString()).fields["b"].struct_value.fields["c"].list_value.values[1] == (
        type(ours().fields["x"])(string_value="x")
    )
    assert struct_pb2.Struct.FromString(ours.FromString(official.SerializeToString()).SerializeToString()) == official


def test_setting_one_member_of_a_oneof_clears_the_others():
    value = message_classes(VALUE, {"google.protobuf.NullValue": {"NULL_VALUE": 0}})["google.protobuf.Value"]()
    value.bool_value = True
    value.null_value = 0
    assert value.WhichOneof("kind") == "null_value"
    assert not value.bool_value


def test_a_message_may_use_packages_that_are_declared_later_and_hold_messages_and_enums():
    classes = message_classes(
        {
            "a.Outer": ("Outer.Inner inner = 1", "b.c.Other other = 2", "Outer.Kind kind = 3"),
            "a.Outer.Inner": ("repeated int64 sizes = 1",),
            "b.c.Other": ("google.protobuf.StringValue name = 1",),
            "google.protobuf.StringValue": ("string value = 1",),
        },
        {"a.Outer.Kind": {"NONE": 0, "SOME": 7}},
    )
    message = text_format.Parse(
        'inner { sizes: [1, 2] } other { name { value: "n" } } kind: SOME', classes["a.Outer"]()
    )
    assert list(message.inner.sizes) == [1, 2]
    assert message.kind == 7
    assert wrappers_pb2.StringValue.FromString(message.other.name.SerializeToString()).value == "n"
    assert message.DESCRIPTOR.fields_by_name["inner"].message_type.full_name == "a.Outer.Inner"
    assert message.DESCRIPTOR.file.package == "a"


def test_two_calls_may_declare_one_name_differently():
    one = message_classes({"a.M": ("string x = 1",)})["a.M"](x="text")
    two = message_classes({"a.M": ("bytes y = 1",)})["a.M"]
    assert two.FromString(one.SerializeToString()).y == b"text"


@pytest.mark.parametrize("field", ["string name", "optional string name = 1", "string name = one"])
def test_a_declaration_that_is_not_a_field_is_refused(field):
    with pytest.raises(
        ValueError, match=f"`a.M` declares `{field}`. Expected a field such as `repeated int64 sizes = 6`"
    ):
        message_classes({"a.M": (field,)})


def test_a_message_without_fields_keeps_what_it_reads():
    empty = message_classes({"a.Empty": ()})["a.Empty"]
    assert empty.FromString(b"\x08\x01").SerializeToString() == b"\x08\x01"
