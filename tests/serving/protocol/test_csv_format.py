from __future__ import annotations

import json
import re
import sys

import pytest

from crossnet.serving.protocol.csv_format import CsvFormat, delimiter_name, spelled


def test_a_format_is_made_of_settings_and_leaves_others_out() -> None:
    settings = {"delimiter": "\\t", "names": ["a", "b"], "label": "y", "skip_rows": 2}
    assert CsvFormat.of(settings) == CsvFormat(delimiter="\t", names=("a", "b"), skip_rows=2)
    assert CsvFormat.of(CsvFormat(quote="'")) == CsvFormat(quote="'")
    assert CsvFormat.of(settings).changed() == ["delimiter", "skip_rows", "names"]


def test_only_utf8_without_lines_to_leave_out_is_parsed_as_it_is() -> None:
    assert not any(CsvFormat(encoding=name).rewrites for name in ("utf-8", "UTF8", "utf-8-sig", "ascii"))
    assert all(f.rewrites for f in (CsvFormat(encoding="latin-1"), CsvFormat(comment="#"), CsvFormat(skip_rows=1)))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"delimiter": ";;"}, "`delimiter` must be one ASCII character. Received ';;'."),
        ({"delimiter": ""}, "`delimiter` must be one ASCII character. Received ''."),
        ({"delimiter": "¦"}, "`delimiter` must be one ASCII character. Received '¦'."),
        ({"quote": "''"}, "`quote` must be one ASCII character, or empty for none. Received ''''."),
        ({"escape": "ab"}, "`escape` must be one ASCII character, or empty for none. Received 'ab'."),
        ({"delimiter": '"'}, "`quote` and `delimiter` are the same. Received '\"' for both."),
        ({"null_text": ["a"]}, "`null_text` needs `null_values`, the words that are missing values. Received"),
        ({"comment": ","}, "`comment` and `delimiter` are the same. Received ',' for both."),
        ({"comment": "#\n"}, r"`comment` is the start of a line and holds no line end. Received '#\n'."),
        ({"comment": ["#", ""]}, "`comment` is the start of a line and holds no line end. Received ''."),
        ({"comment": ["#", '"']}, "`comment` and `quote` are the same. Received '\"' for both."),
        (
            {"encoding": "latin-l"},
            "`encoding` must be an encoding that Python knows. Received 'latin-l'. Did you mean ",
        ),
        ({"encoding": "base64"}, "`encoding` must be an encoding of text, such as 'cp1252'. Received 'base64'."),
        ({"encoding": "a\0"}, "`encoding` must be an encoding that Python knows. Received 'a"),
        ({"names": ("a", "b", "a")}, "`names` must hold each name once. Received 'a' more than once."),
    ],
)
def test_each_mistake_is_a_sentence(settings: dict[str, object], sentence: str) -> None:
    problems = CsvFormat.of(settings).problems()
    assert len(problems) == 1
    assert problems[0].startswith(sentence)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has it")
def test_an_encoding_of_windows_alone_is_not_proposed_in_place_of_itself() -> None:
    (problem,) = CsvFormat(encoding="mbcs").problems()
    assert "Received 'mbcs'." in problem
    assert not re.search("mean '(mbcs|dbcs|oem)", problem)


def test_all_mistakes_are_found_at_once_and_a_right_format_has_none() -> None:
    assert len(CsvFormat(delimiter="ab", quote="cd", encoding="nine").problems()) == 3
    right = CsvFormat(delimiter="\t", quote="", escape="\\", encoding="cp1252", comment="//", names=("a",))
    assert right.problems() == CsvFormat().problems() == []


def test_a_format_is_written_as_json_and_read_back() -> None:
    assert CsvFormat.of({"comment": ["#", "Total"]}).comments == ("#", "Total")
    assert (CsvFormat.of({"comment": "#"}).comments, CsvFormat().comments) == (("#",), ())
    written = CsvFormat(comment=("#", "Total"))
    assert CsvFormat.of(json.loads(written.to_json())) == written
    written = CsvFormat(delimiter="\t", names=("é", "b"), header=False, date_format={"b": "%d.%m.%Y"})
    assert CsvFormat.of(json.loads(written.to_json())) == written
    assert json.loads(CsvFormat().to_json()) == {}


def test_delimiters_have_names_and_a_tab_is_spelled() -> None:
    assert [delimiter_name(mark) for mark in (",", "\t", "~")] == ["a comma", "a tab", "`~`"]
    assert [spelled(mark) for mark in (";", "\t")] == [";", "\\t"]
