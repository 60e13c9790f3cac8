from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossnet.components.sources.text_doubts import text_doubt
from crossnet.serving.protocol.printable import shown
from support.example_gen_fixtures import make


def said(values: list[Any], form: str = "parquet") -> tuple[str, str] | None:
    doubt = text_doubt("a", pa.array(values), form)
    return doubt and (doubt.text, doubt.setting)


@pytest.mark.parametrize("word", ["NULL", "\\N", "#N/A", "<NA>", "NaN", "(null)"])
def test_words_for_nothing_among_texts_are_said(word: str) -> None:
    wanted = (
        f"is text, in which 25 % of the values are '{shown(word)}', read as a word: is that a missing value? Write null"
    )
    assert said(["north", word, "south", None, "east"]) == (f"{wanted} in its place", "")
    assert said(["north", f"{word}s", "None", "NA"]) is None


def test_numbers_with_signs_are_said() -> None:
    wanted = (
        "is read as text: its values look like numbers with signs (first: '5%'); write the numbers alone to use them"
    )
    assert said(["5%", "12.5%", None]) == (f"{wanted} as such", "")
    assert said(["$1,200.50"] * 9) is not None
    assert said(["5%", "half", "most"]) is None
    assert said(["192.168.0.1", "10.0.0.1"]) is None


def test_texts_that_are_numbers_are_said_with_the_setting() -> None:
    numbers = ("is read as text, and its values are numbers (first: '1.5')", 'numeric = ["a"]')
    assert said(["1.5", None, " -2", "3e5"]) == said([b"1.5", b"7"]) == numbers
    assert text_doubt("a", pa.array(["1.5", "7", "1.5"]).dictionary_encode(), "parquet") is not None
    kinds = (
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.binary(),
        pa.large_binary(),
        pa.binary_view(),
        pa.binary(3),
    )
    for kind in kinds:
        assert text_doubt("a", pa.array(["1.5", None, "7.5"]).cast(pa.binary()).cast(kind), "arrow") is not None
    mixed = said(["1", "2", "3", "NA"])
    assert mixed is not None
    assert mixed[0].startswith(
        "is read as text: 75 % of its values are numbers, and others are not (first: 'NA'); write"
    )
    assert mixed[1] == ""
    odd = said([b"1", b"2", b"\xff"])
    assert odd is not None
    assert "(first: '\ufffd')" in odd[0]


@pytest.mark.parametrize(("form", "advice"), [("jsonl", "write them in ISO 8601"), ("parquet", "with a type of times")])
def test_texts_that_are_dates_are_said(form: str, advice: str) -> None:
    for dates in (["13/01/2026", "14/02/2026"], ["2026-01-13", "2026-02-14T08:00:00"]):
        text, setting = said(dates, form) or ("", "none")
        assert text.startswith(f"is read as text: its values look like dates (first: '{dates[0]}'); ")
        assert advice in text
        assert setting == ""


@pytest.mark.parametrize(
    "values",
    [["01234", "10001"], ["a", "1", "2"], ["7", "b", "c"], [1.5, 2.5], [None, None], [], ["5"], [b"\xff", b"1"]],
)
def test_codes_words_and_other_values_are_not_doubted(values: list[Any]) -> None:
    assert said(values) is None


def test_a_run_says_it_once_and_reads_the_numbers_where_the_setting_names_them(tmp_path: Path) -> None:
    table = pa.table({"a": [f"{n}.5" for n in range(99)], "y": range(99)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=10)
    given = {"source": "parquet", "input": str(tmp_path / "a.parquet"), "label": "y"}
    examples = make(tmp_path, **given)
    assert examples.column_types["a"] == "BYTES"
    assert [doubt["setting"] for doubt in examples.properties["doubts"]] == ['numeric = ["a"]']
    assert make(tmp_path, **given, text=("a",)).properties["doubts"] == []
    read = make(tmp_path, **given, numeric=("a",))
    assert (read.column_types["a"], read.properties["doubts"]) == ("FLOAT", [])
