"""Looks at the site of the pages: its menu, its API reference, and that a wrong link stops the build."""

import importlib.util
import json
import os
import re
import shutil
import subprocess

import pytest
from packaging.requirements import Requirement

import crossnet
from support import REPOSITORY

BUILDER = REPOSITORY / "docs" / "build_site.py"
PYTHON = REPOSITORY / ".venv-docs" / "bin" / "python"


@pytest.fixture
def builder(tmp_path, monkeypatch):
    """The module, with its pages in a folder of their own."""
    spec = importlib.util.spec_from_file_location("build_site", BUILDER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "PAGES", tmp_path)
    return module


def test_the_menu_has_each_page_once_under_its_title(builder, tmp_path):
    pages = sorted(f"docs/{page.name}" for page in (REPOSITORY / "docs").glob("*.md"))
    for page in ("README.md", *builder.PROJECT, *pages):
        builder.copy(REPOSITORY / page)
    for made in ("notebook", "reference-python"):
        (tmp_path / "docs" / f"{made}.md").write_text("# Made\n")
    menu = {}
    for entry in builder.navigation(pages):
        ((title, target),) = entry.items()
        for name, page in (
            [(title, target)] if isinstance(target, str) else [pair for e in target for pair in e.items()]
        ):
            assert page not in menu.values()
            menu[name if name != "Made" else page] = page
    assert set(menu.values()) == {
        *("README.md", "docs/notebook.md", "docs/reference-python.md"),
        *(*builder.PROJECT, *pages),
    }
    assert menu["Settings"] == "docs/reference-settings.md"  # whose first line is a comment


def test_the_reference_asks_for_each_public_name_and_for_the_clients(builder):
    page = builder.api_page()
    asked = re.findall(r"^::: ([\w.]+)$", page, re.M)
    names = [path.rpartition(".")[2] for path in asked]
    assert set(crossnet.__all__) - set(names) == {"AsyncPredictionClient", "PredictionClient"}
    assert {"crossnet.serving.client", "crossnet.components.artifacts"} <= set(asked)
    assert "`AsyncPredictionClient`, `PredictionClient`, see below" in page


def test_the_notebook_becomes_a_page_with_its_code_and_what_it_shows(builder, tmp_path):
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "text"]},
        {
            "cell_type": "code",
            "source": ["1 + 1"],
            "outputs": [
                {"data": {"text/plain": ["2"]}},
                {"text": ["said\n"]},
                {"data": {"text/html": ["<p>\n", "\n", "a</p>"], "text/plain": ["b"]}},
            ],
        },
    ]
    (tmp_path / "notebook.ipynb").write_text(json.dumps({"cells": cells}))
    assert builder.notebook_page(tmp_path / "notebook.ipynb") == (
        "# Title\ntext\n\n```python\n1 + 1\n```\n\n```text\n2\n```\n\n```text\nsaid\n```\n\n<div>\n<p>\na</p>\n</div>\n"
    )


def test_its_lock_pins_what_it_needs_and_holds_no_address():
    wanted = [Requirement(line) for line in (BUILDER.parent / "requirements.in").read_text().splitlines()[1:]]
    lock = (REPOSITORY / "requirements-docs.lock").read_text()
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", lock, re.M))
    assert [wish.name for wish in wanted if not wish.specifier.contains(pins[wish.name])] == []
    assert "://" not in lock
    assert "tensorflow" not in pins


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON.exists(), reason="`make docs` installs what builds the site")
def test_a_link_to_a_page_or_heading_that_is_not_there_stops_the_build(tmp_path):
    for path in REPOSITORY.iterdir():
        if path.name == "docs":
            shutil.copytree(path, tmp_path / "docs")
        elif path.name not in ("build", "site"):
            (tmp_path / path.name).symlink_to(path)

    def build():
        return subprocess.run(
            [PYTHON, tmp_path / "docs" / "build_site.py"],
            env={**os.environ, "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            timeout=300,
        )

    done = build()
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "site" / "docs" / "reference-python" / "index.html").read_text()
    for name in ("crossnet.pipeline.api.calls.run", "crossnet.serving.client.PredictionClient.predict"):
        assert f'id="{name}"' in page
    tutorial = tmp_path / "docs" / "tutorial.md"
    tutorial.write_text(tutorial.read_text() + "[a](nowhere.md) [b](tutorial.md#nowhere)\n")
    done = build()
    assert done.returncode == 1
    assert "The site was not built: see above." in done.stderr
    assert "2 issues found" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert (tmp_path / "site" / "index.html").exists()  # the one of before
