from __future__ import annotations

import pytest

from crossnet.components.sources.date_forms import date_forms
from crossnet.serving.protocol.csv_format import CsvFormat

FORMS = [
    ("1/31/2026", ("%m/%d/%Y",)),
    ("31/1/2026", ("%d/%m/%Y",)),
    ("1/2/2026", ("%m/%d/%Y", "%d/%m/%Y")),
    ("1.2.2026", ("%d.%m.%Y", "%m.%d.%Y")),
    ("04. 16. 2027", ("%m. %d. %Y",)),
    ("31.12.26 23:59", ("%d.%m.%y %H:%M", "%y.%m.%d %H:%M")),
    ("31.12.36", ("%d.%m.%y",)),
    ("45-12-31", ("%y-%m-%d",)),
    ("31-01-2024 14h30", ("%d-%m-%Y %Hh%M",)),
    ("2026/1/2", ("%Y/%m/%d",)),
    ("2026-1-2", ("%Y-%m-%d",)),
    ("2026 01 02", ("%Y %m %d",)),
    ("2026.01.02 08:45:00", ("%Y.%m.%d %H:%M:%S",)),
    ("1/31/2026 3:04 PM", ("%m/%d/%Y %I:%M %p",)),
    ("2026-01-31 3:04PM", ("%Y-%m-%d %I:%M%p",)),
    ("2026-01-31 03:04:05,250", ("%Y-%m-%d %H:%M:%S,%f",)),
    ("31/01/2026 03:04:05.25", ("%d/%m/%Y %H:%M:%S.%f",)),
    ("2-Jan-2026", ("%d-%b-%Y",)),
    ("02JAN2026", ("%d%b%Y",)),
    ("31-JAN-24 08.30.00.000000 AM", ("%d-%b-%y %I.%M.%S.%f %p",)),
    ("31-JAN-24 08.30", ("%d-%b-%y %H.%M",)),
    ("2 January 2026", ("%d %B %Y",)),
    ("2 May 2026", ("%d %b %Y", "%d %B %Y")),
    ("Jan 2, 2026", ("%b %d, %Y",)),
    ("Jan. 2 2026", ("%b. %d %Y",)),
    ("January 2 2026 08:45", ("%B %d %Y %H:%M",)),
    ("Friday, 2 January 2026", ("%A, %d %B %Y",)),
    ("Fri, 02 Jan 2026 08:45:00 GMT", ("%a, %d %b %Y %H:%M:%S GMT",)),
    ("Fri Jan  2 08:45:00 2026", ("%a %b %d %H:%M:%S %Y",)),
    ("02/Jan/2026:08:45:00 +0100", ("%d/%b/%Y:%H:%M:%S %z",)),
    ("20260102T084500Z", ("%Y%m%dT%H%M%SZ",)),
    ("20260102T084500+0100", ("%Y%m%dT%H%M%S%z",)),
    ("2026-01", ("%Y-%m",)),
    ("1/2026", ("%m/%Y",)),
    ("Jan 2026", ("%b %Y",)),
    ("January 2026", ("%B %Y",)),
    ("Jan-26", ("%b-%y",)),
    ("2026年1月2日", ("%Y年%m月%d日",)),
]
OTHERS = ("2026-01-02", "2026-01-02T08:45Z", "99/99/2026", "30/2/2026", "1/2/2026 noon", "1/2-2026", "12", "1.5.7", "")
OTHERS += (
    "1.234.567",
    "1 234",
    "12-3045",
    "May",
    "May 2",
    "Marching 2026",
    "2026-13",
    "1/2/2026 8:45 ",
    "1/2/2026 CET",
)


def test_a_date_has_the_forms_that_read_it_and_other_text_has_none() -> None:
    assert {text: date_forms(text) for text, _ in FORMS} == dict(FORMS)
    assert {text for text in OTHERS if date_forms(text)} == set()


@pytest.mark.parametrize("text", ["1" * 200_000, "1/" * 100_000, "Jan " * 100_000])
def test_long_cells_are_not_looked_at(text: str) -> None:
    assert date_forms(text) == ()


def test_each_form_is_one_that_the_setting_takes() -> None:
    forms = {form for _, forms in FORMS for form in forms}
    assert [problem for form in forms for problem in CsvFormat(date_format={"day": form}).problems()] == []
