import io

import pytest
from rich.console import Console

from crossnet.pipeline.cli.prose import print_text, wrapped

RULE = "  passed   `cross_layer` has eval rmse 0.693 on 191 rows, 25.7 % below the 0.933 of baseline `dense`."


def printed(text, **options):
    stream = io.StringIO()
    print_text(Console(file=stream, soft_wrap=True, highlight=False, **options), text)
    return stream.getvalue()


def test_rules_are_wrapped_at_words_and_keep_a_number_with_its_percent_sign():
    lines = wrapped(RULE, 60)
    assert lines == [
        "  passed   `cross_layer` has eval rmse 0.693 on 191 rows,",
        "    25.7 % below the 0.933 of baseline `dense`.",
    ]
    assert wrapped(RULE, 63)[0].endswith("191 rows,")  # "25.7" alone would fit
    assert wrapped(RULE, 200) == [RULE]
    assert " ".join(line.strip() for line in wrapped("word " * 30 + "end", 50)) == "word " * 30 + "end"


@pytest.mark.parametrize("line", ["  cross_layer   90,144   0.695   0.693   champion", f"/{'x' * 90}", RULE[:9]])
def test_tables_and_long_words_are_left_as_they_are(line):
    assert wrapped(line, 45) == [line]


def test_without_a_terminal_nothing_is_wrapped_or_coloured():
    assert printed(RULE, width=60) == f"{RULE}\n"
    assert printed("a\x1b[31mb") == "a\\x1b[31mb\n"


def test_verdicts_have_colours_on_a_terminal():
    terminal = {"force_terminal": True, "color_system": "standard", "width": 60}
    assert printed(RULE, **terminal).startswith("\x1b[32m  passed\x1b[0m   `cross_layer` has")
    assert "\x1b[31m  FAILED\x1b[0m" in printed("  FAILED   no", **terminal)
    assert "\x1b[31mNOT_BLESSED\x1b[0m: no" in printed("NOT_BLESSED: no", **terminal)
    assert "dense: \x1b[32mblessed\x1b[0m" in printed("dense: blessed", **terminal)
    assert "\x1b[31m" not in printed("a word FAILED inside", **terminal)
