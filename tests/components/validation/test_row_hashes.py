from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossnet.components import example_validator
from crossnet.components.records.dataset import Column
from crossnet.components.statistics.stored import stored_of
from crossnet.components.validation import row_hashes
from crossnet.components.validation.row_hashes import hash_rows, telling_columns
from support.column_fixtures import numbers, statistics_of, texts
from support.validation_walk import csv_walk


def test_numbers_are_compared_first_where_they_are_likely_to_differ() -> None:
    def stored(kind, column):
        return stored_of(statistics_of(kind, column).proto())

    many, few = numbers([*range(1000)]), numbers([0, 1] * 500)
    columns = {name: stored("FLOAT", many) for name in "abcd"} | {"t": stored("BYTES", texts([b"a"] * 1000))}
    assert telling_columns(columns, 900) == [*"abcd"]  # 4 times 10 bits, more than 2 times 9.8 and 20
    assert telling_columns(columns, 1100) == [*"abcdt"]
    assert telling_columns(columns | {"e": stored("FLOAT", few)}, 1100) == [*"abcde"]
    assert telling_columns({"t": columns["t"]}, 1000) == ["t"]
    assert telling_columns({"a": stored("FLOAT", numbers([None]))}, 1) == ["a"]
    wide = {"t": columns["t"], "e": stored("FLOAT", few)} | dict.fromkeys("fghijklmnopqrs", columns["a"])
    assert telling_columns(wide, 900) == [*"fghijklm"]  # twice 39.6 bits


@pytest.mark.parametrize("most", [0, 1 << 20])
def test_rows_of_a_wide_table_repeat_where_columns_that_are_not_compared_first_do_too(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_hashes, "MAX_SHARED", most)
    first: list[list[str]] = []

    def telling(*arguments):
        first.append(telling_columns(*arguments))
        return first[-1]

    monkeypatch.setattr(example_validator, "telling_columns", telling)
    random = np.random.default_rng(0)
    rows = [
        [*(f"{number:.6f}" for number in row), f"{n % 5}", f"{n % 7}"] for n, row in enumerate(random.random((400, 12)))
    ]
    rows[60], rows[70], rows[80] = [*rows[9]], [*rows[9][:-1], "99"], [*rows[9][:-2], "98", "99"]
    names = [*"abcdefghijk", "fare", "y", "z"]
    table = "\n".join([",".join(names), *map(",".join, rows)]) + "\n"
    found = csv_walk(tmp_path, table).found
    assert len(first) == 1
    assert not {"y", "z"} & {*first[0]}
    assert len(first[0]) < 12
    assert found == [("", "", "duplicate_rows", "warning", 1, "rides.csv:62")]


@pytest.mark.parametrize("most", [0, 1 << 20])
@pytest.mark.parametrize("shards", [1, 3])
def test_rows_repeat_where_their_texts_do_too(
    most: int, shards: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_hashes, "MAX_SHARED", most)
    random = np.random.default_rng(0)
    rows = [[*(f"{number:.6f}" for number in row), f"text {n % 7}"] for n, row in enumerate(random.random((400, 6)))]
    for place, of, text in (
        (50, 9, None),
        (51, 9, "other"),
        (52, 9, ""),
        (330, 52, None),
        (399, 7, None),
        (398, 7, ""),
    ):
        rows[place] = [*rows[of][:-1], rows[of][-1] if text is None else text]
    table = "\n".join(["a,b,c,d,e,fare,t", *(",".join(row) for row in rows)]) + "\n"
    found = csv_walk(tmp_path, table, num_shards=shards).found
    assert found == [
        ("", "", "duplicate_rows", "warning", 3, "rides.csv:52"),
        ("eval", "", "row_leakage", "warning", 2, "rides.csv:332"),
    ]


cell = st.tuples(
    st.one_of(st.none(), st.sampled_from([0.0, 1.0, 2.0])), st.one_of(st.none(), st.sampled_from([b"", b"a", b"b"]))
)


@settings(deadline=None)
@given(st.lists(cell, min_size=1, max_size=30))
def test_rows_have_equal_hashes_exactly_when_they_are_equal(rows):
    columns = {"x": numbers([x for x, _ in rows]), "t": texts([t for _, t in rows])}
    found = hash_rows(columns)
    assert len(set(found.tolist())) == len(set(rows))
    # A column that is whole in one batch and has holes in another is hashed alike.
    alone = [hash_rows({"x": numbers([x]), "t": texts([t])})[0] for x, t in rows]
    assert found.tolist() == alone


def test_values_in_another_column_or_order_make_another_row():
    def lists(values, lengths):
        lengths = np.array(lengths)
        return {"c": Column(np.array(values, np.int64), lengths > 0, lengths)}

    assert hash_rows({"a": numbers([1]), "b": numbers([2])}) != hash_rows({"a": numbers([2]), "b": numbers([1])})
    found = hash_rows(lists([1, 2, 2, 1, 1, 2], [2, 2, 2]))
    assert found[0] == found[2] != found[1]
    found = hash_rows(lists([1, 2, 3], [1, 2, 0]))
    assert len(set(found.tolist())) == 3
    assert hash_rows(lists([1, 5, 6], [1, 2]))[0] == hash_rows({"c": numbers([1], np.int64)})[0]
    assert hash_rows({"c": numbers([0.0])}) == hash_rows({"c": numbers([-0.0])})


@pytest.mark.parametrize("words", [["a text of some length", "another text, which is longer than the first", ""], []])
def test_texts_have_the_same_hash_alone_and_where_they_occur_again(words):
    values = 300 * words + [f"a text that occurs once: {n}" for n in range(40)]
    column = texts(values)
    alone = [hash_rows({"t": texts([value])})[0] for value in values]
    assert hash_rows({"t": column}).tolist() == [int(value) for value in alone]
