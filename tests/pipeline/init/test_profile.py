import math

import numpy as np
import pyarrow as pa
import pytest

from crossnet.pipeline.init.profile import profile_table


def profile(columns, label="y", batch=7):
    rows = len(columns[label])
    batches = (
        (0, start, {name: array.slice(start, batch) for name, array in columns.items()})
        for start in range(0, rows, batch)
    )
    return profile_table(batches, list(columns), label)


def cells(values):
    return pa.array([None if value == "" else str(value).encode() for value in values], pa.binary())


def test_the_label_has_its_holes_mean_and_deviation_also_far_from_zero():
    values = [1e9 + n for n in range(10)]
    table = profile({"y": cells([*values, "", "x"])})
    assert (table.rows, table.columns["y"].holes, table.numbers.count) == (12, 1, 10)
    assert table.numbers.mean == pytest.approx(np.mean(values))
    assert table.numbers.variance == pytest.approx(np.var(values))


@pytest.mark.parametrize(
    ("values", "order"),
    [
        (range(20), "up"),
        (range(20, 0, -1), "down"),
        ([1] * 20, ""),
        ([*range(19), 3], ""),
        ([f"2026-01-{day:02}" for day in range(1, 21)], "up"),
        ([f"{day}/1/2026" for day in range(1, 21)], "up"),
        ([1, 2, "", *range(3, 20)], "up"),
    ],
)
def test_sorted_columns_are_known(values, order):
    columns = {"x": cells(values), "y": cells(range(20))}
    assert profile(columns, batch=15).columns["x"].order == order


def test_numbers_that_are_not_text_have_nan_and_infinity_counted():
    columns = {"x": pa.array([1.5, math.nan, math.inf, None], pa.float32()), "y": pa.array([1.0, 2, 3, 4])}
    column = profile(columns).columns["x"]
    assert (column.rows, column.holes, column.nan, column.infinite) == (4, 1, 1, 1)
    assert (column.least, column.most) == (1.5, 1.5)


@pytest.mark.parametrize("array", [cells([1, "-" + "9" * 250, "1e39", 3e38]), pa.array([1.0, -1e250, 1e39, 3e38])])
def test_numbers_that_float32_cannot_hold_are_infinite_as_in_a_run(array):
    table = profile({"x": array, "y": array})
    assert (table.columns["x"].infinite, table.columns["x"].least, table.columns["x"].most) == (2, 1, 3e38)
    assert (table.numbers.count, table.columns["y"].infinite) == (2, 2)
    assert math.isfinite(table.numbers.variance)


def test_lists_are_only_known_to_be_lists():
    columns = {"x": pa.array([[1.0, 2.0], None], pa.large_list(pa.float32())), "y": pa.array([1.0, 2.0])}
    column = profile(columns).columns["x"]
    assert (column.is_list, column.has_several, column.holes) == (True, True, 1)
    columns["x"] = pa.array([[1.0], []], pa.list_(pa.float32()))
    assert profile(columns).columns["x"].has_several is False


def test_distinct_values_and_groups_are_those_of_all_batches():
    columns = {"x": cells([n % 3 for n in range(30)]), "y": cells(range(30))}
    sample = profile(columns).columns["x"].sample
    assert (sample.distinct, sample.rows_per_value) == (3, 10)


def test_rows_that_are_equal_are_known_with_and_without_a_key():
    rows = [(n, n % 5, n % 3 / 7) for n in range(60)]
    columns = {name: cells([row[i] for row in rows]) for i, name in enumerate(("id", "x", "y"))}
    table = profile(columns, batch=20)
    assert (table.whole_rows.distinct, table.keys, table.rows_but_keys.distinct) == (60, ("id",), 15)
    assert table.rows_but_keys.rows_per_value == 4


def test_equal_values_in_other_columns_are_another_row():
    columns = {"x": cells([1, 2]), "z": cells([2, 1]), "y": cells([5, 5])}
    assert profile(columns).whole_rows.distinct == 2


def test_cells_that_are_not_utf8_are_read_with_a_mark_in_their_place():
    columns = {"x": pa.array([b"\xff", b"a"]), "y": cells([1, 2])}
    assert dict(profile(columns).columns["x"].cells.words["other"]) == {"\ufffd": 1, "a": 1}
