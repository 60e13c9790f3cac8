"""A model's folder records which values it was trained on."""

import pytest

from crossnet.serving.protocol.train_values import NOTHING, TrainValues

VALUES = TrainValues(
    {"miles": (0.5, 30.0)}, {"zone": frozenset({"", "nörd"}), "code": frozenset({7, -1})}, frozenset({"miles"})
)


def test_record_is_read_back_from_its_json_which_does_not_depend_on_an_order():
    assert TrainValues.from_json(VALUES.to_json().encode()) == VALUES
    assert "nörd" in VALUES.to_json()
    assert '"code": [\n      -1,\n      7\n    ]' in VALUES.to_json()


def test_fields_that_a_later_version_adds_or_lacks_are_left_out():
    assert TrainValues.from_json(b'{"ranges": {"a": [1, 2]}, "later": 1}') == TrainValues({"a": (1, 2)})
    assert TrainValues.from_json(b"{}") == NOTHING


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"{",
        b'{"ranges": []}',
        b'{"ranges": {"a": [1]}}',
        b'{"ranges": {"a": [2, 1]}}',
        b'{"ranges": {"a": [0, NaN]}}',
        b'{"ranges": {"a": [true, 2]}}',
        b'{"categories": {"a": "x"}}',
        b'{"categories": {"a": ["x", 1]}}',
        b'{"categories": {"a": [true]}}',
        b'{"complete": [[]]}',
    ],
)
def test_other_json_is_an_error(data):
    with pytest.raises(ValueError, match="expected|Expecting"):
        TrainValues.from_json(data)
