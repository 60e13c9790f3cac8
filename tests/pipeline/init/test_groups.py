import random

import pyarrow as pa
import pytest

from crossnet.pipeline.init.groups import are_crossed, name_rank
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
