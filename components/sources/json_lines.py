"""Reads the types and the rows of a file of JSON lines.

Arrow parses blocks of whole lines. The types are those of all lines, since a key may be new, or of another type, in the
last one. A block that Arrow refuses is read line by line, which either succeeds or names the line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as arrow_json

from crossnet.components.errors import DataError
from crossnet.components.progress import reached
from crossnet.components.sources.csv_kinds import time_kind
from crossnet.components.sources.csv_lines import may_be_compressed, open_bytes, too_long_row
from crossnet.components.sources.json_forms import check_lines
from crossnet.components.sources.json_values import EXACT32, TIME, TIMES, array, joined, plain, types_of_lines
from crossnet.serving.protocol.cell_values import TIME_REGEX
from crossnet.serving.protocol.json_start import advice_on_line, json_object
from crossnet.serving.protocol.limits import MAX_ROW_BYTES
from crossnet.serving.protocol.printable import shown

DOUBT, _LARGE = b"doubt", b"large"  # of a field's metadata: what is doubtful about its type; a large whole number
_BLOCK_BYTES = 1 << 22
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_EXACT64 = 2.0**53  # up to here float64 holds every whole number
_FOUND_TIMES = tuple(pa.timestamp(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC"))
_MANY = 0.5  # of the texts of a block
_ROUNDED = "holds whole numbers beside decimals, and float32 keeps about 7 digits of each (such as {})"
_BEYOND = "holds whole numbers beyond int64 (such as {}) and is read as float32, which keeps about 7 digits"


def read_schema(file: Path) -> pa.Schema:
    """Returns the keys of all lines and the types that hold all their values.

    Raises:
      DataError: A line is not a JSON object, or the file is one array, one table or not UTF-8.
    """
    check_lines(file)
    types: dict[str, pa.DataType] = {}
    doubts: dict[str, str] = {}
    large: dict[str, int] = {}
    for block, first_line in _blocks(file):
        table = _parsed(block)
        if table is None or any(_is_rounded(column) for column in table.columns):
            found = types_of_lines(_objects(file, block, first_line), doubts, large)
        else:
            times = _times(block, table, doubts)
            found = {name: _found_type(name, table[name], times, large) for name in table.column_names}
        for name, kind in found.items():
            types[name] = joined(name, types.get(name, pa.null()), kind, doubts)
    return _schema(types, doubts, large)


def joined_schema(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """Returns the columns of all files, with types that hold the values of each."""
    types: dict[str, pa.DataType] = {}
    doubts: dict[str, str] = {}
    large: dict[str, int] = {}
    for schema in schemas:
        for field in schema:
            metadata = field.metadata or {}
            doubts |= {field.name: metadata[DOUBT].decode()} if DOUBT in metadata else {}
            large |= {field.name: int(metadata[_LARGE])} if _LARGE in metadata else {}
            types[field.name] = joined(field.name, types.get(field.name, pa.null()), field.type, doubts)
    return _schema(types, doubts, large)


def read_batches(file: Path, columns: list[str], types: Mapping[str, Any]) -> Iterator[pa.RecordBatch]:
    """Yields the rows of a file, some thousands at a time.

    Args:
      file: The file.
      columns: The keys to read; a line without one of them has a hole there.
      types: Arrow's type of each, as `read_schema` returns it; times are read as the texts that they are.

    Raises:
      DataError: A line is not a JSON object.
    """
    schema = pa.schema([(name, plain(types[name])) for name in columns])
    for block, first_line in _blocks(file):
        table = _parsed(block, schema)
        if table is None or any(_is_rounded(column) for column in table.columns):
            rows = _objects(file, block, first_line)
            arrays = [array([row.get(field.name) for row in rows], field.type) for field in schema]
            table = pa.Table.from_arrays(arrays, schema=schema)
        yield from table.combine_chunks().select(columns).to_batches()


def row_line(file: Path, row: int) -> int | None:
    """Returns the line of a row, from 0; lines count from 1, and one that is blank is not a row."""
    for block, first_line in _blocks(file):
        for line, text in enumerate(block.split(b"\n"), first_line):
            if text.strip():
                if row == 0:
                    return line
                row -= 1
    return None


def _blocks(file: Path) -> Iterator[tuple[bytes, int]]:
    """Yields whole lines, about 4 MiB at a time, and the number of the first one."""
    line, rest, done, size = 1, b"", 0, 0 if may_be_compressed(file) else file.stat().st_size
    with open_bytes(file) as stream:
        while data := stream.read(_BLOCK_BYTES):
            done += len(data)
            reached(file, done, size)
            data = rest + data
            end = data.rfind(b"\n") + 1
            block, rest = data[:end], data[end:]
            if len(rest) > MAX_ROW_BYTES:
                raise too_long_row(file, line + block.count(b"\n"))
            if block:
                yield block.removeprefix(_BYTE_ORDER_MARK) if line == 1 else block, line
                line += block.count(b"\n")
    if rest:
        yield rest.removeprefix(_BYTE_ORDER_MARK) if line == 1 else rest, line


def _parsed(block: bytes, schema: pa.Schema | None = None) -> pa.Table | None:
    """Returns a block's rows, one per line, or None where Arrow cannot read them so.

    Args:
      block: Whole lines.
      schema: The columns and types that are wanted; None: all, with the types that Arrow sees.
    """
    lines = sum(1 for line in block.split(b"\n") if line.strip())
    if not lines:
        return pa.table({}) if schema is None else schema.empty_table()
    read = arrow_json.ReadOptions(use_threads=False, block_size=len(block) + 1)
    others = "infer" if schema is None else "ignore"
    parse = arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior=others)
    try:
        table = arrow_json.read_json(pa.BufferReader(block), read_options=read, parse_options=parse)
    except pa.ArrowException:
        return None
    return table if table.num_rows == lines else None


def _is_rounded(column: pa.ChunkedArray) -> bool:
    """Returns whether Arrow may have read whole numbers as float64 that it does not hold."""
    if not pa.types.is_float64(column.type):
        return False
    return bool(pc.any(pc.greater(pc.abs(column), _EXACT64)).as_py())


def _times(block: bytes, table: pa.Table, doubts: dict[str, str]) -> set[str]:
    """Returns the columns of a block of which all texts are times; where many are, `doubts` says so."""
    texts = [name for name in table.column_names if table.schema.field(name).type in (pa.string(), *_FOUND_TIMES)]
    found = [name for name in texts if table.schema.field(name).type in _FOUND_TIMES]
    plain = _parsed(block, pa.schema([(name, pa.string()) for name in found])) if found else None
    columns = {name: plain[name] if plain is not None and name in found else table[name] for name in texts}
    times = set()
    for name, column in columns.items():
        cells = column.combine_chunks().drop_null()
        if not pa.types.is_string(cells.type) or not len(cells):
            continue
        share = pc.mean(pc.match_substring_regex(cells, rf"^\s*{TIME_REGEX}\s*$")).as_py()
        if share < 1 or not time_kind(cells.cast(pa.binary())):
            doubts |= {name: TIMES} if share >= _MANY else {}
        else:
            times.add(name)
    return times


def _found_type(name: str, column: pa.ChunkedArray, times: Collection[str], large: dict[str, int]) -> pa.DataType:
    """Returns the type of a column as Arrow sees it, and of those in `times` the type of times."""
    if name not in large and column.type in (pa.int64(), pa.float64()):
        values = column.drop_null().to_numpy()
        found = values[(values == values.round()) & ((values > EXACT32) | (values < -EXACT32))]
        if len(found) and math.isfinite(found[0]):
            large[name] = int(found[0])
    return TIME if name in times else plain(column.type)


def _schema(types: Mapping[str, pa.DataType], doubts: Mapping[str, str], large: Mapping[str, int]) -> pa.Schema:
    fields = []
    for name, kind in types.items():
        doubt, value = doubts.get(name, ""), large.get(name)
        if value is not None and not doubt and kind == pa.float64():
            doubt = (_ROUNDED if -(2**63) <= value < 2**63 else _BEYOND).format(value)
        metadata = {DOUBT: doubt} if doubt else {}
        fields.append(pa.field(name, kind, metadata=metadata | ({_LARGE: str(value)} if value is not None else {})))
    return pa.schema(fields)


def _objects(file: Path, block: bytes, first_line: int) -> list[dict[str, Any]]:
    """Returns the object of each line.

    Raises:
      DataError: A line holds something else; it is named.
    """
    rows = []
    for number, line in enumerate(block.split(b"\n"), first_line):
        if not line.strip():
            continue
        try:
            value = json.loads(line, object_pairs_hook=json_object)
        except (ValueError, RecursionError) as error:
            hint = advice_on_line(line.decode(errors="replace"))
            raise _no_object(file, number, f"is not JSON: {shown(str(error), 200)}.{hint}".removesuffix(".")) from None
        if not isinstance(value, dict):
            raise _no_object(file, number, f"holds {shown(line.decode(errors='replace').strip())}")
        rows.append(value)
    return rows


def _no_object(file: Path, line: int, what: str) -> DataError:
    return DataError(
        f'`{file.name}:{line}` {what}. Expected one JSON object per line, such as {{"x": 1.5}}. Fix the line, or set '
        "`example_gen.source` to the file's format."
    )
