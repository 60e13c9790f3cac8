"""Tells letters by their scripts, and the rare ones of East Asia."""

from __future__ import annotations

import unicodedata
from functools import cache

KANA = ("HIRAGANA", "KATAKANA")  # how the names of the letters begin
# Of a syllable of Hangul, by the numbers of its parts: vowels and last consonants that are rare in Korean.
_RARE_VOWELS, _RARE_LASTS = frozenset((3, 10, 15)), frozenset((2, 3, 5, 7, *range(11, 16), 18, *range(22, 28)))


@cache
def script(letter: str) -> str:
    """Returns the script of a letter, "WIDE" for those of East Asia; "" for a sign or a digit."""
    if not letter.isalpha() or letter in "ªºµƒ":
        return ""
    word = unicodedata.name(letter, "NONE").split()[0]
    if word in ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL"):
        return "WIDE"
    return "HALF" if word == "HALFWIDTH" else word


def mark_of(letter: str) -> str:
    """Returns the script of a mark that stands on a letter; "" for another one."""
    is_mark = unicodedata.category(letter).startswith("M")
    return unicodedata.name(letter, "NONE").split()[0] if is_mark else ""


@cache
def rare_hangul(syllable: str) -> float:
    """Returns how rare the parts of a syllable are in Korean: 0 for most, up to 0.4."""
    vowel, last = divmod((ord(syllable) - 0xAC00) % (21 * 28), 28)
    return 0.2 * (vowel in _RARE_VOWELS) + 0.2 * (last in _RARE_LASTS)


@cache
def is_frequent(letter: str, encoding: str) -> bool:
    """Returns whether a letter of East Asia is one of the frequent ones of its encoding, which come first in it."""
    name = unicodedata.name(letter, "")
    if encoding in ("cp932", "euc-jp"):
        lead = letter.encode("euc-jp", "replace")
        return name.startswith(KANA) or 0xB0 <= lead[0] <= 0xCF
    if encoding == "cp949":
        return name.startswith("HANGUL SYLLABLE") and len(letter.encode("euc-kr", "replace")) == 2
    if encoding == "big5":
        return 0xA4 <= letter.encode("big5", "replace")[0] <= 0xC6
    return 0xB0 <= letter.encode("gb2312", "replace")[0] <= 0xD7
