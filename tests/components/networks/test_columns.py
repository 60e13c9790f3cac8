from crossnet.components.networks.columns import KeyColumn, NumberColumn, TextColumn


def test_periods_are_whole_numbers_of_the_columns_unit() -> None:
    column = NumberColumn("t", "INT", True, cycles=("year", "week", "day"), unit="ms")
    assert column.periods == (31_556_952_000, 604_800_000, 86_400_000)


def test_tables_have_a_row_for_other_values_and_one_for_missing_ones() -> None:
    assert TextColumn("s", False, ("", "x"), 2).rows == 3
    assert KeyColumn("k", True, (1, 2), 2).rows == 3
    assert KeyColumn("k", False, (1, 2), 2).rows == 4
