"""Digests the code that a step reaches, without comments and help texts.

Imports are read from the source with `ast`, wherever they stand (also inside functions), and never executed. A file's
digest is taken after comments, docstrings and the help texts of settings are removed, so that rewording one of them
runs no step again. Whatever is not such a text counts as it is written.

A user's own module (setting `plugins`) reaches the modules of its own project: those of its top-level package and,
outside the folders of installed packages, those that stand beside it.

To parse all files takes most of a plan's time. So the result for each file is kept beside Python's bytecode, under the
SHA-256 of the file's content: what is read from there is never stale.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.util
import json
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder
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
      names: Dotted names that its import statements could mean: modules, and what they hold. Relative ones begin with
        dots.
    """

    digest: str
    names: tuple[str, ...]


_FILES: dict[str, Path | None] = {}  # what this process has found and read, by module
_SOURCES: dict[str, Source | None] = {}
_NEXT: dict[str, list[str]] = {}  # the modules that each imports


def code_digests(*modules: str) -> dict[str, str]:
    """Returns the digest of each source that `modules` reach through imports inside their project, by module name.

    Raises:
      SyntaxError: One of them does not parse; it names the file.
    """
    reached: dict[str, str] = {}
    waiting = [*modules]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        source = _source(name)
        reached[name] = source.digest if source else ""
        if name not in _NEXT:
            parent = name.rpartition(".")[0]
            # The package's own file names the public API, which no module uses.
            named = [*(source.names if source else ()), *([parent] if parent != PACKAGE else [])]
            _NEXT[name] = [other for other in _absolute(named, name) if _is_near(other, name) and source_file(other)]
        waiting += _NEXT[name]
    _CACHE.save()
    return dict(sorted(reached.items()))


def is_ours(module: str) -> bool:
    """Whether a module is of this package, and not of a user's project."""
    return module.startswith(f"{PACKAGE}.") or module == PACKAGE


def _absolute(names: Iterable[str], module: str) -> Iterator[str]:
    """Yields the names that a module imports without dots before them."""
    for name in names:
        dots = len(name) - len(name.lstrip("."))
        if dots:
            file = source_file(module)
            package = module.split(".")
            if file is None or file.name != "__init__.py":
                package = package[:-1]
            package = package[: len(package) - dots + 1]
            name = ".".join([*package, name.lstrip(".")]).strip(".")
        if name:
            yield name


def _is_near(name: str, module: str) -> bool:
    """Whether a name that `module` imports may be of the same project, or of this package."""
    if is_ours(name):
        return name != PACKAGE
    if is_ours(module):
        return False
    top, own = name.partition(".")[0], module.partition(".")[0]
    if top == own:
        return True
    folder = folder_of(own)
    return folder is not None and folder == folder_of(top) and folder not in _installed()


@functools.cache
def _installed() -> frozenset[Path]:
    """Returns the folders of Python's own modules and of installed packages."""
    return frozenset(Path(path).resolve() for path in sysconfig.get_paths().values())


@functools.cache
def folder_of(top: str) -> Path | None:
    """Returns the folder in which Python finds a top-level module of others; None where it finds none."""
    try:  # the second knows of editable installations, and would name a module by that name that is imported already
        spec = PathFinder.find_spec(top) or importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    places = list(spec.submodule_search_locations or ())
    place = Path(places[0]) if places else Path(spec.origin) if spec.origin else None
    return place.parent.resolve() if place else None


def source_file(module: str) -> Path | None:
    """Returns the file of a module, which is found as Python finds it and is not imported; None where there is none."""
    if module not in _FILES:
        folder = PROJECT if is_ours(module) else folder_of(module.partition(".")[0])
        path = folder.joinpath(*module.split(".")) if folder and module != PACKAGE else None
        candidates = (path.with_suffix(".py"), path / "__init__.py") if path else ()
        _FILES[module] = next((candidate for candidate in candidates if candidate.is_file()), None)
    return _FILES[module]


def _source(module: str) -> Source | None:
    if module not in _SOURCES:
        file = source_file(module)
        try:
            _SOURCES[module] = _CACHE.find(file.read_bytes()) if file else None
        except SyntaxError as error:
            error.filename = str(file)
            raise
    return _SOURCES[module]


def remove_old_bytecode(*modules: str) -> None:
    """Removes the bytecode that is older than its source, of users' modules that `modules` reach.

    Python knows a source by its size and the second of its last change, so it would take the bytecode of a first
    version for a second one of the same length that was saved within a second of it.

    Raises:
      SyntaxError: As `code_digests`.
    """
    for name in code_digests(*modules):
        file = None if is_ours(name) else source_file(name)
        with contextlib.suppress(OSError, NotImplementedError):  # there is none, or Python keeps none
            kept = Path(importlib.util.cache_from_source(file)) if file else None
            if file and kept and kept.stat().st_mtime_ns <= file.stat().st_mtime_ns:
                kept.unlink()


def changed_code(*modules: str) -> list[str]:
    """Returns the modules that `modules` reach whose files hold other code now than when this process read them.

    What was read first stays what `code_digests` returns: modules are imported once, so the code at work is that of
    the first reading or, of a module that is imported late, of this one.
    """
    changed = []
    for name, digest in code_digests(*modules).items():
        file = source_file(name)
        try:
            if digest and (file is None or _CACHE.find(file.read_bytes()).digest != digest):
                changed.append(name)
        except (OSError, SyntaxError, ValueError):  # removed, or half-written
            changed.append(name)
    return changed


def forget(*, ours: bool = True) -> None:
    """Forgets what this process has read, so that changed files are read again.

    Args:
      ours: Also what it has read of this package, and not of users' projects alone.
    """
    folder_of.cache_clear()
    _NEXT.clear()
    for known in (_FILES, _SOURCES):
        for module in [name for name in known if ours or not is_ours(name)]:
            del known[module]


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
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            names += [base, *(f"{base}{'.' * bool(node.module)}{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = list(_without_docstring(node.body))
        elif isinstance(node, ast.Call):
            _remove_help(node)
    return Source(hashlib.sha256(ast.dump(tree).encode()).hexdigest(), tuple(dict.fromkeys(names)))


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
