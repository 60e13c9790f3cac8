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


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "x,y\n1,red\n2,blue\n",
            r"label `y` is text in all 2 cells \(first: 'red' in `rides\.csv:2`\).* predicts numbers",
        ),
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
