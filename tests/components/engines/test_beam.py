"""Runs jobs as pipelines of Apache Beam on this machine; `make scale` installs what that needs."""

import importlib.util
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from crossnet.components.engines.base import IN_PROCESS
from crossnet.components.engines.beam import LEAST_BYTES, BeamEngine
from crossnet.components.errors import DataError, PipelineError, SettingsError
from support import REPOSITORY
from support.evaluation_walk import FILES, evaluated, make_judged
from support.serving_fixtures import wait_until
from support.validation_walk import digests, walk, write_rows

HAS_BEAM = importlib.util.find_spec("apache_beam") is not None
needs_beam = pytest.mark.skipif(not HAS_BEAM, reason="`make scale` installs apache-beam in .venv-beam and runs this")
TWO_PROCESSES = {"direct_running_mode": "multi_processing", "direct_num_workers": "2"}


def beam(options=None, **settings):
    return BeamEngine(options or {}, least_bytes=0, **settings)


@pytest.fixture
def for_workers(monkeypatch):
    """Workers of Beam import this module and the package of this folder."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests")]))


def fail(folder: str, number: int) -> int:
    (Path(folder) / f"{number}-{os.getpid()}").touch()
    if number:
        raise DataError(f"rows.csv:{number}: 2 cells, expected 3.")
    return number


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_little_work_starts_no_beam():
    engine = BeamEngine({"runner": "PortableRunner", "job_endpoint": "127.0.0.1:1"})
    assert engine.for_bytes(LEAST_BYTES - 1) is IN_PROCESS
    assert engine.for_bytes(LEAST_BYTES) is engine
    assert list(engine.map(abs, [(-1,)])) == [1]


@pytest.mark.parametrize(
    ("options", "number", "width"),
    [
        ({"runner": "DataflowRunner", "max_num_workers": "40", "num_workers": "4"}, None, 40),
        ({"runner": "FlinkRunner", "parallelism": "12"}, None, 12),
        ({"direct_num_workers": "3"}, None, 3),
        ({"direct_num_workers": "3"}, 7, 7),
        ({"direct_num_workers": "0"}, None, len(os.sched_getaffinity(0))),  # Beam's way to say: all cores
        ({}, None, len(os.sched_getaffinity(0))),
    ],
)
def test_work_is_cut_for_as_many_workers_as_the_settings_name(options, number, width):
    assert BeamEngine(options, number).width == width


@pytest.mark.skipif(HAS_BEAM, reason="the extra beam is installed")
def test_a_beam_that_is_not_installed_is_said():
    with beam() as engine, pytest.raises(SettingsError) as raised:
        list(engine.map(abs, [(-1,), (-2,)]))
    assert str(raised.value) == (
        "`engine` is beam, and apache-beam is not installed. Install it in an environment of its own, because it takes "
        "older versions of protobuf and pyarrow: pip install 'crossnet-pipeline[beam]'."
    )


@needs_beam
@pytest.mark.slow
def test_results_have_the_order_of_the_jobs_and_leave_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    handlers = list(logging.getLogger().handlers)
    with beam() as engine:
        assert list(engine.map(divmod, [(n, 7) for n in range(30)])) == [divmod(n, 7) for n in range(30)]
        results = engine.map(divmod, [(n, 7) for n in range(3)])
        assert next(results) == (0, 0)
        results.close()
    assert list(tmp_path.iterdir()) == []
    assert logging.getLogger().handlers == handlers  # Beam puts one there


@needs_beam
@pytest.mark.slow
def test_results_come_through_the_folder_that_the_options_name(tmp_path):
    (tmp_path / "shared").mkdir()
    with beam({"temp_location": str(tmp_path / "shared")}) as engine:
        results = engine.map(os.listdir, [(str(tmp_path / "shared"),)] * 2)
        assert next(results)[0].startswith("crossnet-results-")
        list(results)
    assert list((tmp_path / "shared").iterdir()) == []


@needs_beam
@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, TWO_PROCESSES], ids=["memory", "processes"])
def test_the_error_is_that_of_the_first_job_that_fails_and_no_job_is_tried_again(tmp_path, options, for_workers):
    with beam(options) as engine, pytest.raises(DataError, match=r"^rows.csv:1: 2 cells, expected 3\.$"):
        list(engine.map(fail, [(str(tmp_path), number) for number in range(3)]))
    assert sorted(path.name[0] for path in tmp_path.iterdir()) == ["0", "1", "2"]


@needs_beam
@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, TWO_PROCESSES], ids=["memory", "processes"])
def test_the_data_steps_make_the_same_bytes_as_in_one_process(tmp_path, options, for_workers):
    rows = write_rows(tmp_path / "rows")
    settings = {"split": "hash", "num_shards": 3, "source": "csv", "input": str(rows / "*.csv"), "label": "y"}
    made = {}
    for name, engine in (("local", IN_PROCESS), ("beam", beam(options, num_workers=2))):
        done = walk(tmp_path / name, engine=engine, **settings)
        artifacts = (done.examples, done.statistics, done.schema, done.anomalies)
        made[name] = digests(tmp_path / name), [(dict(a.counts), dict(a.properties)) for a in artifacts]
    assert made["local"] == made["beam"]


@needs_beam
@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, TWO_PROCESSES], ids=["memory", "processes"])
def test_the_evaluator_makes_the_same_bytes_as_in_one_process(tmp_path, options, for_workers, monkeypatch):
    judged = make_judged(tmp_path)
    one = evaluated(tmp_path / "local", judged, IN_PROCESS, monkeypatch)
    with beam(options) as engine:
        assert evaluated(tmp_path / "beam", judged, engine, monkeypatch) == one
    assert len(one[0]) == FILES


@needs_beam
@pytest.mark.slow
def test_a_killed_process_of_a_worker_is_one_sentence(for_workers):
    """Beam itself waits for it for ever."""
    with beam(TWO_PROCESSES) as engine, pytest.raises(PipelineError) as raised:
        list(engine.map(die, [(), ()]))
    assert str(raised.value).startswith("Beam (runner in memory) has not done `die`: Worker subprocess exited with ")


@needs_beam
@pytest.mark.slow
def test_a_runner_elsewhere_gets_the_jobs(tmp_path, for_workers):
    """A job server of Beam's own, in another process, that starts workers in processes of theirs."""
    port_file = tmp_path / "port"
    module = "apache_beam.runners.portability.local_job_service_main"
    command = [sys.executable, "-m", module, "--port_file", str(port_file)]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True) as server,
    ):
        try:
            wait_until(lambda: port_file.exists() and port_file.read_text().strip(), seconds=60)
            options = {
                "runner": "PortableRunner",
                "job_endpoint": f"localhost:{port_file.read_text().strip()}",
                "environment_type": "LOOPBACK",
            }
            with beam(options) as engine:
                assert list(engine.map(divmod, [(n, 7) for n in range(5)])) == [divmod(n, 7) for n in range(5)]
                with pytest.raises(DataError, match=r"^rows.csv:1: 2 cells, expected 3\.$"):
                    list(engine.map(fail, [(str(tmp_path), number) for number in range(3)]))
        finally:
            os.killpg(server.pid, signal.SIGKILL)


@needs_beam
@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"direct_num_workers": "two"}, "argument --direct_num_workers: invalid int value: 'two'."),
        ({"max_num_worker": "3"}, "`engine_options` names what Beam does not know: max_num_worker. Expected pipeline "),
    ],
)
def test_an_option_that_beam_does_not_take_is_one_sentence(options, sentence, capsys):
    with beam(options) as engine, pytest.raises(SettingsError) as raised:
        list(engine.map(abs, [(-1,), (-2,)]))
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)
    assert capsys.readouterr().err == ""


@needs_beam
@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"runner": "PortableRunner", "job_endpoint": "127.0.0.1:1", "job_server_timeout": "2"}, "FutureTimeoutError"),
        ({"runner": "NoRunner"}, "Unexpected pipeline runner: NoRunner"),
        ({"runner": "DataflowRunner"}, "Missing required option: project"),
    ],
)
def test_a_runner_that_does_not_answer_is_one_sentence_within_a_minute(options, reason):
    start = time.monotonic()
    with beam(options) as engine, pytest.raises(PipelineError) as raised:
        list(engine.map(abs, [(-1,), (-2,)]))
    assert time.monotonic() - start < 60
    assert str(raised.value).startswith(f"Beam (runner {options['runner']}) has not done `abs`: ")
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 1
