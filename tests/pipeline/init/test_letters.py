from __future__ import annotations

import pytest

from crossnet.pipeline.init.letters import is_frequent, mark_of, rare_hangul, script


@pytest.mark.parametrize(
    ("letters", "wanted"),
    [
        ("aé", "LATIN"),
        ("жё", "CYRILLIC"),
        ("λ", "GREEK"),
        ("א", "HEBREW"),
        ("東あア한", "WIDE"),
        ("ｱ", "HALF"),
        ("1,º", ""),
    ],
)
def test_letters_have_a_script_and_signs_have_none(letters: str, wanted: str) -> None:
    assert {script(letter) for letter in letters} == {wanted}


def test_marks_belong_to_a_script() -> None:
    assert (mark_of("\u05b8"), mark_of("\u064e"), mark_of("a")) == ("HEBREW", "ARABIC", "")


def test_syllables_of_rare_parts_are_rare_in_korean() -> None:
    assert [rare_hangul(syllable) for syllable in "서울부산대맑음"] == [0.0] * 7
    assert all(rare_hangul(syllable) >= 0.2 for syllable in "톺밟읕왜")


@pytest.mark.parametrize(
    ("encoding", "frequent", "rare"),
    [("cp932", "東あ", "鬱"), ("gb18030", "北中", "鬱"), ("big5", "臺中", "乂"), ("cp949", "한", "東")],
)
def test_frequent_letters_come_first_in_their_encoding(encoding: str, frequent: str, rare: str) -> None:
    assert all(is_frequent(letter, encoding) for letter in frequent)
    assert not any(is_frequent(letter, encoding) for letter in rare)
