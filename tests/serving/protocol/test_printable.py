import logging

import pytest

from crossnet.serving.protocol.printable import PrintableFormatter, listed, printable, shown, tell


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("a\rb\x08\x07\x00\x7f", r"a\rb\x08\x07\x00\x7f"),
        ("\x9b31m \x9d0;title\x9c", r"\x9b31m \x9d0;title\x9c"),
        ("\u202egnp.exe\u2066x\u2069", r"\u202egnp.exe\u2066x\u2069"),
        ("a\u200bb\ufeffc\u2028d\u2029e", r"a\u200bb\ufeffc\u2028d\u2029e"),
        ("\udcff and \U000e0041", r"\udcff and \U000e0041"),
    ],
)
def test_printable_escapes_what_moves_or_hides_text_on_a_terminal(text, escaped):
    assert printable(text) == escaped
    assert printable(escaped) == escaped


@pytest.mark.parametrize("text", ["", "naïve 路 ∞ 1\u00a0000 🙂", "two\n\tlines", "`fare` ≥ 3"])
def test_printable_keeps_letters_of_any_script_line_breaks_and_tabs(text):
    assert printable(text) == text


def test_shown_is_one_short_line():
    assert shown("a\nb\tc\x1b[A") == r"a\nb\tc\x1b[A"
    assert shown("x" * 60) == "x" * 60
    assert shown("x" * 10_000) == "x" * 60 + "..."
    assert shown("x" * 10_000, 5) == "xxxxx..."


def test_tell_and_log_records_are_printable(capsys):
    tell("serving `a\x1b[31m`")
    assert capsys.readouterr().err == "serving `a\\x1b[31m`\n"
    record = logging.LogRecord("n", logging.INFO, "f", 1, "no model %s", ("\x1b[2J",), None)
    assert PrintableFormatter("%(message)s").format(record) == r"no model \x1b[2J"


def test_listed_names_the_first_of_many():
    assert listed(["a", "b\n"]) == r"`a`, `b\n`"
    assert listed([]) == ""
    assert listed([str(n) for n in range(30)]).endswith("`18`, `19`, ... (30 in all)")
    assert len(listed(["x" * 10_000] * 10_000)) < 2200
