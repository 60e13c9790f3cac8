import pytest

from crossnet.pipeline.init.cell_forms import COMMA_DECIMAL, GROUPED, is_date, is_number, is_typed


@pytest.mark.parametrize("cell", ["1", "-1.5", "+3", ".5", "1e-3", "0,5", "1.234,5", "1,234,567", "1 234", "5 %", "$5"])
def test_numbers_of_every_usual_form_are_numbers(cell):
    assert is_number(cell)
    assert is_typed(cell)


@pytest.mark.parametrize("cell", ["north", "a1", "12a", "1-2", "", "x,y"])
def test_words_and_codes_are_not_numbers(cell):
    assert not is_number(cell)


def test_groups_have_three_digits():
    assert GROUPED[","].fullmatch("12,345.67")
    assert not GROUPED[","].fullmatch("12,34")
    assert not GROUPED[","].fullmatch("1234,567")
    assert GROUPED["\u00a0"].fullmatch("1\u00a0234")


def test_a_decimal_comma_may_follow_groups_of_points():
    assert all(COMMA_DECIMAL.fullmatch(cell) for cell in ("0,5", ",5", "-1.234,5", "1.234.567,89"))
    assert not COMMA_DECIMAL.fullmatch("1,234,567")


def test_dates_have_a_known_form():
    assert all(map(is_date, ["1/2/2026", "2026-01-02T10:00:00Z", "2 Jan 2026", "10:30", "1.2.26 3:04 pm"]))
    assert not is_date("1-800-5555")
