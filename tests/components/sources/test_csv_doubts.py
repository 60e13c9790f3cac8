from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crossnet.components.errors import DataError
from support.example_gen_fixtures import all_rows, make, make_csv


def doubts(tmp_path: Path, cells: list[str], **settings: Any) -> tuple[str, list[tuple[str, str]]]:
    """Returns the type of a column `a` with these cells, and what is said of it: text and setting."""
    examples = make_csv(tmp_path, "a,y\n" + "".join(f'"{cell}",{n}\n' for n, cell in enumerate(cells)), **settings)
    found = [(doubt["text"], doubt["setting"]) for doubt in examples.properties["doubts"]]
    assert all(doubt["column"] == "a" for doubt in examples.properties["doubts"])
    return examples.column_types["a"], found


def test_numbers_that_some_cells_make_text_are_said_with_the_setting(tmp_path: Path) -> None:
    assert doubts(tmp_path, ["1", "NA", "2", "3", ""]) == (
        "BYTES",
        [("is read as text: 25 % of its cells are not numbers (first: 'NA', rides.csv:3)", 'null_values = ["", "NA"]')],
    )
    assert doubts(tmp_path, ["1", "2", "1,5"])[1][0][1] == 'decimal = ","'
    assert doubts(tmp_path, ["1", "2", "north"])[1][0][1] == 'null_values = ["", "north"]'
    assert doubts(tmp_path, [*"123456", *"uvwxyz"])[1][0][1] == 'numeric = ["a"]'
    assert doubts(tmp_path, ["north", "south", "NA", "7"]) == ("BYTES", [])


def test_numbers_and_dates_of_another_form_are_said_with_the_setting(tmp_path: Path) -> None:
    (one,) = doubts(tmp_path, ["1,000", "1,001", "1,002"])[1]
    assert one[0] == "is read as text: its cells look like numbers in another form (first: '1,000', rides.csv:2)"
    assert one[1] == 'thousands = ","'
    (one,) = doubts(tmp_path, ["1/13/2026", "2/14/2026", ""])[1]
    assert one[1] == 'date_format = { "a" = "%m/%d/%Y" }'
    assert doubts(tmp_path, ["NA", "?", "-"]) == ("BYTES", [])


def test_a_time_at_24_00_among_times_is_said_with_what_to_write(tmp_path: Path) -> None:
    (one,) = doubts(tmp_path, ["2024-01-31T23:00:00", "2024-01-31T24:00:00", "2024-02-01T12:00:00"])[1]
    assert one == (
        "is read as text: 33.3 % of its cells are not dates or times in ISO 8601 (first: '2024-01-31T24:00:00', "
        "rides.csv:3); write 00:00 of the next day for 24:00 and for a leap second",
        "",
    )


@pytest.mark.parametrize(
    ("cells", "zero"),
    [(["1.5", "1e-46"], "1e-46"), ([f"0.{'0' * 46}1", "1"], f"0.{'0' * 46}1"), (["-7e-46", "2"], "-7e-46")],
)
def test_numbers_that_float32_makes_0_are_said(tmp_path: Path, cells: list[str], zero: str) -> None:
    kind, ((text, setting),) = doubts(tmp_path, cells)
    assert (kind, setting) == ("FLOAT", "")
    assert text.startswith(f"holds numbers such as {zero}, which float32 makes 0 (its least is 1.4e-45); multiply all")


def test_small_numbers_that_float32_holds_are_not_doubtful(tmp_path: Path) -> None:
    assert doubts(tmp_path, ["1.4e-45", "8e-46", "0e-99", "0.0", "1e-10"]) == ("FLOAT", [])


def test_codes_stay_text_wherever_the_zero_is(tmp_path: Path) -> None:
    said = "stays text, as codes do: a cell of digits begins with a zero ('{}', rides.csv:{})"
    assert doubts(tmp_path, ["1", "01", "001"]) == ("BYTES", [(said.format("01", 3), 'numeric = ["a"]')])
    late = ["1"] * 30_000 + ["007"]
    assert doubts(tmp_path, late) == ("BYTES", [(said.format("007", 30_002), 'numeric = ["a"]')])
    assert doubts(tmp_path, ["1", "01"], numeric=("a",)) == ("INT", [])
    assert doubts(tmp_path, ["0", "-1", "0.5", "00.5"]) == ("FLOAT", [])


@pytest.mark.parametrize("before", [3, 30_000])
def test_a_decimal_among_large_whole_numbers_is_said_with_its_place(tmp_path: Path, before: int) -> None:
    cells = [str(2**24 + n + 1) for n in range(before)] + ["0.5"]
    kind, ((text, setting),) = doubts(tmp_path, cells)
    assert (kind, setting) == ("FLOAT", 'integer = ["a"]')
    assert text.startswith(f"holds whole numbers such as 16777217 beside others ('0.5', rides.csv:{before + 2}), so")
    assert "float32" in text


def test_small_whole_numbers_beside_others_are_not_doubtful(tmp_path: Path) -> None:
    assert doubts(tmp_path, ["16777216", "7", "0.5"]) == ("FLOAT", [])


@pytest.mark.parametrize("before", [3, 30_000])
def test_whole_numbers_beyond_64_bits_are_said(tmp_path: Path, before: int) -> None:
    kind, ((text, setting), *_) = doubts(tmp_path, ["7"] * before + ["9223372036854775808"])
    assert (kind, setting.split(" = ")[1]) == ("FLOAT", '["a"]')
    assert "922337203685477580" in text


def test_digits_that_float32_does_not_keep_are_said_once(tmp_path: Path) -> None:
    kind, ((text, _),) = doubts(tmp_path, ["123456789.25", "987654321.75", "0.5"])
    assert kind == "FLOAT"
    assert text.startswith("holds numbers such as 123456789.25, of which float32 keeps some 7 digits")
    assert doubts(tmp_path, ["0.123456789", "1.5"]) == ("FLOAT", [])


def test_whole_numbers_with_a_point_are_said_with_the_setting_that_keeps_them(tmp_path: Path) -> None:
    cells = ["1582218195625938945.0", "16777217.0", "7"]
    ((text, setting),) = doubts(tmp_path, cells)[1]
    assert text.startswith("holds numbers such as 1582218195625938945.0, of which float32 keeps some 7 digits")
    assert setting == 'integer = ["a"]'
    assert doubts(tmp_path, cells, integer=("a",)) == ("INT", [])
    assert doubts(tmp_path, [*cells, "0.25", "1.5", "2.5"])[1][0][1] != setting


def test_fractions_of_a_second_are_said(tmp_path: Path) -> None:
    kind, said = doubts(tmp_path, ["2026-01-01T00:00:00", "2026-01-01T00:00:00.25"])
    text = "holds times with parts of a second and is written in whole milliseconds; a request of numbers has milli"
    assert (kind, said) == ("INT", [(f"{text}seconds too", 'time_unit = { "a" = "s" }')])


def test_parts_of_a_microsecond_are_said(tmp_path: Path) -> None:
    times = ["2026-01-01T00:00:00", "2026-01-01T00:00:00.123456700", "2026-01-01T00:00:00.123456000"]
    kind, said = doubts(tmp_path, times)
    assert kind == "INT"
    assert ("holds parts of a microsecond, which are left out, such as 2026-01-01T00:00:00.123456700", "") in said
    assert len(doubts(tmp_path, times[::2])[1]) == 1


def test_a_rare_odd_cell_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"`rides.csv:202`: `a` is 'NA', .* set `example_gen.null_values = \[\"\", \"NA"
    ):
        doubts(tmp_path, ["1"] * 200 + ["NA"])


def test_doubts_name_the_file_among_several(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,y\n1,1\n2,2\n")
    (tmp_path / "2.csv").write_text("a,y\n3,1\nNA,2\n")
    examples = make(tmp_path, source="csv", input=str(tmp_path / "*.csv"))
    assert "(first: 'NA', 2.csv:3)" in examples.properties["doubts"][0]["text"]
    assert [row["a"] for row in all_rows(examples)] == [b"1", b"2", b"3", b"NA"]


@pytest.mark.parametrize(
    ("cells", "text", "setting"),
    [
        (
            ["5%", "6%"],
            "is read as text: its cells look like numbers with signs that no setting reads (first: '5%'",
            "",
        ),
        (
            ["1,234.50", "2,234.50", "(1,234.50)", "12.25"],
            "is read as text: its cells look like numbers with signs that no setting reads (first: '(1,234.50)'",
            "",
        ),
        (
            ["12 3/4", "5", "1 1/2"],
            "is read as text: its cells look like numbers with signs that no setting reads (first: '12 3/4'",
            "",
        ),
        (
            ["1", "2", "(3)"],
            "is read as text: 33.3 % of its cells are not numbers (first: '(3)', rides.csv:4), which",
            "",
        ),
        (["1", "2", "NA", "-", "3"], "is read as text: 40 %", 'null_values = ["", "NA", "-"]'),
        (
            ["1970-01-01", "NaT"],
            "is read as text: 50 % of its cells are not dates or times",
            'null_values = ["", "NaT"]',
        ),
        (
            ["1970-01-01", "1970-01-02", "soon"],
            "is read as text: 33.3 % of its cells are not dates or times in ISO",
            'null_values = ["", "soon"]',
        ),
        (["1", "2", "Total"], "is read as text: 33.3 % of its cells are not numbers", 'comment = "Total"'),
        ([f"1234567890123456789{n}" for n in range(9)], "holds whole numbers beyond 64 bits, such as", 'text = ["a"]'),
    ],
)
def test_cells_that_are_not_read_as_they_seem_are_said(
    tmp_path: Path, cells: list[str], text: str, setting: str
) -> None:
    ((said, remedy),) = doubts(tmp_path, cells)[1]
    assert said.startswith(text)
    assert remedy == setting


@pytest.mark.parametrize(
    ("cells", "said", "setting"),
    [
        (
            ["07:37:34", "12:00:01"],
            "look like durations or times of day, which no setting reads",
            "",
        ),
        (["4 days 05:00:00", "0 days 00:10:00"], "look like durations or times of day", ""),
        (["2026-01-01 10:00:00 CET", "2026-01-02 10:00:00 CET"], "look like times with a zone's name", ""),
        (["2026-01", "2026-02"], "look like dates", 'date_format = { "a" = "%Y-%m" }'),
        (["1_000", "2_000"], "look like numbers in another form", 'thousands = "_"'),
        (["true", "0", "1", "false"], "50 % of its cells are not numbers", 'boolean = ["a"]'),
        (["2026-01-01", "01.02.2026", "2026-01-03"], "write them in one form to use them as such", ""),
    ],
)
def test_text_that_seems_times_months_or_truth_is_said(
    tmp_path: Path, cells: list[str], said: str, setting: str
) -> None:
    kind, [(text, line)] = doubts(tmp_path, cells * 3)
    assert kind == "BYTES"
    assert said in text
    assert line == setting


def test_a_late_date_of_another_form_gets_no_form_for_the_whole_column(tmp_path: Path) -> None:
    rows = "".join(f"2026-01-0{1 + n % 9},{n}\n" for n in range(10_001))
    with pytest.raises(DataError, match=r"`a` is '31/12/2026', expected a date .* Fix the cell, or name the col"):
        make_csv(tmp_path, f"a,y\n{rows}31/12/2026,1\n")
