from __future__ import annotations

import tomllib

import pytest

from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.sources.csv_hints import setting_for
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
        ("2026/1/2", 'date_format = { "day" = "%Y/%m/%d" }'),
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
