import contextlib
import errno
import io
import os
import sys

import pytest

from crossnet.pipeline.cli.output import name_output, output_problem


@pytest.fixture
def output(monkeypatch):
    """Makes a file the process's standard output, under the name that its errors have."""

    with contextlib.ExitStack() as stack:

        def connect(path):
            monkeypatch.setattr(sys, "stdout", stack.enter_context(open(path, "w")))
            name_output()
            return stack.enter_context(sys.stdout)

        yield connect


def test_output_that_is_full_is_named_once_and_then_goes_nowhere(output):
    stream = output("/dev/full")
    stream.write("table")
    with pytest.raises(OSError, match="No space left on device: 'standard output'") as caught:
        stream.flush()
    assert output_problem(caught.value) == (
        "Cannot write standard output: No space left on device. What it should have shown is lost: call again with "
        "room for it."
    )
    stream.flush()


def test_output_keeps_what_was_written_and_its_encoding(output, tmp_path):
    stream = output(tmp_path / "out")
    assert stream.write("größer") == 6
    stream.flush()
    assert (tmp_path / "out").read_text(encoding=stream.encoding) == "größer"
    assert not stream.isatty()


def test_an_error_of_a_file_is_no_problem_of_the_output():
    assert output_problem(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "run.json")) is None
    assert output_problem(ValueError("no")) is None


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_a_closed_or_captured_output_stays_as_it_is(monkeypatch, stream):
    monkeypatch.setattr(sys, "stdout", stream)
    name_output()
    assert sys.stdout is stream
