from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from support.example_gen_fixtures import all_rows, make_csv

NULL = ("\\N", "#N/A", "NULL", "<NA>", "(null)", "#VALUE!", "#REF!", "#DIV/0!", "NaN", "nan", "NaT")


def said(folder: Path, cells: list[str], **settings: Any) -> list[tuple[str, str]]:
    """Returns what is said of a column `a` of text with these cells."""
    examples = make_csv(folder, "a,y\n" + "".join(f'"{cell}",{n}\n' for n, cell in enumerate(cells)), **settings)
    assert examples.column_types["a"] == "BYTES"
    return [(doubt["text"], doubt["setting"]) for doubt in examples.properties["doubts"]]


@pytest.mark.parametrize("word", NULL)
def test_words_that_are_never_text_are_said_with_their_share_and_the_settings_that_make_holes_of_them(
    tmp_path: Path, word: str
) -> None:
    ((text, setting),) = said(tmp_path, ["north", "south", word, "west", ""])
    assert text == (
        f"is text, in which 25 % of the cells are {word} (first: '{word}', rides.csv:4), read as a word: is "
        "that a missing value?"
    )
    spelled = word.replace("\\", "\\\\")
    assert setting == f'null_values = ["", "{spelled}"] and null_text = ["a"]'
    assert said(tmp_path, ["north", word], null_values=("", word))[0][1] == 'null_text = ["a"]'
    assert said(tmp_path, ["north", word], null_values=("", word), null_text=("a",)) == []
    assert said(tmp_path, ["north", word], text=("a",)) == []


def test_words_that_may_be_text_are_not_said(tmp_path: Path) -> None:
    assert said(tmp_path, ["NA", "None", "north", "-", "?", "NULLA", "n/a", "Nan"]) == []


def test_truth_values_in_several_spellings_are_said_with_the_setting(tmp_path: Path) -> None:
    wanted = "is read as text: its cells are true and false in several spellings (first: '{}', rides.csv:2)"
    for cells in (["yes", "no", "Y"], ["Yes", "YES", "no", ""], ["yes", "no", "Y", "N", "1"]):
        assert said(tmp_path, cells) == [(wanted.format(cells[0]), 'boolean = ["a"]')]


@pytest.mark.parametrize("cells", [["yes", "no"], ["Y", "N", ""], ["yes", "Y", "on"], ["yes", "no", "Y", "maybe"]])
def test_two_words_and_other_words_are_text(tmp_path: Path, cells: list[str]) -> None:
    assert said(tmp_path, cells) == []


@pytest.mark.parametrize("seed", range(4))
def test_holes_in_text_are_those_that_pandas_reads_with_words_by_column(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    words = ["north", "\\N", "NULL", "", "south,east", "x\\N", "null", "a b"]
    rows = [(draw.choice(words), draw.choice(words), draw.choice(["1.5", "\\N", "2"]), "1.5") for _ in range(60)]
    text = "a,b,c,y\n" + "".join(",".join(f'"{cell}"' if cell else "" for cell in row) + "\n" for row in rows)
    missing = ["", "\\N", "NULL"]
    examples = make_csv(tmp_path, text, null_values=tuple(missing), null_text=("a",))
    found = pd.DataFrame(all_rows(examples), columns=["a", "b", "c"])
    known = pd.read_csv(
        tmp_path / "rides.csv", na_values={"a": missing, "b": [""], "c": missing}, keep_default_na=False
    )
    for name in ("a", "b"):
        ours = [None if cell is None else cell.decode() for cell in found[name].to_list()]
        assert ours == [None if pd.isna(cell) else cell for cell in known[name].to_list()]
    assert [None if pd.isna(n) else n for n in found["c"]] == [None if pd.isna(n) else n for n in known["c"]]


def test_sources_are_imported_without_pandas():
    """Arrow imports it, where it is, for its first array of Python values, at 0.15 CPU seconds of any command."""
    code = "import sys; from crossnet.components.sources import csv, hive; print('pandas' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
