import inspect
import pickle
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from crossnet.components import errors
from crossnet.components.errors import (
    DivergedError,
    NotBlessedError,
    PipelineError,
    SettingsError,
    TrainingError,
    UnreadableFileError,
)
from crossnet.pipeline.cli.options import prints_errors

CLASSES = [value for _, value in inspect.getmembers(errors, inspect.isclass) if value.__module__ == errors.__name__]


def example_of(kind):
    return kind(Path("run.json"), "it is empty", "Remove it.") if kind is UnreadableFileError else kind("`a` is 'x'.")


def test_every_error_can_be_caught_as_one_kind():
    assert PipelineError in CLASSES
    assert all(issubclass(kind, PipelineError) for kind in CLASSES)
    assert not issubclass(PipelineError, ValueError | OSError)


def test_exit_codes_are_those_of_the_command_line():
    codes = {kind: kind.exit_code for kind in CLASSES}
    assert (codes.pop(SettingsError), codes.pop(NotBlessedError)) == (2, 3)
    assert set(codes.values()) == {1}


@pytest.mark.parametrize("kind", CLASSES)
def test_command_exits_with_the_code_and_prints_the_message_without_a_traceback(kind):
    @click.command()
    @prints_errors
    def fails():
        raise example_of(kind)

    result = CliRunner().invoke(fails)
    assert result.exit_code == kind.exit_code
    assert result.output == f"{example_of(kind)}\n"


def test_divergence_is_a_training_error_that_can_be_told_from_others():
    assert issubclass(DivergedError, TrainingError)
    assert not issubclass(TrainingError, DivergedError)


@pytest.mark.parametrize("kind", CLASSES)
def test_errors_of_a_worker_process_arrive_unchanged(kind):
    error = example_of(kind)
    sent = pickle.loads(pickle.dumps(error))
    assert (type(sent), str(sent), vars(sent), sent.exit_code) == (kind, str(error), vars(error), kind.exit_code)
