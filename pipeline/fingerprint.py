"""Fingerprints: what a step's result depends on, as text. Equal fingerprints mean equal artifacts.

They are made of content alone, never of size or time stamps: the source code that the step reaches, its settings, its
inputs' fingerprints, the outside data it reads and the versions of the libraries that change results.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from crossnet.components.files import folder_checksum, json_value

HOUSE = Path(__file__).parent.parent.parent  # the folder that holds the package
PACKAGE = "crossnet"
LIBRARIES = (
    "tensorflow",
    "tf-keras",
    "tensorflow-serving-api",
    "tensorflow-metadata",
    "numpy",
    "pyarrow",
    "protobuf",
)
IMPORT = re.compile(r"^[ \t]*((?:from[ \t]+[\w.]+[ \t]+)?import[ \t]+(?:\([^)]*\)|[^\n(]+))", re.M)
WORD = re.compile(r"\bimport\b")
# Where data is, as opposed to what it holds; its content is hashed instead.
PATHS = ("input", "input_pattern", "schema_file", "warm_start")


def step_fingerprint(parts: Mapping[str, Any]) -> str:
    """Returns 16 hex digits for the parts (see `crossnet.pipeline.plan`), which must be JSON values."""
    text = json.dumps(json_value(parts), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def settings_text(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns settings as JSON values, dataclasses field by field, without the paths of outside data."""
    plain: dict[str, Any] = {}
    for name, value in settings.items():
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
            plain[name] = {key: json_value(item) for key, item in fields.items() if key not in PATHS}
        else:
            plain[name] = json_value(value)
    return plain


@functools.cache
def library_versions(more: tuple[str, ...] = ()) -> dict[str, str]:
    """Returns the versions of Python and of the libraries that change results, and of the packages in `more`."""
    versions = {name: importlib.metadata.version(name) for name in (*LIBRARIES, *more)}
    return {"python": ".".join(platform.python_version_tuple()[:2])} | versions


def content_digest(path: Path) -> str:
    """Returns the SHA-256 of a file's content, or of all files of a folder."""
    if path.is_dir():
        return folder_checksum(path)
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def code_digests(module: str) -> dict[str, str]:
    """Returns the SHA-256 of each source that `module` reaches through imports inside this project.

    Imports are read with `ast`, wherever they stand (also inside functions), and never executed.
    """
    return {name: _source_digest(name) for name in sorted(_reached(module))}


def _reached(module: str) -> set[str]:
    reached: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += _imports(name)
    return reached


def _file(module: str) -> Path | None:
    path = HOUSE.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _import_statements(source: str) -> Iterable[Any]:
    """Returns the statements of a source among which are all its imports.

    To parse a whole file costs most of a plan's time. So the import statements alone are parsed where they account for
    every word "import" in the file; where one stands elsewhere, in a docstring or behind a semicolon, all is parsed.
    """
    found = IMPORT.findall(source)
    if len(found) == len(WORD.findall(source)) and "\\\n" not in source:
        with contextlib.suppress(SyntaxError):
            return ast.parse("\n".join(found)).body
    return _statements(ast.parse(source).body)


def _statements(body: Iterable[Any]) -> Iterator[Any]:
    """Yields statements and those inside them. Expressions, most of a tree, hold no import and are passed over."""
    for node in body:
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _statements(getattr(node, name, ()))


@functools.cache
def _source_digest(module: str) -> str:
    file = _file(module)
    return content_digest(file) if file else ""


@functools.cache
def _imports(module: str) -> tuple[str, ...]:
    """Returns the project's modules that `module` names in any import statement, and its package."""
    file = _file(module)
    if file is None:
        return ()
    parent = module.rpartition(".")[0]
    names = [] if parent == PACKAGE else [parent]  # the package's own file names the public API, which no module uses
    for node in _import_statements(file.read_text(encoding="utf-8")):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    inside = [name for name in names if name.startswith(f"{PACKAGE}.") and _file(name)]
    return tuple(dict.fromkeys(inside))
