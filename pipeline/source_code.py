"""Digests the code that a step reaches, without comments and help texts.

Imports are read from the source with `ast`, wherever they stand (also inside functions), and never executed. A file's
digest is taken after comments, docstrings and the help texts of settings are removed, so that rewording one of them
runs no step again. Whatever is not such a text counts as it is written.

To parse all files takes most of a plan's time. So the result for each file is kept beside Python's bytecode, under the
SHA-256 of the file's content: what is read from there is never stale.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from crossnet.components.files import write_file

PACKAGE = "crossnet"
PROJECT = Path(__file__).parent.parent.parent  # the folder that holds the package
CACHE_FILE = Path(__file__).parent / "__pycache__" / f"source_code.{sys.implementation.cache_tag}.json"
MAX_CACHED = 2000  # files; the cache is begun anew when edits have left more than that
# The function that declares a setting, and the position of the help text among its arguments.
SETTING, HELP_POSITION, HELP_KEYWORD = "setting", 1, "doc"


class Source(NamedTuple):
    """One file.

    Attributes:
      digest: SHA-256, hexadecimal, of the code without comments, docstrings and help texts.
      names: Dotted names inside this project that its import statements could mean: modules, and what they hold.
    """

    digest: str
    names: tuple[str, ...]


def code_digests(module: str) -> dict[str, str]:
    """Returns the digest of each source that `module` reaches through imports inside this project, by module name."""
    reached: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        source = _source(name)
        reached[name] = source.digest if source else ""
        parent = name.rpartition(".")[0]
        # The package's own file names the public API, which no module uses.
        named = [*(source.names if source else ()), *([parent] if parent != PACKAGE else [])]
        waiting += [other for other in named if _file(other)]
    _CACHE.save()
    return dict(sorted(reached.items()))


@functools.cache
def _file(module: str) -> Path | None:
    if not module.startswith(f"{PACKAGE}."):
        return None
    path = PROJECT.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@functools.cache
def _source(module: str) -> Source | None:
    file = _file(module)
    return _CACHE.find(file.read_bytes()) if file else None


def changed_code(module: str) -> list[str]:
    """Returns the modules that `module` reaches whose files hold other code now than when this process read them.

    What was read first stays what `code_digests` returns: modules are imported once, so the code at work is that of
    the first reading or, of a module that is imported late, of this one.
    """
    changed = []
    for name, digest in code_digests(module).items():
        file = _file(name)
        try:
            if digest and (file is None or _CACHE.find(file.read_bytes()).digest != digest):
                changed.append(name)
        except (OSError, SyntaxError, ValueError):  # removed, or half-written
            changed.append(name)
    return changed


def forget() -> None:
    """Forgets what this process has read, so that changed files are read again."""
    _file.cache_clear()
    _source.cache_clear()


class _Cache:
    """Sources by the SHA-256 of their bytes, kept in a file that may be lost at any time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, Source] | None = None
        self._used: dict[str, Source] = {}
        self._is_saved = True

    def find(self, content: bytes) -> Source:
        """Returns what is known of a file's content; parses it where nothing is."""
        key = hashlib.sha256(content).hexdigest()
        if self._known is None:
            self._known = self._read()
        if key not in self._known:
            self._known[key] = parse_source(content)
            self._is_saved = False
        self._used[key] = self._known[key]
        return self._known[key]

    def save(self) -> None:
        """Writes the file where something was added; a folder that cannot be written costs time and nothing else."""
        if self._is_saved or self._known is None:
            return
        kept = self._known if len(self._known) <= MAX_CACHED else self._used
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(exist_ok=True)
            write_file(self._file, json.dumps({"parser": _PARSER, "sources": kept}))
        self._is_saved = True

    def _read(self) -> dict[str, Source]:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            facts = json.loads(self._file.read_text(encoding="utf-8"))
            if facts["parser"] == _PARSER:
                return {key: Source(digest, tuple(names)) for key, (digest, names) in facts["sources"].items()}
        return {}


def parse_source(content: bytes) -> Source:
    """Returns the digest and the imports of a Python source."""
    tree = ast.parse(content)
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = list(_without_docstring(node.body))
        elif isinstance(node, ast.Call):
            _remove_help(node)
    inside = dict.fromkeys(name for name in names if name.startswith(f"{PACKAGE}."))
    return Source(hashlib.sha256(ast.dump(tree).encode()).hexdigest(), tuple(inside))


def _without_docstring(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for number, statement in enumerate(body):
        if number or not (isinstance(statement, ast.Expr) and _is_text(statement.value)):
            yield statement


def _remove_help(call: ast.Call) -> None:
    if not (isinstance(call.func, ast.Name) and call.func.id == SETTING):
        return
    if len(call.args) > HELP_POSITION and _is_text(call.args[HELP_POSITION]):
        del call.args[HELP_POSITION]
    call.keywords = [word for word in call.keywords if word.arg != HELP_KEYWORD or not _is_text(word.value)]


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


# What is kept was found by this very code.
_PARSER = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
_CACHE = _Cache(CACHE_FILE)
