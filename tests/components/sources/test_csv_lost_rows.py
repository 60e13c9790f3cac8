from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.example_gen_fixtures import make_csv

PLAIN = [f"ride {n % 5},{n}.5,{n}.25" for n in range(40)]


def said(tmp_path: Path, lines: list[str], **settings: Any) -> list[tuple[str, str, str]]:
    examples = make_csv(tmp_path, "\n".join(["note,km,y", *lines, ""]), label="y", **settings)
    return [(doubt["column"], doubt["text"], doubt["setting"]) for doubt in examples.properties["doubts"]]


@pytest.mark.parametrize("settings", [{}, {"split": "hash"}, {"split": "hash", "exclude": ("note",)}])
def test_rows_in_a_cell_are_said_where_a_quote_is_left_open(tmp_path: Path, settings: dict[str, Any]) -> None:
    lines = [*PLAIN[:10], '"market,7.5,8', *PLAIN[10:30], '5" pipe,1.5,2', *PLAIN[30:]]
    text = "holds a cell with 21 lines that seem to be rows (rides.csv:12): is a quote left open there?"
    assert said(tmp_path, lines, **settings) == [("note", text, 'quote = ""')]


def test_one_row_in_a_cell_is_said(tmp_path: Path) -> None:
    lines = [*PLAIN, '"market,7.5,8', '5" pipe,1.5,2']
    text = "holds a cell with 1 line that seems to be a row (rides.csv:42): is a quote left open there?"
    assert said(tmp_path, lines) == [("note", text, 'quote = ""')]
    assert said(tmp_path, lines, quote="") == []


def test_the_marks_of_the_file_are_those_of_its_rows(tmp_path: Path) -> None:
    lines = [line.replace(",", ";").replace(".", ",") for line in [*PLAIN, '"market,7.5,8', '5" pipe,1.5,2']]
    examples = make_csv(tmp_path, "\n".join(["note;km;y", *lines, ""]), label="y", delimiter=";", decimal=",")
    assert "seems to be a row (rides.csv:42)" in examples.properties["doubts"][0]["text"]


@pytest.mark.parametrize("settings", [{}, {"split": "hash"}])
def test_a_sum_as_the_last_row_is_said(tmp_path: Path, settings: dict[str, Any]) -> None:
    text = "holds 'Total' at the end (rides.csv:42): is that row a sum?"
    assert said(tmp_path, [*PLAIN, "Total,780,790"], **settings) == [("note", text, 'comment = "Total"')]
    noted = {**settings, "comment": "Source:"}
    assert said(tmp_path, [*PLAIN, "Total,780,790", "Source: x"], **noted) == [
        ("note", text, 'comment = ["Source:", "Total"]')
    ]
    assert said(tmp_path, [*PLAIN, "Total,780,790"], comment="Total", **settings) == []
    assert said(tmp_path, ["Total,1,2", *PLAIN, "Total,780,790"], **settings) == []  # a category


@pytest.mark.parametrize(
    "cell",
    [
        "12 Main St\nBoston, MA, 02134\nUSA",  # blanks follow its commas
        "good, cheap, near\nsee you, 5, again\n",
        "a line\nanother\n\n",
        "one, two\r\nthree",
        "x,1\ny,2\n",  # other cells than the table has
    ],
)
def test_a_text_of_several_lines_is_not_doubted(tmp_path: Path, cell: str) -> None:
    assert said(tmp_path, [*PLAIN, f'"{cell}",1.5,2', f'"{cell}",2.5,2']) == []
