"""Generates tables with what is in other people's files, and writes them as such files.

A table is a list of columns, each with its values as Python has them, the cells in which a CSV spells them, and the
values that the records must hold. The random numbers come from a seed alone.
"""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
WORDS = ["Ann", "zone 7", "None", "null", "x", "", "42nd", "a'b", "é", "München", "no", "N/A", "true story"]


@dataclass
class GeneratedColumn:
    """One column.

    Attributes:
      name: Its header, which is also its feature's name.
      kind: What is in it.
      values: Python's values, None for a hole.
      cells: How a CSV spells them; "" for a hole.
      stored: What a record holds: a float32 as float, an int, bytes or None.
    """

    name: str
    kind: str
    values: list[Any]
    cells: list[str]
    stored: list[Any]


@dataclass
class Dialect:
    """How a CSV file is written, and the settings that read it.

    Attributes:
      settings: Those of `example_gen` that differ from their defaults.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    encoding: str = "utf-8"
    decimal: str = "."
    thousands: str = ""
    hole: str = ""
    comment: str = ""
    skip_rows: int = 0
    header: bool = True
    line_end: str = "\n"
    last_line_end: bool = True
    compressed: bool = False
    settings: dict[str, Any] = field(default_factory=dict)


def float32(value: float | None) -> float | None:
    """Returns the value that a float feature of a record holds."""
    return None if value is None else float(np.float32(value))


def grouped(text: str, mark: str) -> str:
    """Returns the digits of a whole number with a mark between thousands."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    return sign + f"{int(digits):,}".replace(",", mark)


def _whole(draw: random.Random) -> tuple[Any, str, Any]:
    value = draw.randint(-5000, 5000)
    return value, str(value), value


def _large(draw: random.Random) -> tuple[Any, str, Any]:
    value = draw.choice([1, -1]) * draw.randint(10**17, 2**63 - 1)
    return value, str(value), value


def _plus(draw: random.Random) -> tuple[Any, str, Any]:
    value = draw.randint(1, 10**6)
    return value, draw.choice(["", "+"]) + str(value), value


def _code(draw: random.Random) -> tuple[Any, str, Any]:
    text = f"{draw.randint(0, 999):05d}"
    return text, text, text.encode()


def _price(draw: random.Random) -> tuple[Any, str, Any]:
    value = Decimal(draw.randint(-(10**6), 10**6)) / 100
    return float(value), f"{value:.2f}", float32(float(value))


def _scientific(draw: random.Random) -> tuple[Any, str, Any]:
    text = f"{draw.uniform(-10, 10):.6e}"
    return float(text), text, float32(float(text))


def _truth(draw: random.Random) -> tuple[Any, str, Any]:
    value = draw.random() < 0.5
    return value, draw.choice(["true", "True", "TRUE"] if value else ["false", "False", "FALSE"]), int(value)


def _day(draw: random.Random) -> tuple[Any, str, Any]:
    value = datetime.date(1970, 1, 1) + datetime.timedelta(days=draw.randint(-20_000, 30_000))
    return value, value.isoformat(), int((value - EPOCH.date()).total_seconds())


def _moment(draw: random.Random) -> tuple[Any, str, Any]:
    value = EPOCH + datetime.timedelta(seconds=draw.randint(-(10**9), 2 * 10**9))
    return value, value.strftime("%Y-%m-%dT%H:%M:%SZ"), int(value.timestamp())


def _text(draw: random.Random) -> tuple[Any, str, Any]:
    text = " ".join(draw.choice(WORDS) for _ in range(draw.randint(1, 3))).strip()
    text = text or "word"
    return text, text, text.encode()


def _hard_text(draw: random.Random) -> tuple[Any, str, Any]:
    text = (
        "w"
        + "".join(draw.choice(["a", ",", ";", "\t", "|", '"', "'", "\n", "\r\n", "#", " ", "ü"]) for _ in range(6))
        + "w"
    )
    return text, text, text.encode()


KINDS: dict[str, Callable[[random.Random], tuple[Any, str, Any]]] = {
    "whole": _whole,
    "large": _large,
    "plus": _plus,
    "code": _code,
    "price": _price,
    "scientific": _scientific,
    "truth": _truth,
    "day": _day,
    "moment": _moment,
    "text": _text,
    "hard text": _hard_text,
}


def generate_columns(draw: random.Random, *, kinds: list[str], rows: int) -> list[GeneratedColumn]:
    """Returns a label `y` and columns of some of `kinds`, in any order; each has at least two values."""
    columns = [_column("y", "price", draw, rows, holes=draw.choice([0, 0, 0.2]))]
    for number in range(draw.randint(1, 7)):
        kind = draw.choice(kinds)
        columns.append(_column(f"c{number}", kind, draw, rows, holes=draw.choice([0, 0, 0.3])))
    draw.shuffle(columns)
    return columns


def _column(name: str, kind: str, draw: random.Random, rows: int, holes: float) -> GeneratedColumn:
    drawn = [KINDS[kind](draw) for _ in range(rows)]
    drawn = [(None, "", None) if draw.random() < holes and row > 1 else value for row, value in enumerate(drawn)]
    return GeneratedColumn(name, kind, *map(list, zip(*drawn, strict=True)))


def draw_dialect(draw: random.Random, columns: list[GeneratedColumn]) -> Dialect:
    """Returns a way to write the columns that a reader can undo."""
    dialect = Dialect(
        delimiter=draw.choice([",", ",", ";", "\t", "|"]),
        quote=draw.choice(['"', '"', '"', "'"]),
        escape=draw.choice(["", "", "", "\\"]),
        encoding=draw.choice(["utf-8", "utf-8", "utf-8-sig", "cp1252", "utf-16"]),
        line_end=draw.choice(["\n", "\n", "\r\n"]),
        last_line_end=draw.random() < 0.8,
        compressed=draw.random() < 0.2,
        hole=draw.choice(["", "", "NA", "-"]),
        skip_rows=draw.choice([0, 0, 0, 3]),
        header=draw.random() < 0.8,
    )
    if dialect.delimiter != ",":
        dialect.decimal = draw.choice([".", ","])
    marks = {",", "."} - {dialect.decimal, dialect.delimiter}
    if marks and not any(column.kind in ("scientific", "large") for column in columns):
        dialect.thousands = draw.choice(["", "", *marks])
    if not any("#" in cell for column in columns for cell in column.cells):
        dialect.comment = draw.choice(["", "", "#"])
    dialect.settings = settings_of(dialect, columns)
    return dialect


def settings_of(dialect: Dialect, columns: list[GeneratedColumn]) -> dict[str, Any]:
    """Returns the settings of `example_gen` that read a dialect."""
    defaults = Dialect()
    names = ("delimiter", "quote", "escape", "decimal", "thousands", "comment", "skip_rows")
    settings = {name: getattr(dialect, name) for name in names if getattr(dialect, name) != getattr(defaults, name)}
    if dialect.encoding not in ("utf-8", "utf-8-sig"):
        settings["encoding"] = dialect.encoding
    if dialect.hole:
        settings["null_values"] = ("", dialect.hole)
    if not dialect.header:
        settings |= {"header": False, "names": tuple(column.name for column in columns)}
    return settings


def csv_cells(column: GeneratedColumn, dialect: Dialect) -> list[str]:
    """Returns a column's cells as the dialect spells numbers and holes."""
    if column.kind in ("price", "scientific"):
        cells = [cell.replace(".", dialect.decimal) for cell in column.cells]
        if dialect.thousands and column.kind == "price":
            cells = [
                cell and grouped(whole, dialect.thousands) + point + digits
                for cell, (whole, point, digits) in ((cell, cell.partition(dialect.decimal)) for cell in cells)
            ]
    elif column.kind == "whole" and dialect.thousands:
        cells = [cell and grouped(cell, dialect.thousands) for cell in column.cells]
    else:
        cells = column.cells
    is_text = column.kind in ("text", "hard text", "code")
    return [
        dialect.hole if value is None and not is_text else cell
        for cell, value in zip(cells, column.values, strict=True)
    ]


def csv_bytes(columns: list[GeneratedColumn], dialect: Dialect) -> bytes:
    """Returns the table as a CSV file."""
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        escapechar=dialect.escape or None,
        doublequote=not dialect.escape,
        lineterminator=dialect.line_end,
    )
    if dialect.header:
        writer.writerow([column.name for column in columns])
    rows = list(zip(*(csv_cells(column, dialect) for column in columns), strict=True))
    for number, row in enumerate(rows):
        if dialect.comment and number % 7 == 3:
            text.write(f"{dialect.comment} a remark, with a comma{dialect.line_end}")
        writer.writerow(row)
    content = f"made by hand{dialect.line_end}" * dialect.skip_rows + text.getvalue()
    if not dialect.last_line_end:
        content = content.removesuffix(dialect.line_end)
    data = content.encode(dialect.encoding)
    return gzip.compress(data) if dialect.compressed else data


# Types in which some writer keeps the values of a kind, to the last digit.
OTHER_TYPES: dict[str, tuple[pa.DataType, ...]] = {
    "whole": (pa.int16(), pa.int32(), pa.float64(), pa.float32(), pa.decimal128(9, 0)),
    "large": (pa.decimal128(38, 0), pa.decimal256(50, 0)),
    "plus": (pa.uint32(), pa.uint64(), pa.decimal128(38, 0)),
    "price": (pa.decimal128(38, 10), pa.decimal256(40, 2)),
    "day": (pa.date64(), pa.timestamp("s"), pa.timestamp("ns")),
    "moment": (pa.timestamp("s", "UTC"), pa.timestamp("ms", "Europe/Berlin"), pa.timestamp("ns", "UTC")),
    "text": (pa.string_view(), pa.binary(), pa.large_binary()),
}


def _cast(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_decimal(wanted):  # of the digits, not of the float64 next to them
        return pa.array([None if value is None else Decimal(str(value)) for value in array.to_pylist()], wanted)
    return array.cast(wanted)


def arrow_table(columns: list[GeneratedColumn], draw: random.Random) -> pa.Table:
    """Returns the table with Arrow's types as some writer chose them."""
    arrays = {}
    for column in columns:
        array = pa.array(column.values)
        if column.kind in ("text", "hard text", "code") and draw.random() < 0.5:
            array = draw.choice([array.dictionary_encode(), array.cast(pa.large_string())])
        others = OTHER_TYPES.get(column.kind, ())
        if others and draw.random() < 0.5:
            array = _cast(array, draw.choice(others))
        arrays[column.name] = array
    return pa.table(arrays)


def write_parquet(columns: list[GeneratedColumn], file: Path, draw: random.Random) -> None:
    """Writes a Parquet file with small row groups."""
    pq.write_table(arrow_table(columns, draw), file, row_group_size=draw.choice([5, 1000]))


def write_json_lines(columns: list[GeneratedColumn], file: Path, draw: random.Random) -> None:
    """Writes JSON lines; a hole is null or an absent key, a time is text."""
    lines = []
    for row in range(len(columns[0].values)):
        record = {
            column.name: column.cells[row]
            if column.kind in ("day", "moment") and column.values[row]
            else column.values[row]
            for column in columns
        }
        lines.append(
            json.dumps({key: value for key, value in record.items() if value is not None or draw.random() < 0.5})
        )
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_arrow(columns: list[GeneratedColumn], file: Path, draw: random.Random) -> None:
    """Writes an Arrow file or stream, or a Feather file, compressed or not."""
    table = arrow_table(columns, draw)
    form = draw.choice(["file", "stream", "feather"])
    if form == "feather":
        feather.write_feather(table, file, compression=draw.choice(["lz4", "zstd", "uncompressed"]))
        return
    make = pa.ipc.new_file if form == "file" else pa.ipc.new_stream
    with make(str(file), table.schema) as writer:
        writer.write_table(table, max_chunksize=draw.choice([7, 1000]))
