"""Compares 260 generated files with what pandas reads in them, cell by cell, in both directions.

The records are parsed by TensorFlow; the files are split into cells by pandas, and into values by Python.
"""

import random
from dataclasses import replace

import pandas
import pytest
import tensorflow as tf

from crossnet.components.example_gen import generate_examples
from crossnet.components.params.example_gen import ExampleGenParams
from support import generated_tables
from support.generated_tables import KINDS, GeneratedColumn, csv_cells
from support.named_columns import generate_named

TF_TYPES = {"FLOAT": tf.float32, "INT": tf.int64, "BYTES": tf.string}
WRITERS = {
    "parquet": generated_tables.write_parquet,
    "jsonl": generated_tables.write_json_lines,
    "arrow": generated_tables.write_arrow,
}
FILES_PER_KIND = {"csv": 140, "parquet": 20, "jsonl": 20, "arrow": 20}


def records(examples):
    """All records, train then eval, each as a dict of the values that it holds, by TensorFlow's own parser."""
    types = {column["name"]: column["type"] for column in examples.properties["columns"]}
    spec = {name: tf.io.RaggedFeature(TF_TYPES[kind]) for name, kind in types.items()}
    files = [str(path) for split in examples.splits for path in examples.shards(split)]
    serialized = list(tf.data.TFRecordDataset(files, compression_type=examples.compression).as_numpy_iterator())
    assert {key for raw in serialized for key in tf.train.Example.FromString(raw).features.feature} <= set(types)
    parsed = {name: ragged.to_list() for name, ragged in tf.io.parse_example(serialized, spec).items()}
    return [{name: values[row] for name, values in parsed.items()} for row in range(len(serialized))]


def read(file, source, folder, **settings):
    folder.mkdir()
    params = ExampleGenParams(source=source, input=str(file), label="y", **settings)
    return generate_examples(output_dir=folder, params=params)


def pandas_cells(file, columns, dialect):
    """The cells of a CSV as pandas splits them, by column; "" for a hole."""
    table = pandas.read_csv(
        file,
        sep=dialect.delimiter,
        quotechar=dialect.quote,
        escapechar=dialect.escape or None,
        doublequote=not dialect.escape,
        encoding=dialect.encoding,
        comment=dialect.comment or None,
        skiprows=dialect.skip_rows,
        header=0 if dialect.header else None,
        names=None if dialect.header else [column.name for column in columns],
        compression="gzip" if dialect.compressed else None,
        dtype=str,
        keep_default_na=False,
        skip_blank_lines=True,
    )
    return {name: table[name].tolist() for name in table.columns}


def check(examples, columns):
    """The records hold the values of the labelled rows: these, in this order, and nothing else."""
    label = next(column for column in columns if column.name == "y")
    kept = [row for row, value in enumerate(label.values) if value is not None]
    found = records(examples)
    assert len(found) == len(kept)
    assert {name for row in found for name in row} == {column.name for column in columns}
    for column in columns:
        expected = [[] if column.stored[row] is None else [column.stored[row]] for row in kept]
        assert [row[column.name] for row in found] == expected, (column.name, column.kind)


@pytest.mark.parametrize("part", range(4))
def test_csv_files_of_every_kind_are_read_as_pandas_reads_them(tmp_path, part):
    for seed in range(part, FILES_PER_KIND["csv"], 4):
        draw = random.Random(seed)
        columns = generated_tables.generate_columns(draw, kinds=list(KINDS), rows=draw.randint(5, 60))
        dialect = generated_tables.draw_dialect(draw, columns)
        file = tmp_path / f"{seed}.csv"
        file.write_bytes(generated_tables.csv_bytes(columns, dialect))
        by_pandas = pandas_cells(file, columns, dialect)
        assert by_pandas == {column.name: csv_cells(column, dialect) for column in columns}, dialect
        examples = read(file, "csv", tmp_path / f"examples-{seed}", **dialect.settings)
        check(examples, columns), dialect


@pytest.mark.parametrize("part", range(2))
def test_csv_columns_that_a_setting_reads_hold_what_the_setting_says(tmp_path, part):
    for seed in range(1000 + part, 1060, 2):
        draw = random.Random(seed)
        rows = draw.randint(5, 60)
        columns = generated_tables.generate_columns(draw, kinds=list(KINDS), rows=rows)
        dialect = generated_tables.draw_dialect(draw, columns)
        dialect.thousands = ""
        named, settings = generate_named(draw, dialect, rows)
        columns += named
        draw.shuffle(columns)
        settings |= generated_tables.settings_of(dialect, columns)
        file = tmp_path / f"{seed}.csv"
        file.write_bytes(generated_tables.csv_bytes(columns, dialect))
        by_pandas = pandas_cells(file, columns, dialect)
        assert by_pandas == {column.name: csv_cells(column, dialect) for column in columns}, dialect
        check(read(file, "csv", tmp_path / f"examples-{seed}", **settings), columns), dialect


@pytest.mark.parametrize("source", ["parquet", "jsonl", "arrow"])
def test_files_with_types_are_read_as_pandas_reads_them(tmp_path, source):
    write = WRITERS[source]
    for seed in range(FILES_PER_KIND[source]):
        draw = random.Random(seed)
        columns = generated_tables.generate_columns(draw, kinds=list(KINDS), rows=draw.randint(5, 60))
        file = tmp_path / f"{seed}.{source}"
        write(columns, file, draw)
        check(read(file, source, tmp_path / f"examples-{seed}"), columns)


@pytest.mark.parametrize("source", ["csv", "parquet", "jsonl", "arrow"])
def test_folders_that_name_a_column_are_read_with_the_rows_of_their_files(tmp_path, source):
    for seed in range(5):
        draw = random.Random(seed)
        columns = generated_tables.generate_columns(draw, kinds=list(KINDS), rows=40)
        days = [("2026-01-02", 1767312000), ("2026-11-30", 1795996800)]
        parts = [[replace(column, **cut(column, part)) for column in columns] for part in range(2)]
        for (day, _), part in zip(days, parts, strict=True):
            folder = tmp_path / f"table-{seed}" / f"day={day}"
            folder.mkdir(parents=True)
            file, seeded = folder / f"part-0.{source}", random.Random(seed)
            if source == "csv":
                file.write_bytes(generated_tables.csv_bytes(part, generated_tables.Dialect()))
            else:
                WRITERS[source](part, file, seeded)
        stored = [number for _, number in days for _ in range(20)]
        folders = GeneratedColumn("day", "day", stored, list(map(str, stored)), stored)
        examples = read(tmp_path / f"table-{seed}", source, tmp_path / f"examples-of-folders-{seed}")
        check(examples, [*columns, folders])


def cut(column, part):
    """The half of a column's values."""
    half = slice(20 * part, 20 * part + 20)
    return {name: getattr(column, name)[half] for name in ("values", "cells", "stored")}
