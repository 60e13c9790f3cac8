from __future__ import annotations

import tomllib

from crossnet.components.sources.doubts import MAX_SHOWN, Doubt, doubt_lines, empty_column, merged, toml_text


def test_a_doubt_is_a_sentence_with_the_line_that_decides_otherwise():
    doubt = Doubt("zip", "stays text: a cell is '01'", 'numeric = ["zip"]')
    assert doubt.sentence == (
        "Column `zip` stays text: a cell is '01'. To change that: `numeric = [\"zip\"]` in [example_gen]."
    )
    assert Doubt("t", "is left out").sentence == "Column `t` is left out."
    assert (Doubt("t", "is odd").clause, Doubt("t", "is it a key?").clause) == ("is odd.", "is it a key?")


def test_doubts_of_several_parts_are_one_for_each_column_and_setting_in_order():
    first = [Doubt("a", "seen at 3", "x = 1"), Doubt("b", "is odd")]
    later = [Doubt("a", "seen at 9", "x = 1"), Doubt("a", "is large"), Doubt("b", "is odd")]
    assert merged([*first, *later]) == (*first, Doubt("a", "is large"))


def test_the_screen_shows_few_lines_and_counts_the_rest():
    doubts = [Doubt(f"c{n}", "is odd") for n in range(MAX_SHOWN + 7)]
    lines = doubt_lines(doubts)
    assert lines[:MAX_SHOWN] == [doubt.sentence for doubt in doubts[:MAX_SHOWN]]
    assert lines[MAX_SHOWN:] == ["7 more in the run's report, in its table of doubts about columns."]
    assert len(doubt_lines(doubts[:MAX_SHOWN])) == MAX_SHOWN


def test_a_setting_is_toml_for_any_name():
    name = 'a "b" \\ c\n\u202e'
    assert tomllib.loads(empty_column(name).setting) == {"exclude": [name]}
    assert toml_text("é") == '"é"'
