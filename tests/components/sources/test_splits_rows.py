from __future__ import annotations

import csv
import datetime
import decimal
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossnet.components.artifacts.examples import Examples
from crossnet.components.sources.splits import hash_rows, hash_values
from support.example_gen_fixtures import make, make_csv, rows_of

ROWS = 800
CHANGES: list[dict[str, Any]] = [
    {"exclude": ("zone",)},
    {"exclude": ("zone", "tip")},
    {"text": ("seats",)},
    {"num_shards": 3},
]


def write(tmp_path: Path, kind: str) -> dict[str, Any]:
    if kind == "synthetic":
        return {"source": "synthetic", "num_examples": ROWS}
    columns = {
        "fare": [n / 7 for n in range(ROWS)],
        "zone": [f"z{n % 9}" for n in range(ROWS)],
        "seats": [n % 4 for n in range(ROWS)],
        "tip": [None if n % 3 == 0 else n / 10 for n in range(ROWS)],
    }
    if kind == "csv":
        lines = [
            ",".join("" if cell is None else str(cell) for cell in row) for row in zip(*columns.values(), strict=True)
        ]
        (tmp_path / "rides.csv").write_text("\n".join([",".join(columns), *lines]))
    else:
        pq.write_table(pa.table(columns), tmp_path / "rides.parquet")
    if kind == "tfrecord":
        examples = make(tmp_path, source="parquet", input=str(tmp_path / "rides.parquet"), label="fare")
        return {"source": "tfrecord", "input": str(examples.path / "Split-*/*"), "label": "fare"}
    return {"source": kind, "input": str(tmp_path / f"rides.{kind}"), "label": "fare"}


def labels(examples: Examples, split: str = "eval") -> list[float]:
    return [row[examples.label] for row in rows_of(examples, split)]


@pytest.mark.parametrize("change", CHANGES, ids=str)
@pytest.mark.parametrize("kind", ["csv", "parquet", "tfrecord", "synthetic"])
def test_a_row_keeps_its_split_whatever_columns_are_left_and_of_whatever_type(
    tmp_path: Path, kind: str, change: dict[str, Any]
) -> None:
    if kind == "synthetic":
        change = {"exclude": ("x1",)} if "exclude" in change else {"num_shards": 3}
    if kind == "tfrecord" and "text" in change:
        pytest.skip("the type of a feature in TFRecord files cannot be changed")
    settings = write(tmp_path, kind)
    before = labels(make(tmp_path, split="hash", **settings))
    assert 40 < len(before) < 130
    assert labels(make(tmp_path, split="hash", **settings, **change)) == before


def test_a_row_keeps_its_split_when_a_late_row_makes_numbers_of_whole_numbers(tmp_path: Path) -> None:
    text = "a,big,y\n" + "".join(f"{n},{10**15 + n},{n}\n" for n in range(2000))
    before, after = (labels(make_csv(tmp_path, t, split="hash")) for t in (text, text + "0.25,0.5,9999\n"))
    assert [y for y in after if y != 9999] == before


def test_rows_that_are_equal_but_for_an_excluded_column_may_be_in_both_splits(tmp_path: Path) -> None:
    text = "id,x,y\n" + "".join(f"{n},{n % 2},1\n" for n in range(200))
    examples = make_csv(tmp_path, text, split="hash", exclude=("id",))
    assert {row["x"] for row in rows_of(examples, "eval")} == {row["x"] for row in rows_of(examples, "train")}


def test_a_column_that_is_empty_in_a_row_does_not_change_its_hash() -> None:
    rows = {"a": [1, 2, None], "b": ["x", None, "z"]}
    wider = {"new": pa.nulls(3), **rows}
    np.testing.assert_array_equal(
        hash_rows(pa.RecordBatch.from_pydict(rows)), hash_rows(pa.RecordBatch.from_pydict(wider))
    )


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 2, None, 1]),
        pa.array([1.5, -0.0, None, 1.5]),
        pa.array([True, False, None, True]),
        pa.array(["a", "beyond eight bytes", None, "a"]),
        pa.array(["a", "b", None, "a"], pa.large_string()),
        pa.array(["a", "b", None, "a"]).dictionary_encode(),
        pa.array([b"a", b"", None, b"a"]),
        pa.array([[1], [1, 2], None, [1]]),
        pa.array([["a"], [], None, ["a"]]),
        pa.array([[1, 2], [2, 1], None, [1, 2]], pa.list_(pa.int64(), 2)),
        pa.array([{"a": 1}, {"a": 2}, None, {"a": 1}]),
        pa.array([decimal.Decimal("1.5"), decimal.Decimal("2.5"), None, decimal.Decimal("1.5")]),
        pa.array([datetime.date(2026, 1, 1), datetime.date(2026, 1, 2), None, datetime.date(2026, 1, 1)]),
        pa.array([datetime.time(1), datetime.time(2), None, datetime.time(1)]),
        pa.array([datetime.datetime(2026, 1, 1), datetime.datetime(2026, 1, 2), None, datetime.datetime(2026, 1, 1)]),
        pa.array([1000, 2000, None, 1000], pa.duration("ms")),
        pa.array([1000, 2000, None, 1000], pa.time32("ms")),
    ],
    ids=lambda values: str(values.type),
)
def test_values_of_every_type_have_equal_hashes_where_they_are_equal(values: pa.Array) -> None:
    hashes = hash_values(values)
    assert hashes[0] == hashes[3]
    assert len(set(hashes.tolist())) == 3
    np.testing.assert_array_equal(hash_values(values.slice(1)), hashes[1:])


def test_two_processes_hash_rows_alike(tmp_path: Path) -> None:
    code = (
        "import pyarrow as pa, numpy as np\n"
        "from crossnet.components.records.texts import as_texts\n"
        "from crossnet.components.records.dataset import Column\n"
        "from crossnet.components.sources.splits import hash_rows\n"
        "from crossnet.components.validation import row_hashes as own\n"
        "texts = [b'a', b'', b'much more than eight bytes']\n"
        "print(hash_rows(pa.RecordBatch.from_pydict({'t': texts, 'n': [1, 2, 3]})).tolist())\n"
        "print(own.hash_rows({'t': Column(as_texts(texts), None), 'n': Column(np.arange(3.0), None)}).tolist())\n"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1]
    assert len(said[0].splitlines()) == 2


@pytest.mark.parametrize(
    ("dialect", "encoding", "settings"),
    [
        ({"quoting": csv.QUOTE_ALL}, "utf-8", {}),
        ({"quoting": csv.QUOTE_ALL, "quotechar": "'"}, "utf-8", {"quote": "'"}),
        ({"delimiter": ";"}, "utf-8-sig", {"delimiter": ";"}),
        ({"lineterminator": "\r\n"}, "utf-16", {"encoding": "utf-16"}),
        ({"escapechar": "\\", "doublequote": False}, "cp1252", {"escape": "\\", "encoding": "cp1252"}),
    ],
)
def test_a_file_that_is_saved_in_another_dialect_keeps_the_split_of_each_row(
    tmp_path: Path, dialect: dict[str, Any], encoding: str, settings: dict[str, Any]
) -> None:
    rows = [[n, f"é, {n % 7}" if n % 5 else "", f'"{n % 3}" a', f"{n / 7:.3f}", n % 9] for n in range(200)]

    def eval_rows(folder: str, encoding: str, dialect: dict[str, Any], settings: dict[str, Any]) -> list[int]:
        text = io.StringIO()
        csv.writer(text, **{"lineterminator": "\n", **dialect}).writerows([["n", "zone", "name", "x", "y"], *rows])
        (tmp_path / folder).mkdir()
        examples = make_csv(tmp_path / folder, text.getvalue().encode(encoding), split="hash", **settings)
        return [row["n"] for row in rows_of(examples, "eval")]

    assert eval_rows("other", encoding, dialect, settings) == eval_rows("plain", "utf-8", {}, {})
