"""Measures the rows that ExampleGen and reading handle per CPU second.

Also the memory that they take as rows grow.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from benchmarks.harness import Row, cost, interleave, scatter
from crossnet.components.artifacts.examples import Examples
from crossnet.components.example_gen import generate_examples
from crossnet.components.features import Feature
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.records.dataset import read_dataset
from crossnet.components.records.encoder import encode_examples, slices
from crossnet.components.records.parser import parse_example
from crossnet.components.records.tfrecord import read_records
from crossnet.components.sources.formula import article_rows

ROWS = 1_000_000
LOOP_ROWS = 10_000  # of the slow ways; rates are compared
MILLION = 1e6
UNIT = "M rows per CPU s"


def rows() -> Iterator[Row]:
    """Yields the rows of the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loop = _rate(lambda: _python_loop(folder / "loop"), LOOP_ROWS)
        yield _compare("synthetic to TFRecord", _generate(folder), loop, ">= 60", 60, "tf.train.Example row by row")
        yield _rate_goal("synthetic to TFRecord, rate", _generate(folder), 5)
        yield _rate_goal(
            "with a text column of 0-200 bytes", _rate(lambda: _encode_text(folder / "text"), 200_000), 0.5
        )
        table = pa.Table.from_batches(list(article_rows(seed=1, num_examples=ROWS, num_features=3)))
        pa.csv.write_csv(table, folder / "rows.csv", pa.csv.WriteOptions(quoting_style="none"))
        pa.parquet.write_table(table, folder / "rows.parquet")
        csv = {"source": "csv", "input": str(folder / "rows.csv")}
        yield _rate_goal("CSV of 4 numbers to TFRecord", _generate(folder, **csv), 2)
        parquet = {"source": "parquet", "input": str(folder / "rows.parquet")}
        yield _rate_goal("Parquet of 4 numbers to TFRecord", _generate(folder, **parquet), 3)
        yield from _reading(folder)
        yield from _growth(folder)


def _rate(work: Callable[[], object], count: int) -> Callable[[], float]:
    """Returns a function that does the work and returns millions of rows per CPU second."""
    return lambda: count / cost(work) / MILLION


def _compare(
    case: str, ours: Callable[[], float], other: Callable[[], float], goal: str, least: float, alternative: str
) -> Row:
    a, b, ratio, spread = interleave(ours, other)
    met = ratio >= least
    return Row("data", case, a, b, UNIT, ratio, goal, met, alternative, better="more", scatter=spread)


def _rate_goal(case: str, ours: Callable[[], float], least: float) -> Row:
    rates = sorted(ours() for _ in range(5))
    goal, met = f">= {least} {UNIT}", rates[2] >= least
    return Row("data", case, rates[2], None, UNIT, None, goal, met, better="more", scatter=scatter(rates))


def _generate(folder: Path, **settings: Any) -> Callable[[], float]:
    def work() -> None:
        _examples(folder / "examples", **settings)

    return _rate(work, ROWS)


def _examples(output_dir: Path, **settings: Any) -> Examples:
    shutil.rmtree(output_dir, ignore_errors=True)
    output_dir.mkdir()
    return generate_examples(output_dir=output_dir, params=ExampleGenParams(**{"num_examples": ROWS, **settings}))


def _python_loop(path: Path) -> None:
    """Writes rows one by one, as the tutorials of TFRecord do."""
    import tensorflow as tf

    x = np.random.RandomState(42).randint(200, size=[LOOP_ROWS, 3]) / 200.0
    y = x[:, 0] ** 2 + x[:, 0] * x[:, 1] + x[:, 1] * x[:, 2] + x[:, 2] ** 2
    with tf.io.TFRecordWriter(str(path)) as writer:
        for row, label in zip(x, y, strict=True):
            feature = {
                name: tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
                for name, value in zip(("x0", "x1", "x2", "y"), (*row, label), strict=True)
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


def _text_batch() -> pa.RecordBatch:
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 201, size=200_000)
    letters = rng.integers(97, 123, size=int(lengths.sum()), dtype=np.uint8)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    text = pa.Array.from_buffers(pa.binary(), 200_000, [None, pa.py_buffer(offsets), pa.py_buffer(letters)])
    numbers = [pa.array(rng.random(200_000, dtype=np.float32)) for _ in range(4)]
    return pa.RecordBatch.from_arrays([*numbers, text], names=["x0", "x1", "x2", "y", "text"])


_TEXT: list[pa.RecordBatch] = []


def _encode_text(path: Path) -> None:
    if not _TEXT:
        _TEXT.append(_text_batch())
    with path.open("wb", buffering=0) as stream:
        for piece in slices(_TEXT[0]):
            stream.write(encode_examples(piece).data)


def _reading(folder: Path) -> Iterator[Row]:
    """Compares `read_dataset` with TFRecordDataset.batch.map(parse_example), on records of one layout and of many."""
    import tensorflow as tf

    def hand_written(examples: Examples, features: dict[str, Any]) -> None:
        names = [str(path) for path in examples.shards("train")]
        dataset = tf.data.TFRecordDataset(names).batch(10_000).map(lambda r: tf.io.parse_example(r, features))
        for _ in dataset:
            pass

    def ours(examples: Examples, features: list[Feature]) -> None:
        for _ in read_dataset(examples, "train", features, Feature("y", "FLOAT"), batch_size=10_000):
            pass

    number = tf.io.FixedLenFeature([], tf.float32)
    plain = _records_alone(_examples(folder / "plain"))
    floats = [Feature(f"x{n}", "FLOAT") for n in range(3)]
    yield _compare(
        "read and parse, one layout",
        _rate(lambda: ours(plain, floats), plain.counts["train"]),
        _rate(lambda: hand_written(plain, dict.fromkeys(("x0", "x1", "x2", "y"), number)), plain.counts["train"]),
        ">= 4",
        4,
        "TFRecordDataset.batch(10_000).map(parse_example)",
    )
    rng = np.random.default_rng(1)
    count = 200_000
    mixed_table = {
        "x0": pa.array(rng.random(count), mask=rng.random(count) < 0.1),
        "n": pa.array(rng.integers(0, 1000, size=count)),
        "t": pa.array(np.array(["north", "south", "east", "west"])[rng.integers(0, 4, size=count)]),
        "y": pa.array(rng.random(count)),
    }
    pa.parquet.write_table(pa.table(mixed_table), folder / "mixed.parquet")
    mixed = _examples(folder / "mixed", source="parquet", input=str(folder / "mixed.parquet"))
    _records_alone(mixed)
    spec = {
        "x0": tf.io.FixedLenFeature([], tf.float32, float("nan")),
        "n": tf.io.FixedLenFeature([], tf.int64),
        "t": tf.io.FixedLenFeature([], tf.string),
        "y": number,
    }
    features = [Feature("x0", "FLOAT", required=False), Feature("n", "INT"), Feature("t", "BYTES")]
    yield _compare(
        "read and parse, holes, integers and text",
        _rate(lambda: ours(mixed, features), mixed.counts["train"]),
        _rate(lambda: hand_written(mixed, spec), mixed.counts["train"]),
        ">= 0.9",
        0.9,
        "TFRecordDataset.batch(10_000).map(parse_example)",
    )
    yield _compare(
        "read and parse, holes, integers and text, record by record",
        _rate(lambda: ours(mixed, features), mixed.counts["train"]),
        _rate(lambda: _one_by_one(mixed), LOOP_ROWS),
        ">= 10",
        10,
        "records.parser, record by record",
    )


def _records_alone(examples: Examples) -> Examples:
    """Removes the columns that are kept beside the records, so that reading parses."""
    for path in examples.path.rglob("*.arrow"):
        path.unlink()
    return examples


def _one_by_one(examples: Examples) -> None:
    """Reads the first records with the parser that the mixed reader uses for records written in an unusual way."""
    (path,) = examples.shards("train")
    chunks = read_records(path, examples.compression)
    records = (
        data[start : start + size]
        for data, offsets, lengths, _ in chunks
        for start, size in zip(offsets.tolist(), lengths.tolist(), strict=True)
    )
    for record in itertools.islice(records, LOOP_ROWS):
        parse_example(record)


_CHILD = r"""
import re, sys, time
from pathlib import Path
from crossnet.components.example_gen import generate_examples
from crossnet.components.params.example_gen import ExampleGenParams
output_dir, rows = Path(sys.argv[1]), int(sys.argv[2])
settings = dict(source="csv", input=sys.argv[3]) if len(sys.argv) > 3 else dict(generator="sharded", num_examples=rows)
generate_examples(output_dir=output_dir, params=ExampleGenParams(**settings, split="hash"))
# Not ru_maxrss: a child inherits its parent's.
print(time.process_time(), re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1])
"""


def _growth(folder: Path) -> Iterator[Row]:
    """Compares 10 M rows with 1 M: CPU time and peak memory of a process of its own."""
    for source in ("synthetic", "CSV"):
        times, memory = [], []
        for count in (ROWS, 10 * ROWS):
            arguments = [str(folder / "grown"), str(count)]
            if source == "CSV":
                arguments.append(str(folder / "*.csv"))
                if count > ROWS:  # ten files of a million rows
                    for copy in range(9):
                        shutil.copy(folder / "rows.csv", folder / f"rows-{copy}.csv")
            shutil.rmtree(folder / "grown", ignore_errors=True)
            (folder / "grown").mkdir()
            command = [sys.executable, "-c", _CHILD, *arguments]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            times.append(float(out[0]))
            memory.append(int(out[1]) / 1024)
        ratio = times[1] / times[0]
        yield Row("data", f"{source}, 10 M rows", times[1], times[0], "CPU s", ratio, "<= 11", ratio <= 11, "1 M rows")
        ratio = memory[1] / memory[0]
        yield Row(
            "data", f"{source}, 10 M rows, peak", memory[1], memory[0], "MiB", ratio, "<= 1.2", ratio <= 1.2, "1 M rows"
        )
