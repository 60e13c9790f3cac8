"""Compares what one process makes with what two make."""

import pytest

from crossnet.components.engines.base import IN_PROCESS
from crossnet.components.engines.local import LocalEngine
from support.validation_walk import digests, walk, write_rows


@pytest.fixture(scope="module")
def pool():
    with LocalEngine(2, least_bytes=0) as engine:
        yield engine


@pytest.mark.parametrize(
    "settings",
    [
        {"split": "hash", "num_shards": 3},
        {"split": "random", "num_shards": 2, "compression": "gzip"},
        {"split": "key", "split_column": "id", "num_shards": 1},
        {"split": "order", "num_shards": 5, "text": ("id",)},
    ],
    ids=lambda settings: settings["split"],
)
def test_no_byte_of_the_data_steps_depends_on_the_number_of_processes(tmp_path, pool, settings):
    rows = write_rows(tmp_path / "rows")
    made = {}
    for name, engine in (("one", IN_PROCESS), ("two", pool)):
        done = walk(tmp_path / name, engine=engine, source="csv", input=str(rows / "*.csv"), label="y", **settings)
        artifacts = (done.examples, done.statistics, done.schema, done.anomalies)
        made[name] = digests(tmp_path / name), [(dict(a.counts), dict(a.properties)) for a in artifacts]
    assert made["one"] == made["two"]
    assert len(made["one"][0]) >= 8
    assert {found[2] for found in done.found} >= {"nan", "duplicate_rows"}
