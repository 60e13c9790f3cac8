import io

from rich.console import Console

from crossnet.pipeline.cli.prose import print_text

RULE = "  passed   `cross_layer` has eval rmse 0.693 on 191 rows, 25.7 % below the 0.933 of baseline `dense`."


def printed(text, **options):
    stream = io.StringIO()
    print_text(Console(file=stream, soft_wrap=True, highlight=False, **options), text)
    return stream.getvalue()


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
