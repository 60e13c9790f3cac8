import math
import random

import pytest

from crossnet.components.errors import DataError
from support.init_tables import noise, proposed, table_of


def test_rows_in_the_order_of_the_label_are_said(tmp_path):
    draw = noise()
    rows = sorted([(draw(), draw()) for _ in range(300)], key=lambda row: row[1])
    proposal = proposed(tmp_path, table_of("x,y", rows))
    assert any(
        note.text.startswith("the rows are sorted by the label (its values only rise)") for note in proposal.notes
    )


def test_the_order_of_a_few_rows_is_not_said(tmp_path):
    proposal = proposed(tmp_path, table_of("x,y", [(0.5, 1), (0.25, 2), (0.75, 3)]))
    assert not [note for note in proposal.notes if "sorted" in note.text]


def doubts(proposal, text):
    return {doubt.column: doubt.setting for column in proposal.columns for doubt in column.doubts if text in doubt.text}


def test_a_feature_made_from_the_label_is_doubted(tmp_path):
    draw = random.Random(0).random
    rows = []
    for _ in range(300):
        price, area = round(100 + 900 * draw(), 2), round(50 + 100 * draw())
        rows.append((price, f"{math.log(price):.6f}", round(1000 - price), area, round(price / 100), price / area))
    proposal = proposed(tmp_path, table_of("y,log_price,discount,area,class,rate", rows))
    assert doubts(proposal, "is it made from the label") == {
        "log_price": 'exclude = ["log_price", "discount"]',
        "discount": 'exclude = ["log_price", "discount"]',
    }


def test_a_feature_whose_mean_label_rises_is_not_doubted(tmp_path):
    draw = noise()
    rows = [(level + 2 * draw(), level, draw()) for level in range(12) for _ in range(40)]
    assert not doubts(proposed(tmp_path, table_of("y,level,x", rows)), "is it made")


def test_an_infinite_label_is_doubted_and_not_said_to_be_left_out(tmp_path):
    proposal = proposed(tmp_path, table_of("y,x", [(x, x) for x in range(50)] + [("inf", 5)]))
    assert doubts(proposal, "1 label infinite, or beyond 3.4e+38, which stops the run") == {"y": ""}
    assert not any("without a label" in note.text for note in proposal.notes)


def test_the_only_feature_is_not_doubted(tmp_path):
    rows = [(2 * x, x) for x in range(50)]
    assert not doubts(proposed(tmp_path, table_of("y,x", rows)), "is it made")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "x,y\n1,red\n2,blue\n",
            r"label `y` is text in all 2 cells \(first: 'red' in `rides\.csv:2`\).* predicts numbers",
        ),
        (
            "x,y\n1,true\n2,false\n",
            r"label `y` is true or false in all 2 cells \(first: 'true' in `rides\.csv:2`\).* not classes",
        ),
        ("x,y\n1,NA\n2,NA\n", r"label `y` is 'NA' in all rows, which is a missing value\. Name a column"),
        ("x,y\n1,nan\n2,NA\n", r"label `y` is 'nan' or 'NA' in all rows, which is a missing value\. Name a column"),
        ("x,y\n1,inf\n2,-inf\n3,\n", r"the label `y` is infinite in all rows that have one\. Name a column of numbers"),
        ("x,y\n1,5\n2,5\n", r"label `y` has one value, 5, in all 2 rows that have one: there is nothing to predict"),
        ("x,y\n1,5\n", r"label `y` has one value, 5, in the only row that has one: there is nothing to predict"),
        ("x,y\n1,\n2,\n", r"the label `y` is empty in all 2 rows\. Name a column of numbers with --label: `x`\."),
        ("x,y\n", r"`rides.csv` .*no rows"),
        ("y\n1\n2\n", r"The table has one column, `y`, the label\. Expected one more"),
    ],
)
def test_a_label_that_cannot_be_predicted_is_refused_in_a_sentence(tmp_path, text, sentence):
    with pytest.raises(DataError, match=sentence):
        proposed(tmp_path, text)
