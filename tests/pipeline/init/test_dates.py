import pyarrow as pa
import pytest

from crossnet.pipeline.init.dates import date_formats, parse_dates


@pytest.mark.parametrize(
    ("cell", "formats"),
    [
        ("1/31/2026", ("%m/%d/%Y",)),
        ("31/1/2026", ("%d/%m/%Y",)),
        ("1/2/2026", ("%m/%d/%Y", "%d/%m/%Y")),
        ("1.2.2026", ("%d.%m.%Y", "%m.%d.%Y")),
        ("31.12.26 23:59", ("%d.%m.%y %H:%M",)),
        ("2026/1/2", ("%Y/%m/%d",)),
        ("2026.01.02 08:45:00", ("%Y.%m.%d %H:%M:%S",)),
        ("1/31/2026 3:04 PM", ("%m/%d/%Y %I:%M %p",)),
        ("2-Jan-2026", ("%d-%b-%Y",)),
        ("2 January 2026", ("%d %b %Y",)),
        ("Jan 2, 2026", ("%b %d, %Y",)),
        ("Jan 2 2026", ("%b %d %Y",)),
        ("January 2 2026 08:45", ("%b %d %Y %H:%M",)),
        ("2026-01-02", ()),
        ("99/99/2026", ()),
        ("1/2/2026 noon", ()),
        ("1/2-2026", ()),
        ("12", ()),
        ("", ()),
    ],
)
def test_a_cell_has_the_formats_that_read_it(cell, formats):
    assert date_formats(cell) == formats


def test_a_format_reads_the_dates_of_its_form_and_leaves_out_others():
    moments = parse_dates("%m/%d/%Y", pa.array(["1/2/1970", "12/31/1969", "13/1/1970", "1/2/70", "x", None]))
    assert moments.to_pylist() == [86_400, -86_400, None, None, None, None]


@pytest.mark.parametrize("cell", ["2 Jan 1970", "2 January 1970"])
def test_names_of_months_are_read_short_and_long(cell):
    (form,) = date_formats(cell)
    assert parse_dates(form, pa.array([cell])).to_pylist() == [86_400]
