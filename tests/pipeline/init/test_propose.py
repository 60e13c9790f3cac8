import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossnet.components.errors import DataError
from crossnet.pipeline.init.propose import list_columns, propose
from crossnet.pipeline.init.tables import find_table, resolve_label


def proposed(tmp_path, text, label="y", name="rides.csv"):
    (tmp_path / name).write_text(text)
    table = find_table(tmp_path / name)
    return propose(table, resolve_label(table, label, list(list_columns(table))))


def table_of(header, rows):
    return header + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)


def noise(seed=0):
    draw = random.Random(seed)
    return lambda: round(draw.gauss(0, 1), 3)


def test_the_label_and_each_column_have_their_facts(tmp_path):
    draw = noise()
    rows = [(f"r{n}", "ab"[n % 2], n % 5 or "", draw(), draw() if n else "") for n in range(300)]
    proposal = proposed(tmp_path, table_of("ride id,zone,seats,x,y", rows))
    facts = [(c.name, c.type, c.holes, c.distinct) for c in proposal.columns]
    assert facts[:3] == [("ride_id", "text", 0, 300), ("zone", "text", 0, 2), ("seats", "whole number", 60, 4)]
    assert (proposal.label, proposal.rows, proposal.columns[-1].holes) == ("y", 300, 1)
    assert proposal.label_std == pytest.approx(1, abs=0.2)
    assert proposal.settings == {"exclude": ["ride_id"]}
    assert proposal.reasons["exclude"] == "not features: no value occurs twice (ride_id)"
    assert ("rows without a label are left out: 1 of 300", 'unlabelled = "error"') in proposal.notes


def test_rows_of_one_group_stay_in_one_split(tmp_path):
    draw = noise()
    levels = [3 * draw() for _ in range(100)]
    rows = [(1000 + 37 * (n % 100) % 3701, draw(), round(levels[n % 100] + draw(), 3)) for n in range(1000)]
    proposal = proposed(tmp_path, table_of("customer,x,y", rows))
    settings = [proposal.settings[name] for name in ("split", "split_column", "group")]
    assert settings == ["key", "customer", "customer"]
    assert "10 rows per customer, and 9" in proposal.reasons["split"]
    assert any('split = "hash"' in doubt.line for doubt in proposal.columns[0].doubts)


def test_a_number_that_the_label_follows_is_not_a_group(tmp_path):
    draw = noise()
    rows = [(n % 100, draw(), round(3 * (n % 100) + draw(), 3)) for n in range(1000)]
    assert "split" not in proposed(tmp_path, table_of("size,x,y", rows)).settings


def test_rows_in_the_order_of_a_time_are_split_by_it(tmp_path):
    draw = noise()
    rows = [(f"2026-01-{n // 20 + 1:02}", draw(), draw()) for n in range(600)]
    proposal = proposed(tmp_path, table_of("sold,x,y", rows))
    assert (proposal.settings["split"], proposal.settings["split_column"]) == ("time", "sold")
    assert proposal.reasons["split"] == "the rows are sorted by sold: the newest are eval"


def test_rows_in_the_order_of_the_label_are_said(tmp_path):
    draw = noise()
    rows = sorted([(draw(), draw()) for _ in range(300)], key=lambda row: row[1])
    proposal = proposed(tmp_path, table_of("x,y", rows))
    assert any(
        note.text.startswith("the rows are sorted by the label (its values only rise)") for note in proposal.notes
    )


def test_few_rows_are_split_so_that_no_split_is_empty(tmp_path):
    proposal = proposed(tmp_path, "x,y\n1,2\n2,3\n3,4\n")
    assert (proposal.settings["split"], proposal.settings["eval_fraction"]) == ("order", 0.334)


def test_rows_that_repeat_are_split_so_that_no_split_is_empty(tmp_path):
    proposal = proposed(tmp_path, "x,y\n" + "1,2\n2,3\n" * 30)
    assert proposal.settings["split"] == "order"
    assert proposal.reasons["split"] == "60 rows, 2 different ones: by hash, a split may be empty"


def test_rows_that_are_equal_but_for_a_key_are_said(tmp_path):
    draw = noise()
    values = [(n * 7, draw(), draw()) for n in range(200)]
    proposal = proposed(tmp_path, table_of("ride_id,x,z,y", [(n, *values[n % 200]) for n in range(400)]))
    assert (
        "50 % of the rows equal another one but for `ride_id`: by hash, they may be in both splits",
        'split = "key" and split_column = "x"',
    ) in proposal.notes


def test_a_feature_is_left_whatever_is_excluded(tmp_path):
    proposal = proposed(tmp_path, table_of("id,name,y", [(n, f"n{n}", n % 7) for n in range(100)]))
    assert proposal.settings["exclude"] == ["name"]
    assert proposal.columns[0].decided.startswith("kept, since no other feature is left")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "x,y\n1,red\n2,blue\n",
            r"label `y` is text in all 2 cells \(first: 'red' in `rides\.csv:2`\).* predicts numbers",
        ),
        ("x,y\n1,5\n2,5\n", r"label `y` has one value, 5, in all 2 rows that have one: there is nothing to predict"),
        ("x,y\n1,\n2,\n", r"the label `y` is empty in all 2 rows\. Name a column of numbers with --label: `x`\."),
        ("x,y\n", r"`rides.csv` .*no rows"),
        ("y\n1\n2\n", r"The table has one column, `y`, the label\. Expected one more"),
    ],
)
def test_a_label_that_cannot_be_predicted_is_refused_in_a_sentence(tmp_path, text, sentence):
    with pytest.raises(DataError, match=sentence):
        proposed(tmp_path, text)


def test_parquet_has_its_columns_nan_and_lists(tmp_path):
    draw = noise()
    table = pa.table(
        {
            "x": [float("nan"), 1.5, None] * 20,
            "l": [[1.0, 2.0]] * 60,
            "zone": ["a", "b", "c"] * 20,
            "y": [draw() for _ in range(60)],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    found = find_table(tmp_path / "a.parquet")
    proposal = propose(found, "y")
    assert [(c.name, c.type, c.holes) for c in proposal.columns[:3]] == [
        ("x", "number", 40), ("l", "list", 0), ("zone", "text", 0)
    ]  # fmt: skip
    assert proposal.settings["nan"] == "missing"


def test_cells_of_other_files_have_no_setting_and_are_said(tmp_path):
    draw = noise()
    cells = [f"{n / 7:.2f}" for n in range(60)]
    table = pa.table({"x": [*cells, "NA"], "z": [draw() for _ in range(61)], "y": [draw() for _ in range(61)]})
    pq.write_table(table, tmp_path / "a.parquet")
    proposal = propose(find_table(tmp_path / "a.parquet"), "y")
    assert "null_values" not in proposal.settings
    assert any(
        "it is read as it is: x has 1 such cell, first 'NA' in" in doubt.text for doubt in proposal.columns[0].doubts
    )


def test_columns_are_listed_with_their_types_without_a_label(tmp_path):
    (tmp_path / "a.csv").write_text("zone,miles,fare\na,1,2.5\nb,2,3.5\n")
    assert list_columns(find_table(tmp_path / "a.csv")) == {
        "zone": "text", "miles": "whole number", "fare": "number"
    }  # fmt: skip


def test_times_below_a_second_are_looked_at_in_the_unit_that_holds_them(tmp_path):
    table = pa.table({"wait": pa.array([n * 250 for n in range(300)], pa.duration("ms")), "y": range(300)})
    pq.write_table(table, tmp_path / "rides.parquet")
    proposal = propose(find_table(tmp_path / "rides.parquet"), "y")
    assert [(column.name, column.distinct) for column in proposal.columns] == [("wait", 300), ("y", 300)]
