"""Reads and writes JSON files, and checks names and checksums of folders."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MAX_FOLDER_LETTERS = 100
_FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
FOLDER_NAME = f"letters, digits, `_`, `-` and `.`, the first a letter or digit, at most {MAX_FOLDER_LETTERS} of them"


def read_json(path: Path) -> Any:
    """Returns the content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, value: Any, *, sort: bool = True) -> None:
    """Writes indented JSON, sorted so that `diff` works. NaN and infinity become null."""
    path.write_text(json.dumps(json_value(value), indent=2, sort_keys=sort) + "\n", encoding="utf-8")


def json_value(value: Any) -> Any:
    """Returns `value` with tuples as lists, paths as text, NumPy scalars as numbers and non-finite as None."""
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy scalars and arrays, without importing NumPy
        return json_value(value.tolist())
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, Path):
        return str(value)
    return value


def is_folder_name(name: str) -> bool:
    """Whether `name` has the form that `FOLDER_NAME` describes."""
    return _FOLDER_NAME.fullmatch(name) is not None and len(name) <= MAX_FOLDER_LETTERS


def folder_checksum(folder: Path) -> str:
    """Returns the SHA-256 of every file below `folder`: relative names and contents, in sorted order."""
    total = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        total.update(f"{file.relative_to(folder).as_posix()}\0{digest}\n".encode())
    return total.hexdigest()
