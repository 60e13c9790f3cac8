import math

import pytest

from crossnet.pipeline.report.column_texts import ColumnTexts, column_texts
from crossnet.pipeline.report.run import load_run
from support.report_fixtures import FAILED, HOSTILE_HEADER, PUSHED, make_runs

TEXTS = ColumnTexts({"Listed_on": "Listed on", "zone": "zone"}, {"Listed_on": "s", "at": "ms"}, frozenset({"year"}))
CLOCK = ColumnTexts(plain=frozenset({"dep"}), clock={"dep": "hhmm", "at": "hhmmss"})


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("Listed_on", 1740787200, "2025-03-01"),
        ("Listed_on", 1740787200.0, "2025-03-01"),  # a column with holes is float
        ("at", 1740787265000, "2025-03-01 00:01:05"),
        ("Listed_on", -1, "1969-12-31 23:59:59"),
        ("Listed_on", 10**14, "100,000,000,000,000"),  # after the year 9999
        ("year", 1987.0, "1987"),
        ("year", 1987.5, "1,988"),
        ("fare", 1987.0, "1,987"),
        ("fare", 0.123456, "0.1235"),
        ("fare", None, "–"),
        ("zone", "", "–"),
        ("zone", "süd", "süd"),
        ("Listed_on", math.nan, "NaN"),
    ],
)
def test_values_read_as_in_the_table(column, value, text):
    assert TEXTS.value(column, value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(830, "8:30"), (5.0, "0:05"), (2400, "24:00"), (875, "875"), (830.5, "830.5"), (None, "–")]
)
def test_times_of_day_read_as_on_a_clock(value, text):
    assert CLOCK.value("dep", value) == text
    assert CLOCK.value("at", 83005) == "8:30:05"


def test_names_are_those_of_the_source():
    assert TEXTS.name("Listed_on") == "Listed on"
    assert TEXTS.name("unknown") == "unknown"
    assert TEXTS.values("Listed_on=below 7, zone=a=b") == "Listed on=below 7, zone=a=b"


def test_column_texts_of_a_run_know_its_header(tmp_path_factory):
    store = make_runs(tmp_path_factory)
    found = column_texts(load_run(store, PUSHED))
    assert HOSTILE_HEADER in found.names.values()
    assert not found.plain  # x0 is not a whole number
    assert column_texts(load_run(store, FAILED)) == ColumnTexts()
