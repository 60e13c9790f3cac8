from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossnet.components.artifacts.examples import Examples
from crossnet.components.engines.local import LocalEngine
from crossnet.components.errors import DataError
from crossnet.components.example_gen import generate_examples
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.records.dataset import read_columns
from support.example_gen_fixtures import make as make_by


def make(tmp_path: Path, **settings: object) -> Examples:
    output_dir = tmp_path / "examples"
    output_dir.mkdir()
    return generate_examples(output_dir=output_dir, params=ExampleGenParams(**settings))  # type: ignore[arg-type]


def table(examples: Examples, split: str) -> np.ndarray:
    batches = list(read_columns(examples, split, batch_size=10_000))
    return np.stack([np.concatenate([b[name].values for b in batches]) for name in batches[0]], axis=1)


def test_synthetic_is_the_articles_table_to_the_digit(tmp_path: Path) -> None:
    examples = make(tmp_path)
    train, held = table(examples, "train"), table(examples, "eval")
    assert (train.shape, held.shape) == ((90_000, 4), (10_000, 4))
    mean = train[:, 3].astype(float).mean()
    rmse = [float(np.sqrt(((rows[:, 3] - mean) ** 2).mean())) for rows in (train, held)]
    assert [f"{value:.4f}" for value in rmse] == ["0.6893", "0.6889"]
    rows = np.concatenate([train, held])
    assert len(rows) - len(np.unique(rows, axis=0)) == 662
    known = {row.tobytes() for row in train}
    assert sum(row.tobytes() in known for row in held) == 127


def test_generate_examples_leaves_only_the_artifacts_files(tmp_path: Path) -> None:
    examples = make(tmp_path, num_examples=1000, num_shards=2, split="random")
    files = sorted(path.relative_to(examples.path).as_posix() for path in examples.path.rglob("*") if path.is_file())
    assert files == [
        "Split-eval/data_columns-00000-of-00002.arrow",
        "Split-eval/data_columns-00001-of-00002.arrow",
        "Split-eval/data_tfrecord-00000-of-00002",
        "Split-eval/data_tfrecord-00001-of-00002",
        "Split-train/data_columns-00000-of-00002.arrow",
        "Split-train/data_columns-00001-of-00002.arrow",
        "Split-train/data_tfrecord-00000-of-00002",
        "Split-train/data_tfrecord-00001-of-00002",
        "rows.codes",
    ]
    assert examples.splits == ("train", "eval")
    assert sum(examples.counts.values()) == 1000


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_records_keep_the_sources_order_whatever_the_number_of_shards(tmp_path: Path, compression: str) -> None:
    tables = []
    for shards in (1, 3):
        folder = tmp_path / str(shards)
        folder.mkdir()
        tables.append(table(make(folder, num_examples=5000, num_shards=shards, compression=compression), "train"))
    np.testing.assert_array_equal(*tables)


def test_a_fault_found_by_a_worker_reads_the_same(tmp_path: Path) -> None:
    for number, text in enumerate(["a,y\n1,2\n3,4\n", "a,y\n1,2\n3\n"]):
        (tmp_path / f"{number}.csv").write_text(text)
    settings = {"source": "csv", "input": str(tmp_path / "*.csv"), "text": ("a",)}
    fault = r"`1.csv:3` is a short row: it has 1 cell, the header has 2 columns"
    with LocalEngine(2, least_bytes=0) as engine, pytest.raises(DataError, match=fault):
        make_by(tmp_path, engine=engine, **settings)


def test_splitting_needs_no_more_than_one_row_per_split_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "two.csv").write_text("a,y\n1,2\n3,4\n")
    assert make(tmp_path, source="csv", input=str(tmp_path / "two.csv")).counts == {"train": 1, "eval": 1}
