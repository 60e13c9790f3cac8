from __future__ import annotations

import pytest

from crossnet.components.errors import DataError, SettingsError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.naming import NoLabelError, name_columns


def test_name_columns_takes_either_spelling() -> None:
    params = ExampleGenParams(label="the fare", exclude=("ride_id",), numeric=("a b",), split_column="ride_id")
    named = name_columns(["ride id", "a b", "the fare"], params, "rides.csv:1")
    assert named.names == {"a b": "a_b", "the fare": "the_fare"}
    assert (named.label, named.numeric, named.key) == ("the fare", {"a b"}, "ride id")


def test_name_columns_finds_settings_in_a_header_with_blanks_and_without_names() -> None:
    header = ["", "x0", " x1", " $", " zone", " y"]
    params = ExampleGenParams(
        label="y", exclude=("column_1",), numeric=("x1",), text=("zone", "column_4"), split_column="zone"
    )
    named = name_columns(header, params, "rides.csv:1")
    assert named.names == {"x0": "x0", " x1": "x1", " $": "column_4", " zone": "zone", " y": "y"}
    assert (named.label, named.numeric, named.text, named.key) == (" y", {" x1"}, {" zone", " $"}, " zone")
    as_in_the_file = ExampleGenParams(
        label=" y", exclude=("",), numeric=(" x1",), text=(" zone", " $"), split_column=" zone"
    )
    assert name_columns(header, as_in_the_file, "rides.csv:1") == named


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (["a", "y", "a"], "`rides.csv:1` has column `a` more than once."),
        (["a b", "a_b", "y"], "`rides.csv:1`: columns `a b`, `a_b` become one name, `a_b`."),
    ],
)
def test_name_columns_wants_a_name_for_each_column(header: list[str], problem: str) -> None:
    with pytest.raises(DataError) as caught:
        name_columns(header, ExampleGenParams(), "rides.csv:1")
    assert str(caught.value).startswith(problem)


def test_name_columns_says_all_that_is_wrong_at_once() -> None:
    params = ExampleGenParams(label="y", exclude=("y",), numeric=("a",), text=("a",), split_column="b")
    with pytest.raises(SettingsError) as caught:
        name_columns(["a", "y"], params, "rides.csv:1")
    assert str(caught.value) == (
        "`example_gen.split_column` names `b`, which is not a column. `example_gen.exclude` names `y`, which is the "
        "label. `example_gen.numeric` and `example_gen.text` both name `a`. The columns of `rides.csv:1` are: `a`, `y`."
    )


def test_name_columns_names_the_nearest_label() -> None:
    with pytest.raises(DataError) as caught:
        name_columns(["miles", "fares"], ExampleGenParams(label="fare", exclude=("mile",)), "rides.csv:1")
    assert str(caught.value) == (
        "`rides.csv:1` has no column `fare`, the label. Did you mean `fares`? "
        "`example_gen.exclude` names `mile`, which is not a column. Did you mean `miles`? "
        "The columns of `rides.csv:1` are: `miles`, `fares`. Name the label in `example_gen.label`."
    )


def test_name_columns_lists_a_column_without_a_name_as_settings_name_it() -> None:
    with pytest.raises(NoLabelError, match=r"The columns of `rides\.csv:1` are: `column_1`, `fare`\. Name the label"):
        name_columns(["", "fare"], ExampleGenParams(label="fares"), "rides.csv:1")


def test_name_columns_tells_the_columns_where_the_label_is_none_of_them() -> None:
    with pytest.raises(NoLabelError) as caught:
        name_columns([f"c{n}" for n in range(30)], ExampleGenParams(), "rides.csv:1")
    assert caught.value.columns == tuple(f"c{n}" for n in range(30))  # the message lists 20
