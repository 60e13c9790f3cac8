"""Runs jobs on a small cluster of Spark, two executors on this machine; `make scale` installs what that needs."""

import importlib.util
import os
import shutil
import signal
from pathlib import Path

import pytest

from crossnet.components.engines.base import IN_PROCESS
from crossnet.components.engines.spark import LEAST_BYTES, SparkEngine
from crossnet.components.errors import DataError, PipelineError, SettingsError
from support import REPOSITORY
from support.evaluation_walk import FILES, evaluated, make_judged
from support.validation_walk import digests, walk, write_rows

HAS_SPARK = importlib.util.find_spec("pyspark") is not None
HAS_JAVA = "JAVA_HOME" in os.environ or shutil.which("java") is not None
needs_spark = pytest.mark.skipif(
    not (HAS_SPARK and HAS_JAVA), reason="`make scale` installs pyspark and runs this, where there is Java 17"
)


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spark")
    os.environ["SPARK_WORKER_DIR"] = str(folder)
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests")])
    options = {
        "spark.master": "local-cluster[2,1,1024]",
        "spark.executorEnv.PYTHONPATH": path,
        "spark.local.dir": str(folder),
    }
    with SparkEngine(options, least_bytes=0) as engine:
        yield engine


def die_once(marker: str, number: int, whom: str) -> int:
    """Kills its process, or the executor that has started it, at the first attempt."""
    file = Path(marker)
    if number == 1 and not file.exists():
        file.touch()
        victim = os.getpid()
        while whom == "executor" and b"java" not in Path(f"/proc/{victim}/cmdline").read_bytes().split(b"\0")[0]:
            victim = int(Path(f"/proc/{victim}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(victim, signal.SIGKILL)
    return number * 10


def fail(folder: str, number: int) -> int:
    (Path(folder) / f"{number}-{os.getpid()}").touch()
    if number:
        raise DataError(f"rows.csv:{number}: 2 cells, expected 3.")
    return number


def always_die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_little_work_starts_no_spark():
    engine = SparkEngine({"spark.master": "spark://127.0.0.1:1"})
    assert engine.for_bytes(LEAST_BYTES - 1) is IN_PROCESS
    assert engine.for_bytes(LEAST_BYTES) is engine
    assert list(engine.map(abs, [(-1,)])) == [1]


@pytest.mark.skipif(HAS_SPARK, reason="the extra spark is installed")
def test_a_spark_that_is_not_installed_is_said():
    with SparkEngine({}, least_bytes=0) as engine, pytest.raises(SettingsError) as raised:
        _ = engine.width
    assert str(raised.value) == (
        "`engine` is spark, and pyspark is not installed. Install it, with Java 17: pip install "
        "'crossnet-pipeline[spark]'."
    )


@needs_spark
@pytest.mark.slow
def test_results_have_the_order_of_the_jobs(spark):
    assert spark.width == 2
    assert list(spark.map(divmod, [(n, 7) for n in range(9)])) == [divmod(n, 7) for n in range(9)]
    assert os.getpid() not in set(spark.map(os.getpid, [(), ()]))


@needs_spark
@pytest.mark.slow
@pytest.mark.parametrize("whom", ["worker", "executor"])
def test_a_job_whose_process_is_killed_is_run_again(spark, tmp_path, whom):
    jobs = [(str(tmp_path / "marker"), number, whom) for number in range(4)]
    assert list(spark.map(die_once, jobs)) == [0, 10, 20, 30]
    assert (tmp_path / "marker").exists()


@needs_spark
@pytest.mark.slow
def test_the_error_is_that_of_the_first_job_that_fails_and_no_job_is_tried_again(spark, tmp_path):
    with pytest.raises(DataError, match=r"^rows.csv:1: 2 cells, expected 3\.$"):
        list(spark.map(fail, [(str(tmp_path), number) for number in range(3)]))
    assert sorted(path.name[0] for path in tmp_path.iterdir()) == ["0", "1", "2"]


@needs_spark
@pytest.mark.slow
def test_the_data_steps_make_the_same_bytes_as_in_one_process(spark, tmp_path):
    rows = write_rows(tmp_path / "rows")
    settings = {"split": "hash", "num_shards": 3, "source": "csv", "input": str(rows / "*.csv"), "label": "y"}
    made = {}
    for name, engine in (("local", IN_PROCESS), ("spark", spark)):
        done = walk(tmp_path / name, engine=engine, **settings)
        artifacts = (done.examples, done.statistics, done.schema, done.anomalies)
        made[name] = digests(tmp_path / name), [(dict(a.counts), dict(a.properties)) for a in artifacts]
    assert made["local"] == made["spark"]


@needs_spark
@pytest.mark.slow
def test_the_evaluator_makes_the_same_bytes_as_in_one_process(spark, tmp_path, monkeypatch):
    judged = make_judged(tmp_path)
    one = evaluated(tmp_path / "local", judged, IN_PROCESS, monkeypatch)
    assert evaluated(tmp_path / "spark", judged, spark, monkeypatch) == one
    assert len(one[0]) == FILES


@needs_spark
@pytest.mark.slow
def test_a_job_that_always_kills_its_process_is_given_up_in_one_sentence(spark):
    """The last test that uses the fixture's cluster: it ends Spark's process."""
    with pytest.raises(PipelineError) as raised:
        list(spark.map(always_die, [(), ()]))
    assert str(raised.value).startswith("Spark has given up on `always_die`: ")
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 1


@needs_spark
@pytest.mark.slow
def test_a_java_that_is_not_there_is_one_sentence(monkeypatch):
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    with SparkEngine({"spark.master": "local[2]"}, least_bytes=0) as engine, pytest.raises(PipelineError) as raised:
        _ = engine.width
    assert str(raised.value).startswith("Spark does not start: ")
    assert "It needs Java 17 on the path or in JAVA_HOME" in str(raised.value)
