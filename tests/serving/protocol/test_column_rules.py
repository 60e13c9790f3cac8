"""A model's folder records which columns are which features."""

import pytest

from crossnet.serving.protocol.column_rules import ColumnRules, problems_of_new_names


def test_rules_are_read_back_from_their_json_and_no_rules_are_no_text():
    rules = ColumnRules({"größe": "gr__e", "a": "b"})
    assert "größe" in rules.to_json()
    assert ColumnRules.from_json(rules.to_json().encode()) == rules
    assert ColumnRules().to_json() == ""


def test_fields_that_a_later_version_adds_are_left_out():
    assert ColumnRules.from_json(b'{"rename": {"a": "b"}, "later": 1}') == ColumnRules({"a": "b"})


def test_rules_go_before_those_that_they_change():
    recorded = ColumnRules({"a": "b"}, {"at": "s"}, {"y": "label", "w": "weight"})
    given = ColumnRules({"a": "c"}, {"at": "ms"}, {"w": "excluded"})
    assert given.over(recorded) == ColumnRules({"a": "c"}, {"at": "ms"}, {"y": "label", "w": "excluded"})
    assert ColumnRules().over(recorded) == recorded.over(ColumnRules()) == recorded


def test_columns_that_are_not_features_are_named_in_every_spelling():
    rules = ColumnRules({"Trip $": "amount", "a": "b"}, not_features={"amount": "label", " ride id": "excluded"})
    assert rules.names_left_out() == {"amount", "Trip $", "Trip__", " ride id", "ride_id"}
    assert ColumnRules({"a": "b"}).names_left_out() == frozenset()


@pytest.mark.parametrize("data", [b"[]", b"3", b'{"rename": 1}', b'{"rename": {"a": 1}}', b"{"])
def test_other_json_is_an_error(data):
    with pytest.raises(ValueError, match="expected an object|Expecting"):
        ColumnRules.from_json(data)


@pytest.mark.parametrize("name", ["", "a b", "2nd", "_", "größe", "a.b"])
def test_names_that_a_signature_cannot_have_are_told(name):
    (problem,) = problems_of_new_names({"Trip": name})
    assert problem.startswith(f"`rename` gives `Trip` the name '{name}'. A name has letters (a to z), digits and `_`")


def test_a_name_for_two_columns_is_told_once():
    assert problems_of_new_names({"a": "x", "b": "x", "c": "y"}) == [
        "`rename` gives the name `x` to several columns. Each column needs a name of its own."
    ]
