import inspect
import pickle

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
)
from crossnet.pipeline.cli.options import prints_errors

CLASSES = [value for _, value in inspect.getmembers(errors, inspect.isclass)]


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
        raise kind("`seed` is 'x', expected a whole number.")

    result = CliRunner().invoke(fails)
    assert result.exit_code == kind.exit_code
    assert result.output == "`seed` is 'x', expected a whole number.\n"


def test_divergence_is_a_training_error_that_can_be_told_from_others():
    assert issubclass(DivergedError, TrainingError)
    assert not issubclass(TrainingError, DivergedError)


@pytest.mark.parametrize("kind", CLASSES)
def test_errors_of_a_worker_process_arrive_unchanged(kind):
    sent = pickle.loads(pickle.dumps(kind("`a.csv:3` is a short row.")))
    assert (type(sent), str(sent), sent.exit_code) == (kind, "`a.csv:3` is a short row.", kind.exit_code)
