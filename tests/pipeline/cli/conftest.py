"""Calls the command line in an empty working directory."""

import pytest
from click.testing import CliRunner

from crossnet.pipeline.cli import cli


@pytest.fixture
def crossnet(tmp_path, monkeypatch):
    """Calls the command line with arguments and returns click's result."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CROSSNET_ROOT", raising=False)
    return lambda *arguments: CliRunner().invoke(cli, arguments, catch_exceptions=False, prog_name="crossnet")


@pytest.fixture
def ran(crossnet):
    """What `run` returned for the first two steps, in ./crossnet_root."""
    done = crossnet("run", "--run", "first", "--until", "statistics_gen", "--set", "example_gen.num_examples=300")
    assert done.exit_code == 0, done.stderr
    return done
