"""Tests mirror the rooms: each module has its test file, and each test file its module."""

import ast

import pytest

from support import REPOSITORY

FOLDERS = ("crossnet", "components", "serving", "pipeline")
# Cross-cutting tests, helpers, and tests of what is not installed.
ELSEWHERE = ("benchmarks", "support", "torture", "walks")


def modules():
    """Paths of modules with code, relative to the repository; the links inside `crossnet` are left out."""
    for folder in FOLDERS:
        for file in sorted((REPOSITORY / folder).rglob("*.py")):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            has_code = any(not isinstance(node, ast.Expr) for node in tree.body)
            if not file.is_relative_to(REPOSITORY / "crossnet" / folder) and has_code:
                yield file.relative_to(REPOSITORY)


def test_name(module):
    """The name of a module's test file without its suffix; a package's own file is tested by the package's name."""
    return f"test_{module.parent.name if module.name == '__init__.py' else module.stem.strip('_')}"


test_name.__test__ = False
MODULES = list(modules())
TESTS = [
    path.relative_to(REPOSITORY / "tests")
    for path in sorted((REPOSITORY / "tests").rglob("test_*.py"))
    if path.relative_to(REPOSITORY / "tests").parts[0] not in ELSEWHERE
]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_module_has_its_test_file(module):
    name = test_name(module)
    files = [path.name for path in TESTS if path.parent == module.parent]
    assert [file for file in files if file == f"{name}.py" or file.startswith(f"{name}_")], (
        f"{module} has no tests/{module.parent}/{name}.py or {name}_<part>.py"
    )


@pytest.mark.parametrize("file", TESTS, ids=str)
def test_test_file_has_its_module(file):
    names = [test_name(module) for module in MODULES if module.parent == file.parent]
    assert [name for name in names if file.stem == name or file.stem.startswith(f"{name}_")], (
        f"tests/{file} is named after no module of {file.parent}/; cross-cutting tests live in tests/walks/"
    )


@pytest.mark.parametrize("file", TESTS, ids=str)
def test_test_file_tests_something(file):
    tree = ast.parse((REPOSITORY / "tests" / file).read_text(encoding="utf-8"))
    assert [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
