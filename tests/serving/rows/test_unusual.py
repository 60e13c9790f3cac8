"""Values that a model was not trained on are counted, each kind by column, with the first as an example."""

import numpy as np
import pytest

from crossnet.serving.protocol import messages
from crossnet.serving.protocol.train_values import NOTHING, TrainValues
from crossnet.serving.rows.base import Row
from crossnet.serving.rows.unusual import Unusual, columns_of_examples, merged, unusual_values

KNOWN = TrainValues(
    {"miles": (0.1, 30.0), "day": (0.0, 864e5), "count": (-1.0, 9.3e18)},
    {"zone": frozenset({"north", "süd"}), "code": frozenset({7, 8})},
    frozenset({"miles", "zone"}),
)


def texts(*values):
    array = np.empty(len(values), np.object_)
    array[:] = [value.encode() for value in values]
    return array


def found(known=KNOWN, **arrays):
    rows = [Row(f"rows.csv:{number}", None) for number in range(2, 2 + len(next(iter(arrays.values()))))]
    units = {"day": "ms"}
    return list(
        unusual_values(arrays, known, rows, lambda name, row: name.upper(), lambda name, _: units.get(name, ""))
    )


def test_values_of_training_are_not_unusual():
    miles, code = np.array([0.1, 30.0, 5], np.float32), np.array([7, 8, 7])
    known = TrainValues({"miles": (float(np.float32(0.1)), 30.0)}, KNOWN.categories, KNOWN.complete)
    assert found(known, miles=miles, zone=texts("north", "süd", "süd"), code=code, other=np.array([1, 2, 3])) == []


def test_each_kind_names_the_column_its_rows_the_first_value_and_its_place():
    miles = np.array([5, np.nan, 31.5, -np.inf, 40], np.float32)
    assert found(miles=miles) == [
        Unusual("MILES", "infinite", 1, "-inf", "rows.csv:5"),
        Unusual("MILES", "missing", 1, "", "rows.csv:3"),
        Unusual("MILES", "outside", 2, "31.5", "rows.csv:4", "0.1 to 30"),
    ]


def test_categories_are_texts_or_whole_numbers_and_a_missing_one_is_new_only_where_training_had_none():
    assert found(zone=texts("north", "", "west", "west")) == [Unusual("ZONE", "category", 3, "''", "rows.csv:3")]
    assert found(code=np.array([7, 9])) == [Unusual("CODE", "category", 1, "9", "rows.csv:3")]
    assert found(code=np.array([np.nan, 7, 8.5], np.float32)) == [Unusual("CODE", "category", 1, "8.5", "rows.csv:4")]
    optional = TrainValues({}, KNOWN.categories)
    assert found(optional, zone=texts("north", "")) == []


def test_times_are_shown_as_dates_and_far_numbers_as_they_are():
    (item,) = found(day=np.array([86_400_000, 172_800_500]))
    assert (item.expected, item.example) == ("1970-01-01 to 1970-01-02", "1970-01-03 00:00:00.500000")
    (item,) = found(day=np.array([2**62]))
    assert item.example == str(2**62)


@pytest.mark.filterwarnings("error")
def test_whole_numbers_up_to_the_last_are_compared():
    (item,) = found(count=np.array([-(2**63), 2**63 - 1]))
    assert (item.rows, item.example, item.expected) == (1, str(-(2**63)), "-1 to 9.3e+18")


def test_without_a_record_only_infinite_numbers_are_unusual_also_in_wide_inputs():
    wide = np.array([[1, 2], [3, np.inf]], np.float32)
    assert found(NOTHING, x=wide, zone=texts("a", "")) == [Unusual("X", "infinite", 1, "inf", "rows.csv:3")]


def test_parts_are_merged_by_column_and_kind():
    a, b = Unusual("a", "category", 1, "'x'", "rows:1"), Unusual("a", "outside", 2, "9", "rows:2", "0 to 1")
    assert merged([a, b, a._replace(rows=4, example="'y'", place="rows:7")]) == (a._replace(rows=5), b)


def test_examples_become_columns_with_holes():
    def record(**features):
        example = messages.Example()
        for name, (kind, values) in features.items():
            getattr(example.features.feature[name], kind).value.extend(values)
        return example.SerializeToString()

    first = record(x=("float_list", [1.5]), n=("int64_list", [2**60 + 1]), z=("bytes_list", [b"a"]))
    second = record(x=("float_list", []), n=("int64_list", [3]), many=("int64_list", [1, 2]))
    columns = columns_of_examples([first, second], ["x", "n", "z", "many", "absent"])
    np.testing.assert_array_equal(columns.pop("x"), np.array([1.5, np.nan], np.float32))
    assert {name: array.tolist() for name, array in columns.items()} == {"n": [2**60 + 1, 3], "z": [b"a", b""]}
