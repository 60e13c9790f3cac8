from __future__ import annotations

from pathlib import Path

import pytest

from crossnet.components.errors import DataError, SettingsError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.base import file_label, name_columns, safe_name


@pytest.mark.parametrize(
    ("source_name", "name"),
    [
        ("miles", "miles"),
        ("trip miles", "trip_miles"),
        (" fare ", "fare"),
        ("2nd", "_2nd"),
        ("größe", "gr__e"),
        ("", "column_4"),
        ("%", "column_4"),
        ("_", "column_4"),
    ],
)
def test_safe_name_is_a_signatures(source_name: str, name: str) -> None:
    assert safe_name(source_name, 4) == name


def test_name_columns_takes_either_spelling() -> None:
    params = ExampleGenParams(label="the fare", exclude=("ride_id",), numeric=("a b",), split_column="ride_id")
    named = name_columns(["ride id", "a b", "the fare"], params, "rides.csv:1")
    assert named.names == {"a b": "a_b", "the fare": "the_fare"}
    assert (named.label, named.numeric, named.key) == ("the fare", {"a b"}, "ride id")


def test_name_columns_says_all_that_is_wrong_at_once() -> None:
    params = ExampleGenParams(label="y", exclude=("y",), numeric=("a",), text=("a",), split_column="b")
    with pytest.raises(SettingsError) as caught:
        name_columns(["a", "y"], params, "rides.csv:1")
    assert str(caught.value) == (
        "`example_gen.split_column` names `b`, which is not there. `example_gen.exclude` names `y`, which is the "
        "label. `example_gen.numeric` and `example_gen.text` both name `a`. The columns of `rides.csv:1` are: `a`, `y`."
    )


def test_name_columns_names_the_nearest_label() -> None:
    with pytest.raises(DataError) as caught:
        name_columns(["miles", "fares"], ExampleGenParams(label="fare", exclude=("mile",)), "rides.csv:1")
    assert str(caught.value) == (
        "`rides.csv:1` has no column `fare`, the label. Did you mean `fares`? "
        "`example_gen.exclude` names `mile`, which is not there. Did you mean `miles`? "
        "The columns of `rides.csv:1` are: `miles`, `fares`. Name the label in `example_gen.label`."
    )


def test_file_label_adds_the_folder_where_names_repeat() -> None:
    files = [Path("a/x.csv"), Path("b/x.csv"), Path("b/y.csv")]
    assert [file_label(path, files) for path in files] == ["a/x.csv", "b/x.csv", "y.csv"]
