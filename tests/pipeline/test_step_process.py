import pickle
from functools import partial

import pytest

from crossnet.components.errors import UnreadableFileError
from crossnet.pipeline.step_process import StepProcess, results


class Unreadable(Exception):
    """Is pickled, and cannot be made again from that."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


def fail(error, *arguments):
    raise error(*arguments)


def result_of(function):
    with StepProcess("trainer_a", function) as process:
        for _, found in results([process]):
            return found


def test_result_comes_back():
    assert result_of(partial(divmod, 7, 2)) == (3, 1)


def test_error_comes_back_with_its_class_and_its_traceback():
    error = result_of(partial(fail, UnreadableFileError, "a.json", "it is empty"))
    assert (type(error), str(error)) == (UnreadableFileError, "`a.json` cannot be read: it is empty.")
    (note,) = error.__notes__
    assert "in fail\n    raise error(*arguments)" in note


def test_error_that_cannot_be_sent_is_told_in_text():
    with pytest.raises(TypeError):
        pickle.loads(pickle.dumps(Unreadable("a", "b")))
    error = result_of(partial(fail, Unreadable, "a", "b"))
    assert (type(error), str(error)) == (RuntimeError, "Unreadable: a and b")
