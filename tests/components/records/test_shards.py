from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crossnet.components.artifacts.examples import Examples
from crossnet.components.engines.base import IN_PROCESS
from crossnet.components.engines.local import LocalEngine
from crossnet.components.records import shards
from support.example_gen_fixtures import make, make_csv
from support.wide_engine import Wide


@pytest.fixture(scope="module")
def pool() -> Iterator[LocalEngine]:
    with LocalEngine(2, least_bytes=0) as engine:
        yield engine


def files_of(examples: Examples) -> dict[str, bytes]:
    files = (path for path in examples.path.rglob("*") if path.is_file())
    return {path.relative_to(examples.path).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("split", ["order", "hash"])
def test_shards_are_equal_for_any_number_of_workers(tmp_path: Path, pool: LocalEngine, split: str) -> None:
    settings: dict[str, Any] = {
        "generator": "sharded", "num_examples": 150_000, "split": split, "num_shards": 2,
    }  # fmt: skip
    one, two = (files_of(make(tmp_path, engine=engine, **settings)) for engine in (IN_PROCESS, pool))
    assert one == two
    assert len(one) == 8 + (split == "hash")  # records and columns


class Twice(Wide):
    """Starts another attempt at each job when all are done, as a scheduler does that has lost sight of a worker."""

    def map(self, function, jobs):
        yield from list(super().map(function, jobs))
        for job in jobs:
            with contextlib.suppress(OSError):
                function(*job)


def test_a_late_attempt_that_breaks_leaves_the_shards_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, Any] = {"generator": "sharded", "num_examples": 1000, "num_shards": 2}
    wanted, copy, copied = files_of(make(tmp_path, **settings)), shards._copy, []

    def broken(path: Path, ranges: list[Any]) -> None:
        copied.append(path)
        copy(path, ranges)
        if len(copied) > 4:
            path.write_bytes(path.read_bytes()[:10])
            raise OSError("the worker is gone")

    monkeypatch.setattr(shards, "_copy", broken)
    assert files_of(make(tmp_path, engine=Twice(2), **settings)) == wanted
    assert len(copied) == 8


def test_shards_of_several_files_are_equal_for_any_number_of_workers(tmp_path: Path, pool: LocalEngine) -> None:
    for number in range(3):
        rows = "".join(f"{n}.5,w{n},{n}\n" for n in range(50 * number, 50 * number + 77))
        (tmp_path / f"{number}.csv").write_text("a,t,y\n" + rows)
    settings: dict[str, Any] = {"source": "csv", "input": str(tmp_path / "*.csv"), "split": "random", "num_shards": 5}
    one, two = (files_of(make(tmp_path, engine=engine, **settings)) for engine in (IN_PROCESS, pool))
    assert one == two


def test_shards_differ_by_at_most_one_row_and_join_to_the_single_shard(tmp_path: Path) -> None:
    text = "t,y\n" + "".join(f"{'w' * (n % 50)},{n}\n" for n in range(1003))
    whole, cut = make_csv(tmp_path, text), make_csv(tmp_path, text, num_shards=4)
    for split in ("train", "eval"):
        (single,) = whole.shards(split)
        assert b"".join(path.read_bytes() for path in cut.shards(split)) == single.read_bytes()
        assert [path.name for path in cut.shards(split)] == [f"data_tfrecord-{n:05d}-of-00004" for n in range(4)]


def test_gzip_shards_hold_the_plain_bytes_and_no_time_stamp(tmp_path: Path) -> None:
    import gzip

    plain = make(tmp_path, num_examples=1000, num_shards=2)
    packed = [make(tmp_path, num_examples=1000, num_shards=2, compression="gzip") for _ in range(2)]
    assert files_of(packed[0]) == files_of(packed[1])
    for split in ("train", "eval"):
        for left, right in zip(plain.shards(split), packed[0].shards(split), strict=True):
            assert right.name == f"{left.name}.gz"
            assert gzip.decompress(right.read_bytes()) == left.read_bytes()


def test_gzip_shards_are_read_by_tensorflow(tmp_path: Path) -> None:
    import tensorflow as tf

    examples = make(tmp_path, num_examples=1000, num_shards=2, compression="gzip")
    names = [str(path) for path in examples.shards("train")]
    assert sum(1 for _ in tf.data.TFRecordDataset(names, compression_type=examples.compression)) == 900


def test_there_may_be_more_shards_than_rows(tmp_path: Path) -> None:
    examples = make(tmp_path, num_examples=5, num_shards=3)
    assert [path.stat().st_size > 0 for path in examples.shards("eval")] == [False, False, True]
