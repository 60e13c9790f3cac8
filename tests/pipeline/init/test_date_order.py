from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from support.init_tables import noise, proposed, table_of

START = datetime.date(2024, 1, 20)


def form_of(folder: Path, dates: list[str]) -> tuple[str, list[tuple[str, str]]]:
    draw = noise()
    proposal = proposed(folder, table_of("t,x,y", [(date, draw(), draw()) for date in dates * 9]))
    said = [(doubt.text, doubt.setting) for doubt in proposal.columns[0].doubts]
    return proposal.settings["date_format"]["t"], said


@pytest.mark.parametrize("mark", "-/.")
@pytest.mark.parametrize("parts", ["%y{}%m{}%d", "%d{}%m{}%y", "%m{}%d{}%y"])
def test_days_with_a_short_year_are_read_in_the_order_that_keeps_them_close(
    tmp_path: Path, parts: str, mark: str
) -> None:
    form = parts.format(mark, mark)
    days = [START + datetime.timedelta(days=n) for n in range(40)]
    found, said = form_of(tmp_path, [day.strftime(form) for day in days])
    assert found == form
    assert all(form in text for text, _ in said)


def test_dates_that_tell_nothing_have_the_usual_order_and_a_doubt(tmp_path: Path) -> None:
    found, said = form_of(tmp_path, ["01-01-01", "02-02-02", "12-12-12"])
    assert found == "%d-%m-%y"
    ((text, setting),) = said
    assert text == "the day may come first or the year: %d-%m-%y, %m-%d-%y, %y-%m-%d read all of its dates"
    assert setting == 'date_format = { t = "%m-%d-%y" }'


def test_a_year_of_four_digits_is_not_mistaken(tmp_path: Path) -> None:
    assert form_of(tmp_path, ["2024/1/2", "2024/1/3"])[0] == "%Y/%m/%d"
    assert form_of(tmp_path, ["1/2/2024", "2/3/2024"])[1][0][0].startswith("the day may come first or the month: both")
