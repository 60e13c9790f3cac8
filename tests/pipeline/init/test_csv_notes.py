from __future__ import annotations

from pathlib import Path

import pytest

from crossnet.components.sources.plan import plan_source
from crossnet.pipeline.init.csv_dialect import find_dialect
from crossnet.pipeline.init.csv_notes import last_lines, numeric_columns, two_headers, unit_line
from crossnet.pipeline.init.propose import propose
from crossnet.pipeline.init.tables import find_table

ROWS = [f"{name},{n}.5,{n}.25" for n, name in enumerate(["north", "south", "east"] * 6)]
CODES = [f"{n % 7},{n}.5,{n}.25" for n in range(18)]


def found(tmp_path, *lines):
    """Returns what comment, skip_rows and doubts are found in a file with these lines."""
    (tmp_path / "a.csv").write_text("\n".join([*lines, ""]))
    dialect = find_dialect(tmp_path / "a.csv")
    assert not set(dialect.settings) - {"comment", "skip_rows"}
    settings = dialect.settings.get("comment", ""), dialect.settings.get("skip_rows", 0)
    return *settings, [doubt.text for doubt in dialect.doubts]


@pytest.mark.parametrize("units", [",km,EUR", "name,m/s,EUR", "#,m/s,EUR", "-,int,float", '"",km,EUR'])
@pytest.mark.parametrize("rows", [ROWS, CODES])
def test_a_line_of_units_below_the_header_is_a_comment(tmp_path, rows, units):
    comment, skip, doubts = found(tmp_path, "zone,km,fare", units, *rows)
    assert (comment, skip) == (units, 0)
    assert doubts == [f"a line of units or types below the header ('{units}') is left out"]


def test_a_first_row_with_numbers_or_empty_cells_is_a_row(tmp_path):
    for row in ("north,NA,1.5", "north,,", "north,1,2", "north,NA,NA"):
        assert found(tmp_path, "zone,km,fare", row, *ROWS) == ("", 0, [])
    assert found(tmp_path, "zone,town,fare", *(f"a,b,{n}" for n in range(9))) == ("", 0, [])


@pytest.mark.parametrize("first", ["Trip,Trip,Cost", ",Trip,Trip"])
def test_the_second_of_two_lines_of_names_is_the_header(tmp_path, first):
    comment, skip, doubts = found(tmp_path, first, "zone,km,fare", *ROWS)
    assert (comment, skip) == ("", 1)
    assert doubts == [f"two lines name the columns, and the second is used ('{first}' is not)"]
    comment, skip, doubts = found(tmp_path, "Report 2026", "", first, "zone,km,fare", ",km,EUR", *ROWS)
    assert (comment, skip, len(doubts)) == (",km,EUR", 3, 2)


@pytest.mark.parametrize("rows", [ROWS, CODES])
@pytest.mark.parametrize(
    ("lines", "comment"),
    [
        (["Total,,1234.5"], "Total"),
        (["TOTAL:,500,1234.5"], "TOTAL:"),
        (["Total,500,900", "Mean,5,9"], ["Total", "Mean"]),
        (["Source: the city"], "Source:"),
        (["", "Source: the city, 2026"], "Source:"),
        (["Downloaded on Monday,,"], "Downloaded"),
        ([",450,900"], ",450,900"),
        (["Total,,900", ",,", "Source: the city"], ["Total", "Source:"]),
        (["   "], ""),
    ],
)
def test_sums_and_notes_at_the_end_are_comments(tmp_path, rows, lines, comment):
    assert found(tmp_path, "zone,km,fare", *rows, *lines)[:2] == (comment, 0)


def test_a_note_that_begins_as_a_row_does_is_left_out_by_its_whole_line(tmp_path):
    comment, _, doubts = found(tmp_path, "zone,km,fare", *ROWS, "Totals mall,1,2", *ROWS, "Total,,99")
    assert (comment, len(doubts)) == ("Total,,99", 1)


def test_rows_are_not_taken_for_sums(tmp_path):
    assert found(tmp_path, "zone,km,fare", *ROWS, *(f"Total {n},1,2" for n in range(9))) == ("", 0, [])
    assert found(tmp_path, "zone,km,fare", "Sum,1,2", *ROWS, "Sum,3,4") == ("", 0, [])
    assert found(tmp_path, "zone,km,fare", ",1,2", *ROWS, ",3,4") == ("", 0, [])
    assert found(tmp_path, "zone,km,fare", *ROWS, "north,,4") == ("", 0, [])


def test_the_end_of_a_large_file_is_looked_at(tmp_path):
    (tmp_path / "a.csv").write_text("\n".join(["zone,km,fare", *ROWS * 6000, "Total,,12", ""]))
    assert find_dialect(tmp_path / "a.csv").settings == {"comment": "Total"}
    assert last_lines(tmp_path / "a.csv", "utf-16", [], is_whole=False) == []


def test_columns_of_numbers_and_lines_of_names_are_told_by_several_rows():
    rows = [["a", "1", "2026-01-02"], ["b", "NA", "2026-01-03"]] * 5
    assert numeric_columns(rows, 3) == [1]
    assert not two_headers([["a", "a", "a"], ["x", "y", "z"], *rows[:3]])
    assert unit_line([["a", "b", "c"], ["", "km", "d"]], ",km,d", ",") is None


@pytest.mark.parametrize("line", ["Total,1\rnorth,1,2", f"Total,{'x' * 200_000},1"])
def test_a_last_line_that_cannot_be_parsed_by_itself_is_a_row(tmp_path, line):
    assert found(tmp_path, "zone,km,fare", *ROWS, line)[0] == ""


def test_a_sum_whose_word_stands_behind_the_first_cell_is_left_out(tmp_path):
    rows = [f"{n}.5,{name},{n}.25" for n, name in enumerate(["north", "south", "east"] * 6)]
    for last in ("153,Total,153", '153,"Grand total:",153'):
        comment, skip, doubts = found(tmp_path, "km,zone,fare", *rows, last)
        assert (comment, skip) == (last, 0)
        assert doubts == [f"a sum at the end of the file ('{last}') is left out"]
    assert found(tmp_path, "km,zone,fare", "1,total,2", *rows, "153,total,153") == ("", 0, [])
    assert found(tmp_path, "km,zone,fare", *rows, "153,West Total,153") == ("", 0, [])


@pytest.mark.parametrize(
    ("before", "comment"),
    [("Exported by tool, v2\n\n", None), ("# made by hand\n", "# "), ("#made by hand\n", None), ("  \n", None)],
)
@pytest.mark.parametrize("mark", [".", ","])
def test_a_row_whose_first_cell_says_that_it_is_missing_is_not_a_comment(
    tmp_path: Path, before: str, comment: str | None, mark: str
) -> None:
    rows = [f"{'#N/A' if n % 9 == 4 else f'{n}{mark}5'};w{n % 3};{n}{mark}25" for n in range(60)]
    (tmp_path / "rides.csv").write_text(before + "\n".join(["x;t;y", *rows, ""]))
    table = find_table(tmp_path / "rides.csv")
    proposal = propose(table, "y")
    assert proposal.settings.get("comment") == comment
    source = plan_source(table.files, table.params("y", proposal.settings))
    read = [value for batch in source.read(0, 1) for value in batch.rows["x"].to_pylist()]
    assert read == [None if n % 9 == 4 else n + 0.5 for n in range(60)]


@pytest.mark.parametrize("delimiter", ["\t", ";", ","])
@pytest.mark.parametrize("blank", ["", "  ", "\t\t"])
def test_a_line_of_delimiters_above_the_header_is_left_out(tmp_path: Path, delimiter: str, blank: str) -> None:
    rows = [delimiter.join([str(n % 7), f"w{n % 3}", f"{n}.25"]) for n in range(60)]
    lines = [delimiter * 2, blank, delimiter.join("xty"), *rows, ""]
    (tmp_path / "rides.csv").write_text("\n".join(lines))
    table = find_table(tmp_path / "rides.csv")
    proposal = propose(table, "y")
    assert proposal.settings["skip_rows"] == 2
    source = plan_source(table.files, table.params("y", proposal.settings))
    assert [value for batch in source.read(0, 1) for value in batch.rows["x"].to_pylist()] == [n % 7 for n in range(60)]
