"""Walks tables of every kind from `init` to records: what it proposes is always read as it says."""

import datetime
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from crossnet.components.example_gen import generate_examples
from crossnet.pipeline.cli import cli
from crossnet.pipeline.config import load_config


@pytest.fixture
def walked(tmp_path, monkeypatch):
    """Writes a table, calls `init` and ExampleGen; returns columns' types, rows by split, and what `init` printed."""
    monkeypatch.chdir(tmp_path)

    def walk(content, name="table.csv"):
        if isinstance(content, pa.Table):
            pq.write_table(content, tmp_path / name)
        else:
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        made = CliRunner().invoke(cli, ["init", name, "--label", "y", "--output", "made.toml"], catch_exceptions=False)
        assert made.exit_code == 0, made.stderr
        (tmp_path / "examples").mkdir()
        params = load_config(tmp_path / "made.toml").example_gen
        examples = generate_examples(output_dir=tmp_path / "examples", params=params)
        return {column.name: column.type for column in examples.columns}, examples.counts, made.stdout

    return walk


def rows(*columns, header, count=120, delimiter=",", ends="\n"):
    """A CSV of some rows; a column is a function of the row's number."""
    lines = [delimiter.join(str(column(row)) for column in columns) for row in range(count)]
    return ends.join([*([header] if header else []), *lines]) + ends


def label(row):
    return (row * 7919) % 101 / 4


KINDS = {
    "plain": (rows(lambda r: r % 7 / 3, lambda r: "ab"[r % 2], label, header="x,t,y"), {"x": "FLOAT", "t": "BYTES"}),
    "keys": (rows(lambda r: f"k{r}", lambda r: r % 9, label, header="id,x,y"), {"x": "INT"}),
    "holes in the label": (
        rows(lambda r: r % 9, lambda r: label(r) if r % 5 else "", header="x,y"), {"x": "INT"}),
    "leading zeros": (rows(lambda r: f"{r % 30:03}", label, header="x,y"), {"x": "BYTES"}),
    "odd cells": (rows(lambda r: f"a{r}" if r % 10 == 0 else r % 7, label, header="x,y"), {"x": "BYTES"}),
    "half of it numbers": (rows(lambda r: "abc"[r % 3] if r % 2 else r % 7, label, header="x,y"), {"x": "BYTES"}),
    "only a key": (rows(lambda r: r * 3, label, header="x,y"), {"x": "INT"}),
    "only words": (rows(lambda r: f"word {r}", label, header="x,y"), {"x": "BYTES"}),
    "times": (rows(lambda r: f"2026-01-{r // 5 + 1:02}", label, header="x,y"), {"x": "INT"}),
    "an empty column": (rows(lambda r: "", lambda r: r % 5, label, header="e,x,y"), {"x": "INT"}),
    "a constant": (rows(lambda r: "a", lambda r: r % 5, label, header="c,x,y"), {"x": "INT"}),
    "groups": (
        rows(lambda r: (r % 60) * 7919 % 9973, lambda r: r % 5, lambda r: (r % 60) * 31 % 59 + r / 900, header="g,x,y"),
        {"g": "INT", "x": "INT"}),
    "three rows": ("x,y\n0,1\n1,2\n2,4\n", {"x": "INT"}),
    "quoted": (rows(lambda r: f'"a, {r % 4}\n b"', label, header="x,y"), {"x": "BYTES"}),
    "two rows, repeated": ("x,y\n" + "1,2\n2,3\n" * 30, {"x": "INT"}),
    "semicolons": (rows(lambda r: r % 7 / 3, lambda r: "a,b"[: r % 3], label, header="x;t;y", delimiter=";"),
                   {"x": "FLOAT", "t": "BYTES"}),
    "tabs, a title and comments": (
        "# by me\nOur shop\n\n" + rows(lambda r: r % 7, label, header="x\ty", delimiter="\t") + "# end\n",
        {"x": "INT"}),
    "for Excel": ("sep=;\n" + rows(lambda r: r % 7, label, header="x;y", delimiter=";"), {"x": "INT"}),
    "Windows-1252": (rows(lambda r: "äöü"[r % 3], label, header="größe,y").encode("cp1252"), {"gr__e": "BYTES"}),
    "UTF-16": (rows(lambda r: "äöü"[r % 3], label, header="t\ty", delimiter="\t").encode("utf-16"), {"t": "BYTES"}),
    "single quotes": (rows(lambda r: f"'{r % 3}, a'", label, header="x,y"), {"x": "BYTES"}),
    "names that repeat": (rows(lambda r: r % 7, lambda r: r % 5, label, header="a,a,y"), {"a": "INT", "a_2": "INT"}),
    "row names of R": (rows(lambda r: f"r{r}", lambda r: r % 5, lambda r: r % 7, label, header="a,b,y"),
                       {"a": "INT", "b": "INT"}),
    "blanks around headers": (rows(lambda r: r % 7 / 3, label, header="x, y"), {"x": "FLOAT"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_csv_is_read_as_init_proposes(walked, kind):
    content, features = KINDS[kind]
    types, counts, _ = walked(content)
    assert types == {**features, "y": "FLOAT"}
    assert all(counts[split] for split in ("train", "eval"))


def test_parquet_is_read_as_init_proposes(walked):
    draw = random.Random(0)
    table = pa.table(
        {
            "id": [f"k{n}" for n in range(90)],
            "l": [[1.0, float(n)] for n in range(90)],
            "zone": ["a", None, "b"] * 30,
            "y": [draw.random() for _ in range(90)],
        }
    )
    types, _, printed = walked(table, "table.parquet")
    assert types == {"zone": "BYTES", "y": "FLOAT"}
    assert "left out: lists of several values" in printed
    assert "id      text" in printed


def test_times_and_truths_of_parquet_are_read_as_init_proposes(walked):
    draw, start = random.Random(0), datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    table = pa.table(
        {
            "at": [start + datetime.timedelta(minutes=7 * n) for n in range(400)],
            "garden": [draw.random() < 0.5 for _ in range(400)],
            "y": [draw.random() for _ in range(400)],
        }
    )
    types, counts, printed = walked(table, "table.parquet")
    assert types == {"at": "INT", "garden": "INT", "y": "FLOAT"}
    assert "at      date or time" in printed
    assert "garden  true or false" in printed
    assert counts == {"train": 300, "eval": 100}  # the newest quarter
