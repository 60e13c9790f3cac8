"""Checks that `predict` sends the values of Parquet and Arrow files on which a model was trained."""

from __future__ import annotations

import datetime
import math
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from crossnet.components.artifacts.examples import Examples
from crossnet.serving.protocol.signature import Signature, TensorSpec
from crossnet.serving.rows.columns import InputBuilder
from crossnet.serving.rows.formats import make_reader
from support import generated_tables
from support.example_gen_fixtures import make, rows_of
from support.fake_server import FLOAT, INT64, STRING

TYPES = {"FLOAT": FLOAT, "INT": INT64, "BYTES": STRING}
AT = datetime.datetime(2024, 2, 29, 23, 59, 59, 500_000)


def arrow_columns() -> dict[str, pa.Array]:
    """A column of each of Arrow's types that a record can hold, without holes where the type has no way for one."""
    zoned = AT.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=5, minutes=30)))
    whole = [1, 2, 3, 120]
    return {
        **{f"{kind}": pa.array(whole, kind) for kind in (pa.int8(), pa.int16(), pa.uint8(), pa.uint64(), pa.int64())},
        "large": pa.array([2**62 + 1, -(2**62) - 1, 0, 1], pa.int64()),
        "half": pa.array(np.array([0.1, 2, -3, 65504], np.float16)),
        "half_holes": pa.array([np.float16(0.1), None, np.float16(3), None], pa.float16()),
        "double": pa.array([0.1, None, 1e30, -0.0], pa.float64()),
        "truth": pa.array([True, False, True, True]),
        "truth_holes": pa.array([True, None, False, True]),
        "day": pa.array([AT.date()] * 3 + [datetime.date(1901, 1, 1)], pa.date32()),
        "day64": pa.array([AT.date()] * 4, pa.date64()),
        "at_ms": pa.array([AT, AT, AT, AT], pa.timestamp("ms")),
        "at_ns": pa.array([1709251199500000001, -1, 0, 5], pa.timestamp("ns", "Asia/Kolkata")),
        "at_zone": pa.array([zoned] * 4, pa.timestamp("us", "+05:30")),
        "at_s": pa.array([1, -1, 0, 7], pa.timestamp("s")),
        "clock": pa.array([AT.time()] * 4, pa.time64("us")),
        "clock32": pa.array([datetime.time(1, 2, 3)] * 4, pa.time32("s")),
        "took": pa.array([datetime.timedelta(milliseconds=1500), datetime.timedelta(0)] * 2, pa.duration("ms")),
        "took_s": pa.array([datetime.timedelta(seconds=2)] * 4, pa.duration("ns")),
        "price": pa.array([Decimal("12345678901234567890.0123456789"), Decimal("0.1"), None, Decimal(-5)],
                          pa.decimal128(38, 10)),
        "count": pa.array([Decimal(7), Decimal(12345678), Decimal(0), Decimal(-1)], pa.decimal128(9, 0)),
        "word": pa.array(["a", None, "é", "a"]).dictionary_encode(),
        "number_word": pa.array([3, 4, 3, 3]).dictionary_encode(),
        "raw": pa.array([b"\xff\x00", b"", b"a", b"b"], pa.binary()),
        "fixed": pa.array([b"ab", b"cd", b"ef", b"gh"], pa.binary(2)),
        "view": pa.array(["a", "b", "c", None], pa.string_view()),
        "digits": pa.array(["1.5", " 2 ", "", "1e3"]),
        "code": pa.array([7, 8, 9, 10]),
        "y": pa.array([1.0, 2.0, 3.0, 4.0]),
    }  # fmt: skip


def written(folder: Path, kind: str, table: pa.Table) -> Path:
    path = folder / f"rides.{kind}"
    if kind == "parquet":
        pq.write_table(table, path, row_group_size=3)
    else:
        feather.write_feather(table, path, chunksize=3)
    return path


def stored(examples: Examples) -> dict[str, list[Any]]:
    """The values of the records by column as a model takes them: with holes, NaN in float32 or ""."""
    rows = [row for split in examples.splits for row in rows_of(examples, split)]
    found = {}
    for name, kind in examples.column_types.items():
        values = [row[name] for row in rows]
        if None in values and kind != "BYTES":
            values = np.array([math.nan if value is None else value for value in values], np.float32).tolist()
        found[name] = [b"" if value is None else value for value in values]
    return found


def sent(path: Path, kind: str, examples: Examples, batch_rows: int) -> dict[str, list[Any]]:
    """The values that `predict` sends for a file to a model whose inputs are the columns of the records."""
    values = stored(examples)
    has_hole = {name: any(value != value for value in column) for name, column in values.items()}
    types = {
        name: "FLOAT" if kind == "INT" and has_hole[name] else kind for name, kind in examples.column_types.items()
    }
    inputs = {name: TensorSpec(TYPES[kind], (None,)) for name, kind in types.items()}
    signature = Signature("serving_default", "predict", inputs, {})
    with path.open("rb") as stream:
        table = make_reader(stream, kind, path.name)
        builder = InputBuilder(table, signature, "`m`", True, examples.column_rules)
        rows = list(table.rows())
        parts = [builder.build(rows[start : start + batch_rows]) for start in range(0, len(rows), batch_rows)]
    assert builder.unstated == set()
    return {name: [value for part in parts for value in part[name].tolist()] for name in inputs}


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_each_type_is_sent_as_it_was_trained_on(tmp_path: Path, kind: str) -> None:
    columns = arrow_columns()
    if kind == "arrow":
        columns["nothing"] = pa.nulls(4)  # left out in training
    path = written(tmp_path, kind, pa.table(columns))
    settings = {"numeric": ("digits",), "text": ("code",), "rename": {"word": "zone"}}
    examples = make(tmp_path, source=kind, input=str(path), **settings)
    expected = stored(examples)
    assert expected["at_ms"][0] == 1709251199500
    assert expected["took"][0] == 1500
    np.testing.assert_equal(sent(path, kind, examples, 2), expected)


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_generated_tables_are_sent_as_they_were_trained_on(tmp_path: Path, kind: str) -> None:
    for seed in range(15):
        draw = random.Random(seed)
        columns = generated_tables.generate_columns(draw, kinds=list(generated_tables.KINDS), rows=draw.randint(5, 40))
        columns = [column for column in columns if column.name != "y"]
        table = generated_tables.arrow_table(columns, draw) if columns else pa.table({})
        table = table.append_column("y", pa.array([float(row) for row in range(len(columns[0].values))]))
        folder = tmp_path / str(seed)
        folder.mkdir()
        path = written(folder, kind, table)
        examples = make(folder, source=kind, input=str(path))
        np.testing.assert_equal(sent(path, kind, examples, 7), stored(examples))
