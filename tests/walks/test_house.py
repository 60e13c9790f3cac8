"""Holds every module to the house's measures: a plain first line, and a size for one sitting."""

import ast

import pytest

from support import REPOSITORY

MAX_WORDS, MAX_LINES, MAX_FUNCTION_LINES = 12, 300, 60
MODULES = [
    *sorted((REPOSITORY / "crossnet").glob("*.py")),
    *(file for folder in ("components", "serving", "pipeline") for file in sorted((REPOSITORY / folder).rglob("*.py"))),
]
BENCHMARKS = sorted((REPOSITORY / "benchmarks").rglob("*.py"))


def name(file):
    return str(file.relative_to(REPOSITORY))


def parse(file):
    return ast.parse(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", [*MODULES, *BENCHMARKS], ids=name)
def test_first_line_says_what_the_module_does_in_a_few_words(file):
    first = (ast.get_docstring(parse(file)) or "").partition("\n")[0]
    assert first.endswith("."), first
    assert len(first.split()) <= MAX_WORDS, first
    assert first.split()[0] not in ("What", "How", "Which", "The", "A", "An"), first


@pytest.mark.parametrize("file", MODULES, ids=name)
def test_module_and_its_functions_are_read_in_one_sitting(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
    functions = [node for node in ast.walk(parse(file)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lines = {node.name: node.end_lineno - node.lineno + 1 for node in functions}
    assert {key: count for key, count in lines.items() if count > MAX_FUNCTION_LINES} == {}


@pytest.mark.parametrize("file", MODULES, ids=name)
def test_limits_and_loggers_have_the_usual_names(file):
    text = file.read_text(encoding="utf-8")
    assert "MOST_" not in text
    assert all(line.startswith("LOGGER = ") for line in text.splitlines() if "getLogger(__name__)" in line)
