"""A step tells a screen how much of its data it has gone through, whatever the format."""

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest

from crossnet.components import progress
from crossnet.components.example_gen import generate_examples
from crossnet.components.example_validator import validate_examples
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.params.example_validator import ExampleValidatorParams
from crossnet.components.params.schema_gen import SchemaGenParams
from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.components.schema_gen import infer_schema
from crossnet.components.statistics_gen import generate_statistics

ROWS = 20_000


@pytest.fixture
def told(monkeypatch):
    """What a listener was told: by what was done, the shares, in order."""
    monkeypatch.setattr(progress, "LEAST_SECONDS", 0)
    found: dict[str, list[float]] = {}
    with progress.told_to(lambda what, share, seconds: found.setdefault(what, []).append(share)):
        yield found


def write_lines(rows, path):
    path.write_text("".join(f'{{"x": {row["x"]}, "y": {row["y"]}}}\n' for row in rows.to_pylist()))


WRITERS = {
    "csv": pyarrow.csv.write_csv,
    "parquet": lambda rows, path: pyarrow.parquet.write_table(rows, path),
    "arrow": lambda rows, path: pyarrow.feather.write_feather(rows, path, "uncompressed", chunksize=ROWS // 4),
    "jsonl": write_lines,
}


def examples_of(tmp_path, source, **settings):
    rows = pa.table({"x": [number / 7 for number in range(ROWS)], "y": [number % 100 / 3 for number in range(ROWS)]})
    WRITERS[source](rows, tmp_path / f"rows.{source}")
    output = tmp_path / "examples"
    output.mkdir()
    given = {"source": source, "input": tmp_path / f"rows.{source}", "label": "y", "split": "hash", **settings}
    return generate_examples(output_dir=output, params=ExampleGenParams(**given))


@pytest.mark.parametrize("source", WRITERS)
def test_reading_rows_tells_rising_shares(tmp_path, told, monkeypatch, source):
    monkeypatch.setattr("crossnet.components.sources.csv_blocks._BLOCK_BYTES", 1 << 14)
    monkeypatch.setattr("crossnet.components.sources.csv_blocks._BLOCK_BYTES_PER_COLUMN", 1)
    monkeypatch.setattr("crossnet.components.sources.csv_blocks._BATCH_BYTES", 1 << 16)
    monkeypatch.setattr("crossnet.components.sources.json_lines._BLOCK_BYTES", 1 << 14)
    monkeypatch.setattr("crossnet.components.sources.parquet._BATCH_ROWS", ROWS // 5)
    examples_of(tmp_path, source)
    assert told["rows"] == sorted(told["rows"])
    assert 0 <= told["rows"][0] < 0.5 < told["rows"][-1] <= 1
    assert len(told["rows"]) >= 4
    assert told["shards"][-1] == 1


def test_data_steps_tell_of_each_split(tmp_path, told):
    examples = examples_of(tmp_path, "csv", num_shards=3)
    folders = [tmp_path / name for name in ("statistics", "schema", "anomalies")]
    for folder in folders:
        folder.mkdir()
    told.clear()
    statistics = generate_statistics(examples, output_dir=folders[0], params=StatisticsGenParams())
    seen = {what: shares[-1] for what, shares in told.items()}
    assert seen == {"rows of train": 1, "rows of eval": 1}
    schema = infer_schema(examples, statistics, output_dir=folders[1], params=SchemaGenParams())
    told.clear()
    validate_examples(examples, statistics, schema, output_dir=folders[2], params=ExampleValidatorParams())
    assert {what: shares[-1] for what, shares in told.items()} == seen
    assert told["rows of train"] == sorted(told["rows of train"])
    assert len(told["rows of train"]) >= 3


def test_nothing_is_counted_where_nobody_listens(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"1")
    assert progress.by_size([file]) == {}
    progress.begin("rows", {file: 1})
    progress.reached(file)  # goes nowhere
    told = []
    with progress.told_to(lambda *words: told.append(words)):
        progress.reached(file)
        assert progress.by_size([file, tmp_path / "gone"]) == {file: 1}
    assert told == []


def test_a_listener_is_not_told_more_often_than_it_can_show(tmp_path, monkeypatch):
    told, clock = [], iter([0, *(number / 100 for number in range(100))])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.told_to(lambda *words: told.append(words)):
        progress.begin("rows", {tmp_path: 100})
        for number in range(100):
            progress.reached(tmp_path, number, 100)
        progress.reached(tmp_path, 1, 0)  # of nothing: its size is not known
    assert told == [("rows", 0.25, 0.25), ("rows", 0.5, 0.5), ("rows", 0.75, 0.75)]
