import io
import os

import pytest

from crossnet.pipeline.wrapping import columns, fitted, wrapped

RULE = "  passed   `cross_layer` has eval rmse 0.693 on 191 rows, 25.7 % below the 0.933 of baseline `dense`."
SENTENCE = "Unknown setting `evaluator.slice_columns`. Did you mean `evaluator.slices`? Received it in a.toml."


@pytest.fixture
def terminal():
    """A terminal of 60 columns, as a stream to write to."""
    import fcntl
    import struct
    import termios

    leader, follower = os.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    with os.fdopen(follower, "w") as stream:
        yield stream
    os.close(leader)


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


def test_a_terminal_gets_lines_of_its_width(terminal, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert columns(terminal) == 60
    assert fitted(f"{SENTENCE}\nShort.", terminal).split("\n") == [
        "Unknown setting `evaluator.slice_columns`. Did you mean",
        "  `evaluator.slices`? Received it in a.toml.",
        "Short.",
    ]
    monkeypatch.setenv("COLUMNS", "200")
    assert fitted(SENTENCE, terminal) == SENTENCE


def test_a_file_gets_lines_as_they_are(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert fitted(SENTENCE, io.StringIO()) == SENTENCE
    closed = io.StringIO()
    closed.close()
    assert fitted(SENTENCE, closed) == SENTENCE
    assert fitted(SENTENCE, None) == SENTENCE  # a process without standard error
