"""Runs the notebook of the pages in order and compares what it shows."""

import re

import pytest

from support import REPOSITORY
from support.notebook import execute, read

NOTEBOOK = REPOSITORY / "docs" / "notebook.ipynb"
# A number in any form, the name of a run, and a path that ends in one.
NUMBER = re.compile(r"-?\d[\dTZ.,]*(?:e[+-]\d+)?")


def words(outputs):
    """What cells show, without spaces and with other numbers and another folder."""
    texts = []
    for output in outputs:
        texts += [output["text"]] if "text" in output else output["data"].values()
    text = re.sub(r"/[^\s<>]*/fares_root", "/fares_root", " ".join("".join(lines) for lines in texts))
    return NUMBER.sub("#", text).split()


@pytest.mark.slow
def test_cells_show_what_the_notebook_has(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    notebook = read(NOTEBOOK)
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for cell, shown in zip(cells, execute(notebook), strict=True):
        assert words(shown) == words(cell["outputs"]), "".join(cell["source"])


def test_the_notebook_is_executed_in_order_and_names_no_folder_of_a_machine():
    notebook = read(NOTEBOOK)
    assert notebook["nbformat"] == 4
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert "/tmp/" not in NOTEBOOK.read_text()
    assert all(cell["outputs"] for cell in cells[1:])
