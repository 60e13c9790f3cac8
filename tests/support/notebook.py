"""Runs a notebook's cells in order without Jupyter.

Called as a program, from an empty folder, it writes what the cells show into the notebook:
`PYTHONPATH=tests python -m support.notebook FILE`.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any


def read(file: Path) -> dict[str, Any]:
    """Returns a notebook, as its format (nbformat 4) has it."""
    return dict(json.loads(file.read_text(encoding="utf-8")))


def execute(notebook: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Returns what each code cell shows: the text that it prints, and the value of its last line."""
    names: dict[str, Any] = {"__name__": "__main__"}
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [_execute(text, names, number) for number, text in enumerate(code, 1)]


def _execute(text: str, names: dict[str, Any], number: int) -> list[dict[str, Any]]:
    tree = ast.parse(text, f"cell {number}")
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, f"cell {number}", "exec"), names)
        value = None if last is None else eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
    shown: list[dict[str, Any]] = []
    if printed.getvalue():
        shown.append({"output_type": "stream", "name": "stdout", "text": _lines(printed.getvalue())})
    if value is not None:
        data = {"text/plain": _lines(repr(value))}
        if hasattr(value, "_repr_html_"):
            data["text/html"] = _lines(value._repr_html_())
        shown.append({"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": data})
    return shown


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def main() -> None:
    """Writes what the cells show into the notebook that is named."""
    file = Path(sys.argv[1])
    notebook = read(file)
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, (cell, shown) in enumerate(zip(cells, execute(notebook), strict=True), 1):
        cell["outputs"], cell["execution_count"] = shown, number
    here = str(Path.cwd())
    text = json.dumps(notebook, indent=1, ensure_ascii=False).replace(here, "/home/you")
    file.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
