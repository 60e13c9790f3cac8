import datetime
import os
import time

import pytest

from crossnet.components.errors import SettingsError
from crossnet.pipeline.toml_text import MAX_BYTES, parse_toml, read_toml, received


def short(value):
    """A parameter's name in the list of tests."""
    return received(value)[:20]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = " + "[" * 2000 + "]" * 2000, "its brackets are nested too deeply"),
        ("x = " + "{a=" * 2000 + "1" + "}" * 2000, "its brackets are nested too deeply"),
        ("x = " + "9" * 5000, "a number has too many digits"),
        ("a." * 1000 + "a = 1", "a key has more than 100 levels"),
        ("[" + "'a' . " * 1000 + "a]", "a key has more than 100 levels"),
        ("x = '''" + "a" * 5000, r"Expected"),
        ("x = 3\n\n= 3", "line 3"),
    ],
    ids=short,
)
def test_parse_toml_says_why_in_a_few_words(text, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        parse_toml(text)
    assert len(str(caught.value)) < 200


def test_parse_toml_cuts_a_long_key_out_of_its_reason_and_keeps_the_place():
    name = "k" * 5000
    with pytest.raises(ValueError, match=r"kkk \.\.\. kk.*line 2, column") as caught:
        parse_toml(f"[{name}]\n[{name}]")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "text", ["a." * 2_000_000 + "a = 1", "a" * 4_000_000, "'" * 4_000_000, "a = '" + "b." * 99], ids=short
)
def test_parse_toml_needs_no_more_time_than_the_text_is_long(text):
    before = time.process_time()
    with pytest.raises(ValueError):
        parse_toml(text)
    assert time.process_time() - before < 5  # in the square of the text's length it would be hours


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (int("9" * 400), "a whole number of about 400 digits"),
        (1 << 40_000, "a whole number of about 12,042 digits"),
        ("x" * 5000, "'" + "x" * 27 + "..." + "x" * 28 + "'"),
        ([[[[[1]]]]], "[[[[...]]]]"),
        (list(range(100_000)), "[0, 1, 2, 3, 4, 5, ...]"),
        (datetime.date(2026, 11, 29), "2026-11-29"),
        (datetime.datetime(2026, 11, 29, 8, 45), "2026-11-29 08:45:00"),
        ("a\x1b[31m", r"'a\x1b[31m'"),
        (1.5, "1.5"),
    ],
    ids=short,
)
def test_received_is_short(value, text):
    assert received(value) == text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"models = ['\xff']", r"mine.toml` is not UTF-8 in line 1: invalid start byte. Save the file as UTF-8."),
        ("models = []".encode("utf-16"), r"mine.toml` is in UTF-16: .* Save the file as UTF-8."),
        (b"a = 1\n" * (MAX_BYTES // 6 + 1), r"mine.toml` has more than 4 MiB, which no config needs. Name a TOML file"),
        (b"x = \x00", r"mine.toml` is not valid TOML: .*at line 1"),
    ],
    ids=short,
)
def test_read_toml_refuses_in_words_what_it_cannot_read(tmp_path, content, sentence):
    (tmp_path / "mine.toml").write_bytes(content)
    with pytest.raises(SettingsError, match=sentence):
        read_toml(tmp_path / "mine.toml")


def test_read_toml_names_what_is_not_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, what in ((tmp_path, "a folder"), (tmp_path / "pipe", "a pipe, a socket or a device")):
        with pytest.raises(SettingsError, match=f"` is {what}. Expected a TOML file. Name one with `--config`."):
            read_toml(path)
    with pytest.raises(SettingsError, match="cannot be read: No such file or directory"):
        read_toml(tmp_path / "gone")
