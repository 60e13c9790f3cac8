"""The columns that are kept beside the records, against the records."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossnet.components import statistics_gen
from crossnet.components.artifacts.examples import Examples, columns_path
from crossnet.components.engines.base import IN_PROCESS
from crossnet.components.engines.local import LocalEngine
from crossnet.components.errors import DataError
from crossnet.components.example_validator import validate_examples
from crossnet.components.params.example_validator import ExampleValidatorParams
from crossnet.components.params.schema_gen import SchemaGenParams
from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.components.records import batches, kept_columns
from crossnet.components.records.arrow_columns import as_array, stored_type
from crossnet.components.records.dataset import read_columns
from crossnet.components.records.kept_batches import columns_of
from crossnet.components.records.kept_columns import has_columns
from crossnet.components.schema_gen import infer_schema
from crossnet.components.statistics_gen import generate_statistics
from support.example_gen_fixtures import make, make_csv


def mixed_csv() -> str:
    """Returns 500 rows: holes, NaN, negative and large whole numbers, texts with any bytes, long ones, repeats."""
    random = np.random.default_rng(3)
    rows = [
        f"{random.normal() if n % 3 else ''},{n % 7 if n % 5 else -(2**62)},{'nan' if n == 40 else n / 8},"
        f'"w{n % 11},é",{"long " * (n % 40) if n % 4 else ""},{n % 13}'
        for n in range(400)
    ]
    return "\n".join(["a,n,b,t,u,y", *rows, *rows[:100]]) + "\n"


def lists_table() -> pa.Table:
    numbers = [[float(k) for k in range(n % 4)] if n % 9 else None for n in range(300)]
    words = [[f"w{k}".encode() for k in range(n % 3)] for n in range(300)]
    return pa.table({"v": numbers, "w": pa.array(words, pa.list_(pa.binary())), "y": list(range(300))})


def from_csv(folder: Path, **settings: Any) -> Examples:
    return make_csv(folder, mixed_csv(), split="hash", eval_fraction=0.3, **settings)


def from_parquet(folder: Path, **settings: Any) -> Examples:
    pq.write_table(lists_table(), folder / "lists.parquet")
    return make(folder, source="parquet", input=str(folder / "lists.parquet"), **settings)


def from_records(folder: Path, **settings: Any) -> Examples:
    """Lists from TFRecords: the columns of some batches hold lists, those of others single values."""
    (folder / "first").mkdir()
    first = from_parquet(folder / "first", num_shards=9)
    pattern = str(first.path / "Split-train" / "data_tfrecord-*")
    return make(folder, source="tfrecord", input=pattern, **settings)


def without_columns(examples: Examples) -> list[str]:
    """Removes the kept columns, as in Examples of an older version; returns their names."""
    names = [path.name for path in sorted(examples.path.rglob("*.arrow"))]
    for path in examples.path.rglob("*.arrow"):
        path.unlink()
    return names


def results(examples: Examples, folder: Path) -> dict[str, bytes]:
    """Returns the files of StatisticsGen and ExampleValidator."""
    for name in ("statistics", "schema", "anomalies"):
        (folder / name).mkdir(parents=True)
    statistics = generate_statistics(examples, output_dir=folder / "statistics", params=StatisticsGenParams())
    schema = infer_schema(examples, statistics, output_dir=folder / "schema", params=SchemaGenParams())
    params = ExampleValidatorParams()
    validate_examples(examples, statistics, schema, output_dir=folder / "anomalies", params=params)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("make_examples", [from_csv, from_parquet, from_records])
@pytest.mark.parametrize(("most_rows", "settings"), [(64, {"num_shards": 3}), (1 << 16, {"compression": "gzip"})])
def test_statistics_and_anomalies_are_equal_to_the_byte_without_the_columns(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_examples: Callable[..., Examples],
    most_rows: int,
    settings: dict[str, Any],
) -> None:
    monkeypatch.setattr(batches, "_BATCH_ROWS", (1, most_rows))
    monkeypatch.setattr(batches, "MAX_BATCH_TEXT", 3000)
    examples = make_examples(tmp_path, **settings)
    assert all(
        has_columns(shard, examples.column_types) for split in examples.splits for shard in examples.shards(split)
    )
    kept = results(examples, tmp_path / "kept")
    assert len(without_columns(examples)) == 2 * settings.get("num_shards", 1)
    parsed = results(examples, tmp_path / "parsed")
    assert list(parsed) == list(kept)
    assert parsed == kept
    if make_examples is from_csv:
        found = kept["anomalies/anomalies.json"]
        assert b'"nan"' in found
        assert b'"duplicate_rows"' in found


def test_a_wide_table_is_summarised_group_by_group_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = from_csv(tmp_path, num_shards=2)
    whole = results(examples, tmp_path / "whole")
    monkeypatch.setattr(statistics_gen, "GROUP_COLUMNS", 2)
    calls: list[list[str]] = []
    summarise = statistics_gen.shard_statistics
    monkeypatch.setattr(statistics_gen, "shard_statistics", lambda *job: calls.append(job[-1]) or summarise(*job))
    assert results(examples, tmp_path / "grouped") == whole
    assert calls == 2 * [["a", "n"], ["a", "n"], ["b", "t"], ["b", "t"], ["u", "y"], ["u", "y"]]
    calls.clear()
    without_columns(examples)
    assert results(examples, tmp_path / "parsed") == whole
    assert calls == 4 * [["a", "n", "b", "t", "u", "y"]]


def test_columns_are_arrow_files_with_the_rows_of_their_shard(tmp_path: Path) -> None:
    examples = make_csv(tmp_path, "a,n,t,y\n1.5,7,u,1\n,,,2\n3,8,v,5\n4,9,w,4\n", eval_fraction=0.25)
    (shard,) = examples.shards("train")
    assert columns_path(shard).name == "data_columns-00000-of-00001.arrow"
    with pa.OSFile(str(columns_path(shard))) as file:
        table = pa.ipc.open_file(file).read_all()
    assert table.to_pydict() == {
        "a": [1.5, None, 3.0],
        "n": [7, None, 8],
        "t": [b"u", None, b"v"],
        "y": [1.0, 2.0, 5.0],
    }


def test_columns_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.csv").write_text("a,t,y\n" + "".join(f"{n}.5,w{n},{n}\n" for n in range(77)))
    settings: dict[str, Any] = {"source": "csv", "input": str(tmp_path / "*.csv"), "split": "random", "num_shards": 2}
    with LocalEngine(2, least_bytes=0) as pool:
        one, two = (make(tmp_path, engine=engine, **settings) for engine in (IN_PROCESS, pool))
    names = [path.relative_to(one.path) for path in sorted(one.path.rglob("*.arrow"))]
    assert len(names) == 4
    assert [(one.path / name).read_bytes() for name in names] == [(two.path / name).read_bytes() for name in names]


def test_a_flipped_bit_in_a_column_that_is_read_is_found(tmp_path: Path) -> None:
    examples = make_csv(tmp_path, "a,t,y\n" + "".join(f"{n}.25,word {n},{n}\n" for n in range(100)))
    (shard,) = examples.shards("train")
    path = columns_path(shard)
    data = bytearray(path.read_bytes())
    data[data.index(b"word 77")] ^= 1
    path.write_bytes(data)
    assert sum(len(batch["a"].values) for batch in read_columns(examples, "train", columns=["a"])) == 90
    with pytest.raises(
        DataError, match=r"`.*/data_columns-.*arrow` is damaged: the checksum \(CRC32C\) of `t` in batch 0 is wrong"
    ):
        list(read_columns(examples, "train"))


@pytest.mark.parametrize("size", [0, 5, 300])
def test_a_file_of_columns_that_was_cut_is_damaged(tmp_path: Path, size: int) -> None:
    examples = make_csv(tmp_path, "a,t,y\n" + "".join(f"{n}.25,word {n},{n}\n" for n in range(100)))
    (shard,) = examples.shards("train")
    columns_path(shard).write_bytes(columns_path(shard).read_bytes()[:size])
    with pytest.raises(DataError, match=r"arrow` is damaged: .* Expected the columns of the shard beside it.*again"):
        list(read_columns(examples, "train"))


def test_a_thread_that_cannot_start_is_not_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = make_csv(tmp_path, "a,t,y\n" + "".join(f"{n}.25,word {n},{n}\n" for n in range(100)))

    def refuse(*_: Any, **__: Any) -> Any:
        raise pa.ArrowException("Unknown error: Failed to launch worker thread: Resource temporarily unavailable")

    monkeypatch.setattr(kept_columns.pa.ipc, "open_file", refuse)
    with pytest.raises(pa.ArrowException, match="Failed to launch"):
        list(read_columns(examples, "train"))


def test_a_shard_that_was_replaced_is_parsed(tmp_path: Path) -> None:
    examples, other = make(tmp_path, num_examples=200), make(tmp_path, num_examples=100)
    (shard,), (replacement,) = examples.shards("train"), other.shards("train")
    assert has_columns(shard, examples.column_types)
    shard.write_bytes(replacement.read_bytes())
    assert not has_columns(shard, examples.column_types)


def test_columns_of_other_types_than_the_examples_say_are_not_read(tmp_path: Path) -> None:
    examples = make(tmp_path, num_examples=20)
    (shard,) = examples.shards("train")
    assert not has_columns(shard, {**examples.column_types, "x0": "INT"})
    assert not has_columns(shard, {**examples.column_types, "other": "FLOAT"})


def test_reading_does_not_parse_records_where_columns_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from crossnet.components.records import dataset

    examples = make(tmp_path, num_examples=200)
    monkeypatch.setattr(dataset, "read_file", lambda *_: pytest.fail("records are parsed"))
    assert [len(batch["y"].values) for batch in read_columns(examples, "train")] == [180]
    without_columns(examples)
    with pytest.raises(pytest.fail.Exception):
        list(read_columns(examples, "train"))


@pytest.mark.parametrize("most_text", [200, 2500, 4000, 1 << 20])
@pytest.mark.parametrize("change", ["nothing", "lists", "types"])
def test_columns_of_any_batches_end_where_those_of_records_do(
    monkeypatch: pytest.MonkeyPatch, most_text: int, change: str
) -> None:
    monkeypatch.setattr(batches, "_BATCH_ROWS", (1, 64))
    monkeypatch.setattr(batches, "MAX_BATCH_TEXT", most_text)
    rows = [{"v": None if n % 5 == 0 else n / 2, "n": n, "t": b"x" * (n // 9 % 80) if n % 7 else None, "y": n}
            for n in range(500)]  # fmt: skip
    types = {"v": "FLOAT", "n": "INT", "t": "BYTES", "y": "FLOAT"}
    schema = pa.schema([("v", pa.float32()), ("n", pa.int64()), ("t", pa.binary()), ("y", pa.float32())])
    parts, start = [], 0
    for size in itertools.cycle([3, 70, 1, 200, 19]):
        part = pa.RecordBatch.from_pylist(rows[start : start + size], schema)
        if change != "nothing" and start > 250:
            other = pa.list_(pa.int64()) if change == "lists" else pa.large_binary()
            name, values = ("n", [[n] for n in part["n"].to_pylist()]) if change == "lists" else ("t", part["t"])
            array = pa.array(values, other) if change == "lists" else values.cast(other)
            part = part.set_column(part.schema.get_field_index(name), name, array)
        parts.append(part)
        if (start := start + size) >= len(rows):
            break
    lists = {"n"} if change == "lists" else set()
    found = list(kept_columns._steady_columns(iter(parts), types, lists))
    expected = list(batches.steady_batches((columns_of(part, types) for part in parts), len(types)))
    assert len(found) == len(expected) > 7
    for one, other in zip(found, expected, strict=True):
        for name, kind in types.items():
            stored = stored_type(kind, several=name in lists)
            assert as_array(one[name], stored).equals(as_array(other[name], stored))
