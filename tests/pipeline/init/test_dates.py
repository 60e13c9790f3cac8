import pyarrow as pa
import pytest

from crossnet.components.sources.date_forms import date_forms
from crossnet.pipeline.init.dates import parse_dates


def test_a_form_reads_the_dates_of_its_form_and_leaves_out_others():
    moments = parse_dates("%m/%d/%Y", pa.array(["1/2/1970", "12/31/1969", "13/1/1970", "1/2/70", "x", None]))
    assert moments.to_pylist() == [86_400, -86_400, None, None, None, None]


@pytest.mark.parametrize(
    "cell",
    [
        "2 Jan 1970",
        "2 January 1970",
        "Friday, 2 January 1970",
        "1970-01-02 12:00 AM",
        "1970年1月2日",
        "02.01.1970 00:00:00.5",
    ],
)
def test_the_first_form_of_a_date_reads_it(cell):
    assert parse_dates(date_forms(cell)[0], pa.array([cell, None])).to_pylist() == [86_400, None]


def test_long_and_short_names_of_months_are_different_forms():
    cells = pa.array(["2 Jan 1970", "2 January 1970", "2 May 1970"])
    assert parse_dates("%d %b %Y", cells).is_valid().to_pylist() == [True, False, True]
    assert parse_dates("%d %B %Y", cells).is_valid().to_pylist() == [False, True, True]
