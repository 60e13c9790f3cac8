from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crossnet.components.errors import DataError, SettingsError
from support.example_gen_fixtures import all_rows, make_csv


def column(tmp_path: Path, cells: list[str], **settings: Any) -> tuple[str, list[Any], list[dict[str, str]]]:
    """Returns the type, the values and the doubts of a column `a` with these cells."""
    examples = make_csv(tmp_path, "a,y\n" + "".join(f'"{cell}",{n}\n' for n, cell in enumerate(cells)), **settings)
    values = [row["a"] for row in all_rows(examples)]
    return examples.column_types["a"], values, examples.properties["doubts"]


def test_whole_numbers_have_the_range_of_int64_and_may_have_a_plus(tmp_path: Path) -> None:
    cells = ["1582218195625938945", "+9223372036854775807", "-9223372036854775808", " 7"]
    assert column(tmp_path, cells) == ("INT", [int(cell) for cell in cells], [])


def test_integer_reads_whole_numbers_with_a_point_and_refuses_others(tmp_path: Path) -> None:
    assert column(tmp_path, ["16777217", "5.0", "3e2", ""], integer=("a",)) == ("INT", [16_777_217, 5, 300, None], [])
    with pytest.raises(DataError, match=r"`rides.csv:3`: `a` is '5.5', expected a whole number \(`example_gen.integer"):
        column(tmp_path, ["16777217", "5.5"], integer=("a",))


def test_words_for_holes_are_holes_in_columns_of_numbers_truths_and_times_only(tmp_path: Path) -> None:
    null = {"null_values": ("NA", "-")}
    assert column(tmp_path, ["NA", "1", " - ", ""], **null) == ("INT", [None, 1, None, None], [])
    assert column(tmp_path, ["NA", "1.5", "-"], **null) == ("FLOAT", [None, 1.5, None], [])
    assert column(tmp_path, ["NA", "1970-01-02"], **null) == ("INT", [None, 86_400], [])
    assert column(tmp_path, ["NA", "true"], **null) == ("INT", [None, 1], [])
    assert column(tmp_path, ["NA", "good", "-"], **null) == ("BYTES", [b"NA", b"good", b"-"], [])


def test_words_for_holes_are_holes_in_text_that_null_text_names(tmp_path: Path) -> None:
    null: dict[str, Any] = {"null_values": ("", "NA", "\\N"), "null_text": ("a",)}
    text = ["NA", " good", " \\N ", "", "N/A"]
    assert column(tmp_path, text, **null) == ("BYTES", [None, b" good", None, None, b"N/A"], [])
    assert column(tmp_path, text, text=("a",), **null)[1] == [None, b" good", None, None, b"N/A"]
    assert column(tmp_path, ["1", "NA"], **null) == ("INT", [1, None], [])
    late = ["1"] * 10_000 + ["007", "NA"]
    kind, values, _ = column(tmp_path, late, **null)
    assert (kind, values[-2:]) == ("BYTES", [b"007", None])
    with pytest.raises(SettingsError, match="`example_gen.null_text` names `b`, which is not a column"):
        column(tmp_path, text, null_values=("", "NA"), null_text=("b",))


def test_nan_may_be_a_hole_of_any_number(tmp_path: Path) -> None:
    assert column(tmp_path, ["nan", "1.5", "NaN"], nan="missing")[:2] == ("FLOAT", [None, 1.5, None])
    assert column(tmp_path, ["-nan", "7"], nan="missing")[:2] == ("INT", [None, 7])


def test_numbers_have_the_marks_that_settings_name(tmp_path: Path) -> None:
    assert column(tmp_path, ["1,234", "12", "1,234,567"], thousands=",")[:2] == ("INT", [1234, 12, 1_234_567])
    assert column(tmp_path, ["1,5", "-0,25"], decimal=",")[:2] == ("FLOAT", [1.5, -0.25])
    assert column(tmp_path, ["1.234,5", "7"], decimal=",", thousands=".")[:2] == ("FLOAT", [1234.5, 7.0])
    assert column(tmp_path, ["1,5", "0.25"], decimal=",")[:2] == ("FLOAT", [1.5, 0.25])
    cells = [*["1,5"] * 200, "1.500"]
    with pytest.raises(DataError, match=r"`rides.csv:202`: `a` is '1.500', expected a number"):
        column(tmp_path, cells, decimal=",")
    with pytest.raises(DataError, match=r"`rides.csv:202`: `a` is '1,23', expected a whole number"):
        column(tmp_path, [*["1,234"] * 200, "1,23"], thousands=",")


def test_dates_and_truths_have_the_forms_that_settings_name(tmp_path: Path) -> None:
    dates = {"date_format": {"a": "%d/%m/%Y"}}
    assert column(tmp_path, ["2/1/1970", "", "01/01/1970"], **dates)[:2] == ("INT", [86_400, None, 0])
    with pytest.raises(DataError, match=r"`rides.csv:3`: `a` is '1970-01-01', expected a date in the form of"):
        column(tmp_path, ["2/1/1970", "1970-01-01"], **dates)
    assert column(tmp_path, ["Yes", "n", "1", "F"], boolean=("a",))[:2] == ("INT", [1, 0, 1, 0])
    with pytest.raises(DataError, match=r"`rides.csv:3`: `a` is 'maybe', expected a truth value, such as yes or no"):
        column(tmp_path, ["Yes", "maybe"], boolean=("a",))


def test_short_zones_are_read(tmp_path: Path) -> None:
    cells = ["1970-01-01 01:00:00+01", "1970-01-01 00:00:00 UTC", "1970-01-01T00:00Z"]
    assert column(tmp_path, cells)[:2] == ("INT", [0, 0, 0])


def test_a_column_is_named_by_one_setting_of_a_type(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="`example_gen.text` and `example_gen.integer` both name `a`"):
        column(tmp_path, ["1"], text=("a",), integer=("a",))
    with pytest.raises(SettingsError, match="`example_gen.date_format` names `b`, which is not a column"):
        column(tmp_path, ["1"], date_format={"b": "%Y"})


def test_a_label_of_text_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    message = (
        r"All 40 cells of `y`, the label, are text \(first: 'red'\): this pipeline predicts numbers\. "
        r"Name a column of numbers in `example_gen.label`\."
    )
    with pytest.raises(DataError, match=message):
        make_csv(tmp_path, "a,y\n" + "1,red\n2,blue\n" * 20)
    assert list((tmp_path / "examples-0").iterdir()) == []
    with pytest.raises(DataError, match=r"If they are numbers, set `example_gen.thousands = \",\"`"):
        make_csv(tmp_path, "a,y\n" + '1,"1,234"\n' * 20)


@pytest.mark.parametrize("marks", [{"decimal": ","}, {"thousands": ","}, {"decimal": ",", "thousands": "."}])
def test_marks_of_numbers_leave_times_and_truths_as_they_are(tmp_path: Path, marks: dict[str, str]) -> None:
    content = "t;b;y\n2020-01-02T00:00:01Z;true;1\n;False;2\n2020-01-03T00:00:01Z;TRUE;3\n"
    examples = make_csv(tmp_path, content, delimiter=";", **marks)
    assert [(row["t"], row["b"]) for row in all_rows(examples)] == [(1577923201, 1), (None, 0), (1578009601, 1)]


def test_a_label_of_numbers_with_signs_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\(first: '\$5.50'\): .* with signs that no setting reads: write the numbers"):
        make_csv(tmp_path, "a,y\n" + "".join(f"{n},$5.5{n % 7}\n" for n in range(20)), label="y")
