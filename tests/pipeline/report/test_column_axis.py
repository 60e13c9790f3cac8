import datetime

import numpy as np
import pytest

from crossnet.pipeline.report.column_axis import axis_of, time_axis
from crossnet.pipeline.report.column_texts import ColumnTexts


def seconds(text):
    return datetime.datetime.fromisoformat(f"{text}+00:00").timestamp()


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        ("2023-01-01", "2025-09-28", ["2023", "2024", "2025"]),
        ("1890-06-01", "2022-01-01", ["1900", "1950", "2000"]),
        ("2024-01-15", "2024-05-20", ["2024-02", "2024-03", "2024-04", "2024-05"]),
        ("2024-02-01", "2024-02-29", ["02-01", "02-15", "02-29"]),
        ("2024-02-01 08:10:00", "2024-02-01 11:40:00", ["09:00", "10:00", "11:00"]),
        ("2024-02-01 08:10:00", "2024-02-01 08:10:03", ["08:10:00", "08:10:01", "08:10:02", "08:10:03"]),
    ],
)
def test_ticks_of_times_are_round_dates(low, high, labels):
    axis = time_axis(np.array([seconds(low), seconds(high)]), 0, 100)
    assert [label for _, label in axis.ticks] == labels
    assert all(axis.low <= value <= axis.high for value, _ in axis.ticks)
    assert (axis.at(seconds(low)), axis.at(seconds(high)), axis.factor) == (0, 100, "")


def test_ticks_know_the_unit():
    axis = axis_of(ColumnTexts(units={"at": "ms"}), "at")([1.7e12, 1.8e12], 0, 100)
    assert "2025" in [label for _, label in axis.ticks]


@pytest.mark.parametrize("values", [[], [np.nan], [0], [-9e18, 9e18], [1e300]])
def test_any_times_have_an_axis(values):
    assert time_axis(np.array(values, float), 0, 100).end == 100


def test_years_have_no_comma_and_other_numbers_have():
    texts = ColumnTexts(plain=frozenset({"year"}))
    years, numbers = (axis_of(texts, name)([1900, 2000], 0, 100, tight=True) for name in ("year", "fare"))
    assert [label for _, label in years.ticks][:2] == ["1900", "1920"]
    assert [label for _, label in numbers.ticks][:2] == ["1,900", "1,920"]
