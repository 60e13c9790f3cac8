"""Finds the command that makes lines of a whole table in JSON.

Tools write a table as one value in several forms: a list of rows below a key, columns of cells, or rows by their
number, as pandas does. Each form has a filter of jq that yields one object per row.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crossnet.serving.protocol.printable import shown

_NOT_ROWS = ("schema", "meta", "metadata")  # keys below which columns are described
_ROWS = ("data", "rows", "records", "results")  # keys of a table, also beside a count of its rows
_MAX_KEYS = 3  # in a message
_MAX_DEPTH = 3  # of keys above the rows
_PAIRED = "[$c, .] | transpose | map({(.[0]): .[1]}) | add"  # names and cells as an object
_FROM_COLUMNS = "[$c[] | {(.key): .value[$i]}] | add"
_UNNAMED = 'to_entries | map({("x\\(.key)"): .value}) | add'


def rows_filter(value: Any) -> str:
    """Returns the filter of jq that yields the rows of a table, one object each; "" where a value is none.

    Args:
      value: A JSON value: the whole of a file.
    """
    if isinstance(value, list):
        return _of_list(value)
    if not isinstance(value, dict) or not value:
        return ""
    return _named_lists(value) or _listed_objects(value) or _of_objects(value) or _of_columns(value)


def is_table(value: Any) -> bool:
    """Returns whether a JSON value is a table and not a row that has lists or objects beside its features."""
    if not isinstance(value, dict):
        return isinstance(value, list)
    if any(key.lower() in _ROWS and isinstance(item, list) and len(item) > 1 for key, item in value.items()):
        return bool(_named_lists(value) or _listed_objects(value))
    has_cells = any(not isinstance(item, dict | list) for item in value.values())
    return not has_cells and bool(_named_lists(value) or _listed_objects(value) or _of_objects(value))


def not_rows(value: Any, file_name: str) -> str:
    """Returns, for a message, what a table in JSON is that is not one object per line, and what makes it so.

    Args:
      value: A JSON value: the whole of a file.
      file_name: As `converted` takes it.

    Returns:
      The end of a sentence that begins with the file's name, and a command; "" where the value is not a table.
    """
    if not (found := rows_filter(value)):
        return ""
    what = "is one array" if isinstance(value, list) else f"is one object with {_keys(value)}"
    command = converted(f"jq -c {shlex.quote(found)}", file_name)
    return f"{what}. Expected one JSON object per line. Convert it: {command}."


def converted(command: str, file_name: str) -> str:
    """Returns a command that reads a file and writes lines of JSON, as a message quotes it.

    Args:
      command: Without its files.
      file_name: One that is not a file's, such as "standard input", has a blank and no point, and gets no files.
    """
    if " " in file_name and "." not in file_name:
        return f"`{command}`"
    new = shlex.quote(f"{file_name.rpartition('.')[0] or file_name}-lines.jsonl")
    return f"`{command} {shlex.quote(file_name)} > {new}`"


def _of_list(rows: Sequence[Any]) -> str:
    if not rows:
        return ""
    if all(isinstance(row, dict) for row in rows):
        return ".[]"
    if not all(isinstance(row, list) for row in rows):
        return ""
    has_names = len(rows) > 1 and _are_names(rows[0]) and not _are_names(rows[1])
    return f".[0] as $c | .[1:][] | {_PAIRED}" if has_names else f".[] | {_UNNAMED}"


def _named_lists(value: Mapping[str, Any]) -> str:
    """Returns the filter for a list of names beside a list of rows that have a cell for each."""
    named = {key: len(names) for key, names in value.items() if _are_names(names)}
    for other, rows in value.items() if named else ():
        sizes = {len(row) if isinstance(row, list) else -1 for row in rows} if isinstance(rows, list) else set()
        key = next((key for key, size in named.items() if sizes == {size}), None)
        if key is not None:
            return f"{_at(key)} as $c | {_at(other)}[] | {_PAIRED}"
    return ""


def _listed_objects(value: Mapping[str, Any]) -> str:
    """Returns the filter for the longest list of objects that stands below keys."""
    found = max(_lists(value, "", 0), key=lambda one: len(one[1]), default=None)
    if found is None:
        return ""
    path, rows = found
    is_geojson = all(isinstance(row.get("properties"), dict) and row.get("type") == "Feature" for row in rows)
    return f"{path}[]{'.properties' if is_geojson else ''}"


def _lists(value: Mapping[str, Any], path: str, depth: int) -> Iterator[tuple[str, list[Any]]]:
    for key, item in value.items():
        here = path + _at(key, is_first=not path)
        if isinstance(item, list) and item and all(isinstance(row, dict) for row in item):
            yield here, item
        elif isinstance(item, dict) and depth < _MAX_DEPTH and key.lower() not in _NOT_ROWS:
            yield from _lists(item, here, depth + 1)


def _of_objects(value: Mapping[str, Any]) -> str:
    """Returns the filter for objects of equal keys: columns by name, or rows by number."""
    inner = list(value.values())
    if not inner or not all(isinstance(item, dict) and item for item in inner):
        return ""
    keys = list(inner[0])
    if any(list(item) != keys for item in inner):
        return ""
    are_columns = all(key.isdigit() for key in keys) or (len(keys) > len(inner) and not all(map(str.isdigit, value)))
    return f"to_entries as $c | $c[0].value | keys_unsorted[] as $i | {_FROM_COLUMNS}" if are_columns else ".[]"


def _of_columns(value: Mapping[str, Any]) -> str:
    """Returns the filter for lists of equally many cells, at least two, by the name of their column."""
    sizes = {len(item) if isinstance(item, list) else -1 for item in value.values()}
    if len(value) < 2 or len(sizes) > 1 or min(sizes) < 2:
        return ""
    return f"to_entries as $c | range($c[0].value | length) as $i | {_FROM_COLUMNS}"


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def _at(key: str, *, is_first: bool = True) -> str:
    """Returns a key as a path of jq."""
    if key.isascii() and key.isidentifier():
        return f".{key}"
    return f"{'.' if is_first else ''}[{json.dumps(key)}]"


def _keys(value: Mapping[str, Any]) -> str:
    """Returns the keys of an object in words."""
    names, more = [f"`{shown(key)}`" for key in list(value)[:_MAX_KEYS]], len(value) - _MAX_KEYS
    return f"the {'key' if len(value) == 1 else 'keys'} {', '.join(names)}{f' and {more:,} more' if more > 0 else ''}"
