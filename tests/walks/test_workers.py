"""Compares what one process makes with what two make."""

from pathlib import Path

import pytest

from crossnet.components.engines.base import IN_PROCESS
from crossnet.components.engines.local import LocalEngine
from support.validation_walk import digests, walk


@pytest.fixture(scope="module")
def pool():
    with LocalEngine(2, least_bytes=0) as engine:
        yield engine


def write_rows(folder: Path, files: int = 3) -> Path:
    """Numbers, text with holes, NaN and infinities, rows that repeat within a file, across files and splits."""
    folder.mkdir()
    for number in range(files):
        lines = ["id,x,zone,y"]
        for row in range(400):
            x = ("nan", "inf", "")[row % 3] if row % 97 == number else f"{row % 50}.{row % 7}"
            lines.append(f"{row // 2 + 100 * number},{x},{'abc'[row % 3] if row % 11 else ''},{row % 13}.5")
        lines += lines[40:60]
        (folder / f"{number}.csv").write_text("\n".join(lines) + "\n")
    return folder


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
