import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossnet.components.errors import DataError
from crossnet.pipeline.init.config_text import config_text
from crossnet.pipeline.init.propose import list_columns, propose
from crossnet.pipeline.init.tables import find_table, plan_table
from support.init_tables import noise, proposed, table_of


def test_the_label_and_each_column_have_their_facts(tmp_path):
    draw = noise()
    rows = [(f"r{n}", "ab"[n % 2], n % 5 or "", draw(), draw() if n else "") for n in range(300)]
    proposal = proposed(tmp_path, table_of("ride id,zone,seats,x,y", rows))
    facts = [(c.name, c.type, c.holes, c.distinct) for c in proposal.columns]
    assert facts[:3] == [("ride_id", "text", 0, 300), ("zone", "text", 0, 2), ("seats", "whole number", 60, 4)]
    assert (proposal.label, proposal.rows, proposal.columns[-1].holes) == ("y", 300, 1)
    assert proposal.label_std == pytest.approx(1, abs=0.2)
    assert proposal.settings == {"exclude": ["ride_id"], "eval_fraction": 0.3}
    assert proposal.reasons["exclude"] == "not features: no value occurs twice (ride_id)"
    assert ("", "rows without a label are left out: 1 of 300", 'unlabelled = "error"') in proposal.notes


def test_a_feature_is_left_whatever_is_excluded(tmp_path):
    proposal = proposed(tmp_path, table_of("id,name,y", [(n, f"n{n}", n % 7) for n in range(100)]))
    assert proposal.settings["exclude"] == ["name"]
    assert proposal.columns[0].decided.startswith("kept, since no other feature is left")


def test_a_table_of_a_label_and_objects_is_refused_with_the_objects(tmp_path):
    pq.write_table(pa.table({"o": [{"p": 1}] * 27, "y": [1.0, 2.0, 3.0] * 9}), tmp_path / "a.parquet")
    said = "one column that is read, `y`, the label; objects, as in `o`, are not read. Expected one more, to learn from"
    with pytest.raises(DataError, match=said):
        propose(find_table(tmp_path / "a.parquet"), "y")


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
    assert proposal.excluded == {"l": "lists of several values, and a model takes one per row"}


def test_cells_of_other_files_have_no_setting_and_are_said(tmp_path):
    draw = noise()
    cells = [f"{n / 7:.2f}" for n in range(60)]
    table = pa.table({"x": [*cells, "NA"], "z": [draw() for _ in range(61)], "y": [draw() for _ in range(61)]})
    pq.write_table(table, tmp_path / "a.parquet")
    proposal = propose(find_table(tmp_path / "a.parquet"), "y")
    assert "null_values" not in proposal.settings
    assert any(
        "98.4 % of its values are numbers, and others are not (first: 'NA'); write null" in doubt.text
        for doubt in proposal.columns[0].doubts
    )


def test_lists_of_one_value_are_features(tmp_path):
    draw = noise()
    table = pa.table({"l": [[float(n % 9)] for n in range(60)], "x": range(60), "y": [draw() for _ in range(60)]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert "l" not in propose(find_table(tmp_path / "a.parquet"), "y").excluded


def test_columns_are_listed_with_their_types_without_a_label(tmp_path):
    (tmp_path / "a.csv").write_text("zone,miles,fare\na,1,2.5\nb,2,3.5\n")
    assert list_columns(find_table(tmp_path / "a.csv")) == {
        "zone": "text", "miles": "whole number", "fare": "number"
    }  # fmt: skip


def test_large_whole_numbers_are_distinct_and_what_records_lose_is_said(tmp_path):
    draw = noise()
    ids = {"id": [2**62 + n for n in range(60)], "code": [None, *(1e9 + n for n in range(59))]}
    pq.write_table(pa.table({**ids, "y": [draw() for _ in range(60)]}), tmp_path / "a.parquet")
    found = propose(find_table(tmp_path / "a.parquet"), "y").columns[:2]
    assert (found[0].distinct, found[0].decided) == (60, "left out: no value occurs twice")
    assert [(doubt.text, doubt.setting) for doubt in found[1].doubts] == [
        ("has numbers of more digits than float32 keeps, which is about 7 (such as 1000000001.0)", 'integer = ["code"]')
    ]


def test_a_table_with_points_and_commas_before_fractions_is_read_with_what_init_proposes(tmp_path):
    rows = [(f"{n % 7},{n % 10}", f"{1 + n % 9}.{250 + n}") for n in range(60)]
    (tmp_path / "a.csv").write_text("x;y\n" + "".join(f"{x};{y}\n" for x, y in rows))
    table = find_table(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("x;y\n" + "".join(f"{x};{y}\n" for x, y in [*rows, ("0,5", "0.5")]))
    proposal = propose(table, "y")
    assert proposal.settings["decimal"] == ",."
    batches = list(plan_table(table, "y", proposal.settings).read(0, 1))
    assert [batch.rows["y"][0].as_py() for batch in batches] == [pytest.approx(1.25)]
    with pytest.raises(
        DataError, match=r"`y` is '1\.250', expected a number\. Fix the cell, or set `example_gen\.deci"
    ):
        list(plan_table(table, "y", {**proposal.settings, "decimal": ","}).read(0, 1))


def test_times_below_a_second_are_looked_at_in_the_unit_that_holds_them(tmp_path):
    table = pa.table({"wait": pa.array([n * 250 for n in range(300)], pa.duration("ms")), "y": range(300)})
    pq.write_table(table, tmp_path / "rides.parquet")
    proposal = propose(find_table(tmp_path / "rides.parquet"), "y")
    assert [(column.name, column.distinct) for column in proposal.columns] == [("wait", 300), ("y", 300)]


def test_cells_of_files_in_folders_that_name_columns_are_looked_at(tmp_path):
    draw = noise()
    for zone in "ab":
        (tmp_path / "rides" / f"zone={zone}").mkdir(parents=True)
        cells = ["NA" if n == 70 else draw() for n in range(300)]
        text = table_of("x,sold,y", [(x, f"{n % 28 + 1:02}.01.2026", draw()) for n, x in enumerate(cells)])
        (tmp_path / "rides" / f"zone={zone}" / "part.csv").write_text(text)
    proposal = propose(find_table(tmp_path / "rides"), "y")
    assert proposal.settings["null_values"] == ["", "NA"]
    assert proposal.reasons["null_values"] == "x has 2 such cells, first 'NA' in `zone=a/part.csv:72`"
    assert proposal.settings["date_format"] == {"sold": "%d.%m.%Y"}
    assert [(c.name, c.type, c.distinct) for c in proposal.columns if c.name in ("sold", "zone")] == [
        ("sold", "date or time", 28), ("zone", "text", 2)
    ]  # fmt: skip


def test_folders_of_parquet_files_name_columns(tmp_path):
    draw = noise()
    for day in range(1, 13):
        folder = tmp_path / "rides" / f"day=2026-01-{day:02}"
        folder.mkdir(parents=True)
        pq.write_table(
            pa.table({"x": [draw() for _ in range(20)], "y": [draw() for _ in range(20)]}), folder / "0.parquet"
        )
    proposal = propose(find_table(tmp_path / "rides"), "y")
    assert [(c.name, c.type) for c in proposal.columns] == [("x", "number"), ("y", "number"), ("day", "date or time")]
    assert (proposal.settings["split"], proposal.settings["split_column"]) == ("time", "day")


def test_a_column_whose_name_says_so_may_weigh_rows(tmp_path):
    draw = noise()
    header = "Sample Weight,weight,wt,negative_weight,weight_class,y"
    rows = [[n % 5, 1 + n % 7 / 2, "ab"[n % 2], draw(), n % 3, draw()] for n in range(200)]
    found = proposed(tmp_path, table_of(header, rows))
    assert found.weights == ["Sample_Weight", "weight"]
    assert "weight" not in found.settings
    table = find_table(tmp_path / "rides.csv")
    text = config_text(table, found, tmp_path / "rides.toml")
    assert '# weight = "Sample_Weight"   # where it says how much a row counts\n' in text
    assert not any(column.doubts for column in found.columns if column.name == "weight")


@pytest.mark.parametrize("mark", [".", " ", "\u00a0", "\u202f"])
def test_a_table_whose_numbers_all_have_marks_is_read(tmp_path, mark):
    rows = "".join(f"{1 + n % 9}{mark}{n:03d},5;{n % 7},{n % 10}\n" for n in range(60))
    found = proposed(tmp_path, "p;y\n" + rows)
    assert (found.settings["decimal"], found.settings["thousands"]) == (",", mark)
    assert [column.type for column in found.columns] == ["number", "number"]


def test_groups_of_two_digits_are_thousands(tmp_path):
    found = proposed(tmp_path, "p;y\n" + "".join(f"12,34,{500 + n};{n % 7}\n" for n in range(60)))
    assert found.settings["thousands"] == ","


@pytest.mark.parametrize(
    ("line", "comment"),
    [("Total,99", "Total"), ("# a note, with a comma", "#"), ("Source: a bureau,", "Source"), (" Sum,9", " Sum")],
)
def test_a_line_of_a_note_or_a_sum_among_the_rows_is_left_out(tmp_path, line, comment):
    rows = "".join(f"{n % 7},{n % 5}\n" for n in range(30))
    found = proposed(tmp_path, f"x,y\n{rows}{line}\n{rows}")
    assert found.settings["comment"] == comment
    (doubt,) = found.columns[0].doubts
    assert doubt.text.startswith("1 line of 61 begins with it")


def test_lines_of_units_and_sums_are_left_out_together_with_a_note_among_the_rows(tmp_path):
    rows = "".join(f"{n % 7},{n % 5}\n" for n in range(30))
    found = proposed(tmp_path, f"x,y\nkm,EUR\n{rows}Total,9\n{rows}Mean,9\nSource: a bureau\n")
    assert found.settings["comment"] == ["km,EUR", "Mean", "Source:", "Total"]
    assert (found.rows, [column.type for column in found.columns]) == (61, ["whole number", "number"])
    assert [note.text for note in found.notes][:3] == [
        "a line of units or types below the header ('km,EUR') is left out",
        "a sum at the end of the file ('Mean,9') is left out",
        "a note at the end of the file ('Source: a bureau') is left out",
    ]


def test_a_word_for_nothing_in_the_first_column_is_still_one(tmp_path):
    rows = "".join(f"{n % 7 if n % 30 else 'n/k'},{n % 5}\n" for n in range(60))
    assert proposed(tmp_path, "x,y\n" + rows).settings["null_values"] == ["", "n/k"]


def test_a_delimiter_at_the_end_of_each_row_is_an_empty_column(tmp_path):
    found = proposed(tmp_path, "x,z,y\n" + "".join(f"{n % 7},{n % 3},{n % 5},\n" for n in range(60)))
    assert found.settings["names"] == ["x", "z", "y", "column_4"]
    assert found.excluded == {"column_4": "empty"}


def test_times_of_day_that_are_left_out_are_said(tmp_path):
    rows = "".join(f"{n // 60:02d}:{n % 60:02d}:{n % 7:02d},{n % 3},{n % 5}\n" for n in range(90))
    found = proposed(tmp_path, "at,x,y\n" + rows)
    assert found.excluded["at"]
    (doubt,) = found.columns[0].doubts
    assert "look like durations or times of day" in doubt.text


def test_columns_that_a_record_cannot_hold_are_left_out_and_said(tmp_path):
    rows = [{"zone": "abc"[n % 3], "km": n % 7 / 4, "at": {"x": n}, "y": n % 5} for n in range(60)]
    found = proposed(tmp_path, "\n".join(map(json.dumps, rows)), name="a.jsonl")
    assert found.settings["exclude"] == ["at"]
    assert any(note.text.startswith("at is left out: it holds objects, or lists of lists;") for note in found.notes)


def test_texts_that_are_numbers_are_read_as_numbers_and_codes_stay_text(tmp_path):
    rows = [{"km": f"{n % 7 / 4}", "part": f"{n % 9}", "day": f"{n % 28 + 1}/7/2026", "y": n % 5} for n in range(60)]
    found = proposed(tmp_path, "\n".join(map(json.dumps, rows)), name="a.jsonl")
    km, part, day, _ = found.columns
    assert (found.settings["numeric"], km.type, km.doubts) == (["km"], "number", [])
    assert (part.type, [doubt.setting for doubt in part.doubts]) == ("text", ['numeric = ["part"]'])
    (doubt,) = day.doubts
    assert doubt.text.startswith("is read as text: its values look like dates (first: '1/7/2026')")


def test_a_number_that_stands_for_nothing_is_a_doubt(tmp_path):
    rows = "".join(f"{-999 if n % 10 == 0 else n % 7},{n % 3},{n % 5}\n" for n in range(100))
    found = proposed(tmp_path, "x,z,y\n" + rows)
    assert [(doubt.text[:30], doubt.setting) for doubt in found.columns[0].doubts] == [
        ("holds -999 in 10 % of the rows", 'null_values = ["", "-999", "-999.0"]')
    ]
    assert not found.columns[1].doubts
