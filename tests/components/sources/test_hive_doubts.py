from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.example_gen_fixtures import make


def said(folder: Path, texts: list[str], source: str = "csv", **settings: Any) -> list[tuple[str, str]]:
    """Returns what is said of a column `k` that folders name."""
    for number, text in enumerate(texts):
        part = folder / "t" / f"k={text}"
        part.mkdir(parents=True)
        if source == "csv":
            (part / "a.csv").write_text(f"a,y\n{number}.5,1.5\n{number},2.5\n")
        else:
            pq.write_table(pa.table({"a": [number + 0.5], "y": [1.5]}), part / "a.parquet")
    examples = make(folder, source=source, input=str(folder / "t"), **settings)
    return [(doubt["text"], doubt["setting"]) for doubt in examples.properties["doubts"] if doubt["column"] == "k"]


@pytest.mark.parametrize("source", ["csv", "parquet"])
@pytest.mark.parametrize("texts", [["0.5", "1.5"], ["+1", "-1"], ["1e3", "2e3"], ["1", "2.5"]])
def test_numbers_that_are_read_as_text_are_said(tmp_path: Path, texts: list[str], source: str) -> None:
    ((text, setting),) = said(tmp_path, texts, source)
    assert text.startswith("is read as text, and all its folders are numbers (first: '")
    assert setting == 'numeric = ["k"]'


def test_words_for_nothing_beside_numbers_are_said(tmp_path: Path) -> None:
    wanted = "is read as text: its folders are numbers but for 'null'"
    assert said(tmp_path / "1", ["1", "null"]) == [(wanted, 'null_values = ["", "null"]')]
    advice = '; name that folder "__HIVE_DEFAULT_PARTITION__", which is a hole'
    assert said(tmp_path / "2", ["1", "null"], "parquet") == [(wanted + advice, "")]
    assert said(tmp_path / "3", ["1", "null"], null_values=("", "null")) == []


def test_dates_of_another_form_are_said(tmp_path: Path) -> None:
    assert said(tmp_path, ["31.12.2023", "1.1.2024"]) == [
        ("is read as text, and its folders look like dates (first: '1.1.2024')", 'date_format = { "k" = "%d.%m.%Y" }')
    ]


@pytest.mark.parametrize(
    ("texts", "settings"),
    [
        (["north", "south"], {}),
        (["01", "02"], {}),
        (["1", "2"], {}),
        (["1", "x"], {}),
        (["2024-01-01", "2024-01-02"], {}),
        (["0.5", "1.5"], {"text": ("k",)}),
        (["0.5", "1.5"], {"numeric": ("k",)}),
        (["0.5", "1.5"], {"exclude": ("k",)}),
    ],
)
def test_nothing_is_said_of_other_folders(tmp_path: Path, texts: list[str], settings: dict[str, Any]) -> None:
    assert said(tmp_path, texts, **settings) == []
