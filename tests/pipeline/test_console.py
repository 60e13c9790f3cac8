import logging
import os
import sys
import warnings

import pytest
from rich.console import Console

from crossnet.components import progress
from crossnet.pipeline.console import LiveLine, PlainConsole, Reporter
from crossnet.serving.config import flags


@pytest.mark.filterwarnings("default")
def test_logging_to_keeps_what_libraries_say_in_the_file(tmp_path, capfd):
    reporter = Reporter()
    with reporter.logging_to(tmp_path / "log.txt"):
        os.write(1, b"from C++\n")
        logging.getLogger(flags.__name__).info("from a step")
        warnings.warn("from a library", UserWarning, stacklevel=1)
        reporter.line("from us")
    text = (tmp_path / "log.txt").read_text()
    assert [word in text for word in ("from C++", "from a step", "from a library")] == [True] * 3
    out, err = capfd.readouterr()
    assert (out, err) == ("", "from us\n")
    os.write(1, b"on the screen again\n")
    assert capfd.readouterr().out == "on the screen again\n"


def test_reporter_is_silent_when_quiet(capsys):
    reporter = Reporter(quiet=True, verbose=True)
    with reporter.working("trainer"):
        reporter.line("a line")
        reporter.detail("a detail")
    assert capsys.readouterr().err == ""


def test_reporter_tells_the_time_left_from_the_share_that_is_done(capsys, monkeypatch):
    clock = iter([100.0, 130.0, 100.0, 400.0, 100.0, 3100.0])
    monkeypatch.setattr("crossnet.pipeline.console.time.monotonic", lambda: next(clock))
    reporter = Reporter(verbose=True)
    with reporter.working("trainer"):
        reporter.detail("epoch 3 of 4", 0.75)
    assert capsys.readouterr().err == "  epoch 3 of 4, about 10 s left\n"
    with reporter.working("trainer"):
        reporter.detail("epoch 1 of 2: loss 0.25", 0.5)  # what stands last is cut on a narrow terminal
    with reporter.working("trainer"):
        reporter.detail("epoch 1 of 4: loss 0.25", 0.25)
    assert capsys.readouterr().err.splitlines() == [
        "  epoch 1 of 2, about 5 min left: loss 0.25",
        "  epoch 1 of 4, about 2 h 30 min left: loss 0.25",
    ]


def test_a_terminal_alone_shows_how_much_of_its_data_a_step_has_gone_through(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("crossnet.pipeline.console.time.monotonic", lambda: now[0])
    reporter = Reporter(verbose=True)
    with (tmp_path / "screen").open("w") as screen:
        for terminal, shown in ((True, "example_gen 90 s  rows: 25 %, about 3 min left"), (False, "example_gen 90 s")):
            reporter._console = PlainConsole(file=screen, force_terminal=terminal)
            with reporter.working("example_gen"):
                now[0] += 30  # before it reads
                progress.begin("rows", {tmp_path: 8.0})
                now[0] += 60
                progress.reached(tmp_path, 1, 4)
                assert reporter._shown() == shown


def test_live_line_leaves_pythons_streams_alone(tmp_path):
    """On a terminal rich would take sys.stderr, and what libraries print would reach the screen."""
    with (tmp_path / "screen").open("w") as screen:
        streams = sys.stdout, sys.stderr
        with LiveLine(Console(file=screen, force_terminal=True), "trainer") as line:
            line.update("epoch [1] of 2")
            assert (sys.stdout, sys.stderr) == streams
    assert "epoch [1] of 2" in (tmp_path / "screen").read_text()


def test_reporter_shows_escapes_in_lines_details_and_the_log(tmp_path, capfd):
    reporter = Reporter(verbose=True)
    with reporter.logging_to(tmp_path / "log.txt"):
        logging.getLogger(flags.__name__).info("read `a\x1b[31m`")
        reporter.line("`b\x1b[31m\u202e`")
    assert capfd.readouterr().err.splitlines() == [r"  read `a\x1b[31m`", r"`b\x1b[31m\u202e`"]
    assert r"read `a\x1b[31m`" in (tmp_path / "log.txt").read_text()


def test_live_line_shows_escapes(tmp_path):
    with (
        (tmp_path / "screen").open("w") as screen,
        LiveLine(PlainConsole(file=screen, force_terminal=True), "a") as line,
    ):
        line.update("epoch \x1b]0;owned\x07")
    assert r"epoch \x1b]0;owned\x07" in (tmp_path / "screen").read_text()


def test_a_narrow_terminal_cuts_the_live_line(tmp_path):
    with (
        (tmp_path / "screen").open("w") as screen,
        LiveLine(PlainConsole(file=screen, force_terminal=True, width=30), "a") as line,
    ):
        line.update("trainer  epoch 3 of 4: loss 0.25, about 10 s left\n  other  at work")
    shown = (tmp_path / "screen").read_text()
    assert "trainer  epoch 3 of 4: loss" in shown
    assert "…" in shown
    assert "10 s left" not in shown
    assert "other  at work" in shown


def test_a_step_that_takes_long_shows_its_time_and_what_it_logged_last(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("crossnet.pipeline.console.time.monotonic", lambda: now[0])
    reporter = Reporter()
    reporter.begin("example_gen")
    assert reporter._shown() == "example_gen"
    reporter.begin("trainer")
    reporter.detail("epoch 1 of 4: loss 0.25", step="trainer")
    now[0] += 75
    assert reporter._shown() == "example_gen 75 s\n  trainer 75 s  epoch 1 of 4: loss 0.25"
    reporter.end("example_gen")
    now[0] += 75
    assert reporter._shown() == "trainer 2 min  epoch 1 of 4: loss 0.25"
