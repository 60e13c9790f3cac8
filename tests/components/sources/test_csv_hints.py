from __future__ import annotations

import datetime
import tomllib

import pytest

from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.csv_hints import (
    comment_for,
    comment_word,
    holds_number,
    is_null_word,
    looks_marked,
    setting_for,
    unread_times,
)
from crossnet.serving.protocol.csv_format import CsvFormat


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("NA", 'null_values = ["", "NA"]'),
        (" n/a ", 'null_values = ["", "n/a"]'),
        ("-", 'null_values = ["", "-"]'),
        ("NaN", 'nan = "missing"'),
        ("1,234", 'thousands = ","'),
        ("12,34,567.5", 'thousands = ","'),
        ("1.234,5", 'thousands = "." and decimal = ","'),
        ("1 234", 'thousands = " "'),
        ("0,5", 'decimal = ","'),
        ("1,23", 'decimal = ","'),
        ("13/1/2026", 'date_format = { "day" = "%d/%m/%Y" }'),
        ("1/13/2026 08:45", 'date_format = { "day" = "%m/%d/%Y %H:%M" }'),
        ("7.11.2026", 'date_format = { "day" = "%d.%m.%Y" }'),
        ("7 Nov 2026", 'date_format = { "day" = "%d %b %Y" }'),
        ("7-Nov-2026 8:45", 'date_format = { "day" = "%d-%b-%Y %H:%M" }'),
        ("Nov  7, 2026", 'date_format = { "day" = "%b %d, %Y" }'),
        ("Nov 7 2026", 'date_format = { "day" = "%b %d %Y" }'),
        ("2026/1/2", 'date_format = { "day" = "%Y/%m/%d" }'),
        ("2026.01.02", 'date_format = { "day" = "%Y.%m.%d" }'),
        ("2026-07", 'date_format = { "day" = "%Y-%m" }'),
        ("1\u2019234\u2019567", 'thousands = "\u2019"'),
        ("\u2014", 'null_values = ["", "\u2014"]'),
        ("n.a.", 'null_values = ["", "n.a."]'),
        ("7.11.26", 'date_format = { "day" = "%d.%m.%y" }'),
        ("11/23/2026 8:45 PM", 'date_format = { "day" = "%m/%d/%Y %I:%M %p" }'),
        ("20261123T084500Z", 'date_format = { "day" = "%Y%m%dT%H%M%SZ" }'),
        ("NaT", 'null_values = ["", "NaT"]'),
        ("#REF!", 'null_values = ["", "#REF!"]'),
        ("north", ""),
        ("1.5.7", ""),
        ("5", ""),
    ],
)
def test_the_setting_that_reads_a_cell_is_named(cell: str, line: str) -> None:
    assert setting_for(cell, "day") == line
    for part in filter(None, line.split(" and ")):
        (name,) = tomllib.loads(part)
        assert hasattr(ExampleGenParams(), name)


def test_words_that_are_set_already_are_kept() -> None:
    assert setting_for("?", "x", CsvFormat(null_values=("", "NA"))) == 'null_values = ["", "NA", "?"]'


@pytest.mark.parametrize(
    "cell",
    [
        "½",
        "2 ¾",
        *(
            "5%",
            "5.5 %",
            "$5",
            "$1,234.50",
            "-$5",
            "12,50 €",
            "US$5",
            "R$ 5",
            "(5.0)",
            "5-",
            "\u22125",
            "\uff15",
            "\u0665",
        ),
        *("\u0665", "5km", "12 km/h", "-3 °C", "1.5D+02", "0xFF", "5k", '="007"', "<5", "~5", "EUR 5", "'5", "12 3/4"),
    ],
)
def test_numbers_with_signs_that_no_setting_reads_are_told(cell: str) -> None:
    assert looks_marked(cell)


@pytest.mark.parametrize(
    "cell",
    [
        "5",
        "-5.5",
        "1e5",
        "",
        "AB12",
        "12 Main Street",
        "192.168.0.1",
        "1.2.3",
        "1-6",
        "2/5",
        "1h 5m",
        "2026-11-23",
        "abc",
        "1eef",
        "5" * 50 + "%",
    ],
)
def test_other_cells_are_not(cell: str) -> None:
    assert not looks_marked(cell)


def test_long_cells_take_no_time() -> None:
    for part in ("1", " ", "(", "a", "1 ", "$ ", "Jan "):
        cell = part * 100_000 + "!?x"
        assert not looks_marked(cell)
        assert not holds_number(cell)
        assert setting_for(cell, "a") == ""


@pytest.mark.parametrize("cell", ["(7)", "7*", "*7", "\ufeff7", "7\u200b", "1,5!", "<1", "5 km"])
def test_a_number_beside_signs_holds_a_number(cell: str) -> None:
    assert holds_number(cell)


@pytest.mark.parametrize("cell", ["7", "*", "", "A7", "7-8", "n/a", "9" * 41])
def test_words_and_plain_numbers_do_not_hold_one_beside_signs(cell: str) -> None:
    assert not holds_number(cell)


@pytest.mark.parametrize(
    ("cell", "says_nothing"),
    [
        ("#", True),
        ("***", True),
        ("\u2212", True),
        ("1.#IND", True),
        ("NA", True),
        ("*****", False),
        ("", False),
        ("#1", False),
    ],
)
def test_words_for_nothing_are_known(cell: str, says_nothing: bool) -> None:
    assert is_null_word(cell) == says_nothing


@pytest.mark.parametrize(
    ("cell", "row", "line"),
    [
        ("Total", 60, 'comment = "Total"'),
        ("Grand total:", 60, 'comment = "Grand"'),
        ("km", 0, 'comment = "km"'),
        ("km", 1, ""),
        ("5 km", 0, ""),
    ],
)
def test_a_line_that_is_not_a_row_is_left_out_as_a_comment(cell: str, row: int, line: str) -> None:
    assert comment_for(cell, row) == line


_DAYS = ("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y/%m/%d", "%d %b %Y", "%b %d, %Y", "%d-%b-%Y", "%d.%m.%y")
_DAYS += ("%m/%d/%y", "%d/%m/%y", "%d-%b-%y", "%d %B %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%A, %d %B %Y")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %H:%M:%S.%f", " %H:%M %z")
FORMS = [*(day + time for day in _DAYS for time in _TIMES), "%Y%m%dT%H%M%S", "%a %b %d %H:%M:%S %Y"]


def test_no_date_in_a_form_that_is_looked_for_is_passed_over() -> None:
    for month in range(1, 13):
        moment = datetime.datetime(2026, month, 28, 20, 45, 30, tzinfo=datetime.UTC)
        for form in FORMS:
            for text in (moment.strftime(form), moment.strftime(form).lower(), f" {moment.strftime(form)}"):
                assert setting_for(text, "day").startswith("date_format"), text


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("07:37:34", "durations or times of day"),
        ("12:24", "durations or times of day"),
        ("1:05 PM", "durations or times of day"),
        ("2024-01-31T08:30:00+05:30[Asia/Kolkata]", "times with a zone's name"),
        ("2024-01-31T24:00:00", "times at 24:00 or in a leap second"),
        ("2016-12-31 23:59:60Z", "times at 24:00 or in a leap second"),
        ("4 days 05:55:00", "durations or times of day"),
        ("-100:00:00.5", "durations or times of day"),
        ("PT1H30M", "durations or times of day"),
        ("P3DT4H", "durations or times of day"),
        ("2026-01-01 10:00:00 CET", "times with a zone's name"),
        ("2026-01-01T10:00 Europe/Berlin", "times with a zone's name"),
        *((cell, "") for cell in ("P", "PT", "PARIS", "2026-01-01", "12:5", "a:bc", "1:00" * 20, "")),
    ],
)
def test_times_that_no_setting_reads_are_known(cell: str, words: str) -> None:
    assert unread_times(cell).partition(",")[0] == words


def test_months_and_marks_have_their_settings() -> None:
    assert setting_for("2026-01", "m") == 'date_format = { "m" = "%Y-%m" }'
    assert setting_for("2026-13", "m") == ""
    assert setting_for("1_000", "n") == 'thousands = "_"'
    assert (comment_word("# a note", 30), comment_word("Total", 30), comment_word("Paris", 30)) == ("#", "Total", "")


def test_durations_of_iso_8601_have_units_and_identifiers_do_not() -> None:
    assert all(map(unread_times, ("P3D", "PT1H30M", "P1Y2M", "P0.5D", "pt20s", "P1DT12H")))
    assert not any(map(unread_times, ("P0", "p12", "P", "PM", "PT", "P7Z", "PD", "P3DT")))
