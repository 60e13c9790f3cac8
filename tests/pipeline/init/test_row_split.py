import random

import pytest

from crossnet.components.params.evaluator import EvaluatorParams
from crossnet.components.training import checks
from crossnet.pipeline.init import row_split
from support.init_tables import noise, proposed, table_of


def test_rows_of_one_group_stay_in_one_split(tmp_path):
    draw = noise()
    levels = [3 * draw() for _ in range(100)]
    rows = [(1000 + 37 * (n % 100) % 3701, draw(), round(levels[n % 100] + draw(), 3)) for n in range(1000)]
    proposal = proposed(tmp_path, table_of("customer,x,y", rows))
    settings = [proposal.settings[name] for name in ("split", "split_column", "group")]
    assert settings == ["key", "customer", "customer"]
    assert "10 rows per customer, and 9" in proposal.reasons["split"]
    assert any('split = "hash"' in doubt.setting for doubt in proposal.columns[0].doubts)


def test_rows_in_the_order_of_a_time_are_split_by_it(tmp_path):
    draw = noise()
    rows = [(f"2026-01-{n // 20 + 1:02}", draw(), draw()) for n in range(600)]
    proposal = proposed(tmp_path, table_of("sold,x,y", rows))
    assert (proposal.settings["split"], proposal.settings["split_column"]) == ("time", "sold")
    assert proposal.reasons["split"] == "the rows are sorted by sold: the newest are eval"


def test_few_rows_are_split_so_that_no_split_is_empty(tmp_path):
    proposal = proposed(tmp_path, "x,y\n1,2\n2,3\n3,4\n")
    assert (proposal.settings["split"], proposal.settings["eval_fraction"]) == ("order", 0.334)


@pytest.mark.parametrize(("rows", "share"), [(60, 0.45), (70, 0.43), (99, 0.31), (100, 0.3), (334, 0.3), (400, 0.25)])
def test_eval_has_enough_rows_for_the_gate_also_by_chance(tmp_path, rows, share):
    draw = noise()
    proposal = proposed(tmp_path, table_of("x,y", [(draw(), draw()) for _ in range(rows)]))
    assert proposal.settings["eval_fraction"] == share
    assert not proposal.notes


def test_few_rows_are_said(tmp_path):
    draw = noise()
    proposal = proposed(tmp_path, table_of("x,y", [*((draw(), draw()) for _ in range(59)), (draw(), "")]))
    text = "59 rows with a label are few: training asks for 30 in train, and the gate for 20 in eval; give 60 or more"
    assert ("", text, "") in proposal.notes
    assert proposal.settings["eval_fraction"] == 0.3


def test_few_rows_are_said_in_the_numbers_of_training_and_gate():
    assert (checks.MIN_ROWS, EvaluatorParams().min_eval_rows) == (row_split._MIN_TRAIN, row_split._MIN_EVAL)


def test_rows_that_repeat_are_split_so_that_no_split_is_empty(tmp_path):
    proposal = proposed(tmp_path, "x,y\n" + "1,2\n2,3\n" * 30)
    assert proposal.settings["split"] == "order"
    assert proposal.reasons["split"] == "60 rows, 2 different ones: by hash, a split may be empty"


def test_rows_that_are_equal_but_for_a_key_are_said(tmp_path):
    draw = noise()
    values = [(n * 7, draw(), draw()) for n in range(200)]
    proposal = proposed(tmp_path, table_of("ride_id,x,z,y", [(n, *values[n % 200]) for n in range(400)]))
    assert (
        "",
        "50 % of the rows equal another one but for `ride_id`: by hash, they may be in both splits",
        'split = "key" and split_column = "x"',
    ) in proposal.notes


def test_users_of_many_rows_are_the_group(tmp_path):
    draw = noise()
    levels = [draw() for _ in range(100)]  # a fifth of the label's variance is the user's
    rows = [(n % 100, draw(), round(levels[n % 100] + 2 * draw(), 3)) for n in range(5000)]
    proposal = proposed(tmp_path, table_of("user_id,x,y", rows))
    settings = [proposal.settings[name] for name in ("split", "split_column", "group", "eval_fraction")]
    assert settings == ["key", "user_id", "user_id", 0.3]
    assert proposal.reasons["eval_fraction"] == "some 30 of 100 values of user_id: models are judged by about 30"


@pytest.mark.parametrize(("users", "said"), [(46, "eval has some 14 of 46 values of user_id, and an interval needs 20"),
                                             (60, "")])  # fmt: skip
def test_models_are_judged_by_value_where_groups_are_few(tmp_path, users, said):
    draw = noise()
    levels = [draw() for _ in range(users)]
    rows = [(n % users, draw(), round(levels[n % users] + draw(), 3)) for n in range(1500)]
    proposal = proposed(tmp_path, table_of("user_id,x,y", rows))
    assert proposal.settings["group"] == "user_id"
    assert proposal.few_groups == said
    notes = [note for note in proposal.notes if note.setting == "allow_few_groups = false"]
    assert [note.text for note in notes] == [f"{said}: models are judged by value"] * bool(said)


def test_users_that_say_little_of_a_row_but_much_of_many_are_the_group(tmp_path):
    draw = noise()
    levels = [0.23 * draw() for _ in range(60)]  # a twentieth of the label's variance
    rows = [(n % 60, draw(), round(levels[n % 60] + draw(), 3)) for n in range(6000)]
    assert proposed(tmp_path, table_of("user,x,y", rows)).settings["group"] == "user"
    rows = [(user, x, draw()) for user, x, _ in rows]
    assert "group" not in proposed(tmp_path, table_of("user,x,y", rows)).settings


def test_orders_of_a_customer_belong_to_the_customer(tmp_path):
    draw = noise()
    levels = [2 * draw() for _ in range(150)]
    rows = [(n // 2, n // 12, draw(), round(levels[n // 12] + draw(), 3)) for n in range(1800)]
    proposal = proposed(tmp_path, table_of("order_id,customer_id,x,y", rows))
    assert proposal.settings["group"] == "customer_id"
    assert not proposal.notes


def test_users_and_products_that_cross_are_features_both_and_it_is_said(tmp_path):
    draw, pick = noise(), random.Random(1)
    users, products = ([draw() for _ in range(size)] for size in (80, 250))
    rows = []
    for n in range(4000):
        user, product = n % 80, pick.randrange(250)
        rows.append((user, product, round(users[user] + products[product] + draw(), 3)))
    proposal = proposed(tmp_path, table_of("userId,productId,y", rows))
    assert not {"split", "group"} & proposal.settings.keys()
    (note,) = proposal.notes
    assert note.text.startswith("rows belong to both userId and productId, so eval has rows of each that train knows")
    assert note.setting == 'group = "userId"'


@pytest.mark.parametrize(
    ("rows", "share", "reason"),
    [
        (
            60,
            0.45,
            "some 27 of 60 different rows: about 100 would be better to judge models by, but train needs rows too",
        ),
        (300, 0.3, "some 90 of 300 different rows: about 100 would be better"),
        (500, 0.2, "some 100 of 500 different rows: models are judged by about 100"),
        (960, 0.11, "some 106 of 960 different rows: models are judged by about 100"),
        (1000, None, ""),
    ],
)
def test_eval_has_about_100_rows_of_a_small_table(tmp_path, rows, share, reason):
    draw = noise()
    proposal = proposed(tmp_path, table_of("x,y", [(n / 7, draw()) for n in range(rows)]))
    assert proposal.settings.get("eval_fraction") == share
    assert proposal.reasons.get("eval_fraction", "").startswith(reason)
