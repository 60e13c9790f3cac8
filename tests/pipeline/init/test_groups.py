import random

import pyarrow as pa
import pytest

from crossnet.pipeline.init.groups import are_crossed, find_alike, name_rank
from support.init_tables import noise, proposed, table_of


def test_a_number_that_the_label_follows_is_not_a_group(tmp_path):
    draw = noise()
    rows = [(n % 100, draw(), round(3 * (n % 100) + draw(), 3)) for n in range(1000)]
    assert "split" not in proposed(tmp_path, table_of("size,x,y", rows)).settings


def test_a_measurement_that_is_0_in_most_rows_is_not_a_group(tmp_path):
    draw = random.Random(0)
    areas = [0 if n % 5 < 3 else draw.choice((16, 40, 85)) + draw.randrange(300) for n in range(2500)]
    rows = [(area, draw.random(), round(100 + 60 * draw.random() * (1 if area == 0 else 5), 2)) for area in areas]
    proposal = proposed(tmp_path, table_of("veneer_area,x,y", rows))
    assert not {"split", "group"} & proposal.settings.keys()


def test_whole_numbers_of_many_rows_each_without_order_are_a_group_whatever_their_name(tmp_path):
    draw, level = noise(), noise(1)
    levels = [2 * level() for _ in range(200)]
    rows = [(n % 200, draw(), round(levels[n % 200] + draw(), 3)) for n in range(3000)]
    proposal = proposed(tmp_path, table_of("v,x,y", rows))
    assert proposal.settings["group"] == "v"
    assert proposal.reasons["split"].startswith("15 rows per v")


def test_a_category_of_text_stays_a_feature_and_a_code_of_people_is_a_group(tmp_path):
    draw, level = noise(), noise(1)
    levels = [2 * level() for _ in range(100)]
    rows = [(f"m{n % 100}", draw(), round(levels[n % 100] + draw(), 3)) for n in range(2000)]
    assert "group" not in proposed(tmp_path, table_of("model,x,y", rows)).settings
    assert proposed(tmp_path, table_of("patient,x,y", rows)).settings["group"] == "patient"


@pytest.mark.parametrize(
    ("name", "rank"),
    [
        ("userId", 0), ("USER_ID", 0), ("customer", 0), ("custid", 0), ("Customer Number", 0), ("patient_no", 0),
        ("order_id", 1), ("movieId", 1), ("id", 1), ("uuid", 1),
        ("n_customers", 2), ("num_user", 2), ("customer_age", 2), ("zip_code", 2), ("flight", 2), ("valid", 2),
        ("new_customer", 2), ("Mas_Vnr_Area", 2), ("", 2), ("größe", 2),
    ],
)  # fmt: skip
def test_a_name_says_what_a_column_may_be(name, rank):
    assert name_rank(name) == rank


def test_columns_cross_where_neither_is_part_of_the_other():
    def batches(one, other):
        for start in range(0, 3000, 500):
            columns = {"a": pa.array(one[start : start + 500]), "b": pa.array(other[start : start + 500])}
            yield 0, start, columns

    draw = random.Random(0)
    users = [n % 60 for n in range(3000)]
    assert are_crossed(batches(users, [f"p{draw.randrange(40)}" for _ in users]), "a", "b")
    assert not are_crossed(batches(users, [f"city {user % 7}" for user in users]), "a", "b")


def visits(draw, *, alike):
    """Rows of 400 people, 3 visits each, under a number whose name says nothing."""
    people = [
        (draw.randrange(100_000), draw.randrange(2), draw.choice("abc"), draw.randrange(30), draw.gauss(0, 2))
        for _ in range(400)
    ]
    others = people if alike else random.Random(1).sample(people, 400)
    rows = [
        (number, *(mine if alike else others[(n + 7 * visit) % 400])[1:4], visit, round(level + draw.gauss(0, 1), 3))
        for n, mine in enumerate(people)
        for visit in range(3)
        for number, level in [(mine[0], mine[4])]
    ]
    return table_of("zper,sex,plan,age,visit,y", rows)


def test_a_number_of_few_rows_in_which_other_columns_are_alike_is_a_doubt(tmp_path):
    proposal = proposed(tmp_path, visits(random.Random(0), alike=True))
    assert not {"split", "group"} & proposal.settings.keys()
    (doubt,) = next(column for column in proposal.columns if column.name == "zper").doubts
    assert doubt.text.startswith(
        "rows may belong to it: its 3 rows per value are alike in 3 other columns, such as `sex`"
    )
    assert doubt.setting == 'group = "zper"'
    proposal = proposed(tmp_path, visits(random.Random(0), alike=False))
    assert not any(column.doubts for column in proposal.columns)


def test_few_values_of_columns_are_not_alike_because_there_are_no_more_of_them():
    draw = random.Random(0)
    own = [0 if n % 20 else draw.randrange(300) for n in range(12_000)]  # as the area of a porch
    columns = {f"kind{n}": [draw.randrange(10) < 3 for _ in own] for n in range(4)}
    batches = [(0, 0, {"own": pa.array(own)} | {name: pa.array(values) for name, values in columns.items()})]
    assert find_alike(batches, "own", columns, 300) == []


def test_columns_that_hardly_differ_at_all_are_not_alike_in_rows_of_one_value():
    draw = random.Random(0)
    own = [draw.randrange(2000) for _ in range(6000)]
    columns = {f"rare{n}": [int(draw.random() < 0.0005) for _ in own] for n in range(4)}
    columns |= {f"lists{n}": [[1.0]] * 6000 for n in range(4)}
    columns |= {f"told{n}": [value * 11 % (5 + n) for value in own] for n in range(4)}
    batches = [(0, 0, {"own": pa.array(own)} | {name: pa.array(values) for name, values in columns.items()})]
    assert find_alike(batches, "own", columns, 2000) == ["told0", "told1", "told2", "told3"]
    assert find_alike(batches, "own", columns, 10**6) == []  # too few rows are looked at
    assert find_alike(batches, "own", ["told0", "told1"], 2000) == []
    assert find_alike(batches, "lists0", ["told0"], 1) == []
