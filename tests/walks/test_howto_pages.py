"""Follows the pages for contributors in a copy of the project.

A code block below a comment `<!-- type: FILE PLACE -->` is typed into FILE. PLACE is nothing (a new file), or `after`,
`before` or `instead of` and a part of a line in quotes. `instead of "A" before "B"` means the last such line before B,
and `and its closing line` means the next line that closes a bracket. One below `<!-- project: FILE -->` is typed into a
user's own project.
"""

import os
import re
import shutil
import subprocess
import sys

import pytest

from support import REPOSITORY

OWN = "it needs the project above"
BLOCK = re.compile(r"^<!-- (?P<kind>type|not-run|project): (?P<what>.*?) -->\n```\w+\n(?P<text>.*?)^```$", re.M | re.S)
PLACE = re.compile(r'(?P<file>\S+)(?: (?P<how>after|before|instead of) "(?P<line>.*?)"(?P<rest> .*)?)?')


PROGRAMS = {"python": sys.executable, "crossnet": f"{sys.executable} -m crossnet"}
QUICK = "--set trainer.epochs=2 --set evaluator.max_rmse=1 --set evaluator.min_improvement=none"
QUICK += " --set evaluator.max_mean_ratio=none --set evaluator.max_linear_ratio=none"


def type_in(folder, what, text):
    """Types one block into its file."""
    found = PLACE.fullmatch(what)
    assert found, what
    file = folder / found["file"]
    if not found["how"]:
        assert not file.exists(), f"{file} is there already"
        file.write_text(text)
        return
    lines = file.read_text().splitlines(keepends=True)
    wanted = found["line"].replace('\\"', '"')
    rest = found["rest"] or ""
    last = len(lines)
    if before := re.fullmatch(r' before "(.*)"', rest):
        last = next(number for number, line in enumerate(lines) if before[1] in line)
    numbers = [number for number, line in enumerate(lines[:last]) if wanted in line]
    assert numbers, f"no line of {file} has {wanted!r}"
    number = numbers[-1]
    if rest == " and its closing line":
        number = next(i for i in range(number + 1, len(lines)) if lines[i].strip(" \n,") in (")", "}", "]"))
    start, stop = {"after": (number + 1, number + 1), "before": (number, number), "instead of": (number, number + 1)}[
        found["how"]
    ]
    file.write_text("".join([*lines[:start], text, *lines[stop:]]))


def run(folder, *command, path=None):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CROSSNET_")}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**environment, "PYTHONPATH": str(path or folder)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "tests", "printed"),
    [
        ("how-to-add-a-component.md", "tests/components/test_release_note.py", "Owner: Ada"),
        ("how-to-add-a-model.md", "tests/components/networks/test_models_residual.py", "residual"),
    ],
)
def test_what_a_page_says_works_when_it_is_typed(tmp_path, page, tests, printed):
    for name in ("crossnet", "components", "serving", "pipeline", "tests", "docs"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(REPOSITORY / name, tmp_path)
    commands = []
    for block in BLOCK.finditer((REPOSITORY / "docs" / page).read_text()):
        if block["kind"] == "type":
            type_in(tmp_path, block["what"], block["text"])
        elif block["kind"] == "not-run" and block["what"] != OWN:
            commands += [line[2:] for line in block["text"].splitlines()]
    assert len(commands) >= 2
    run(tmp_path, sys.executable, "-m", "pytest", tests, "tests/walks/test_layering.py")
    output = ""
    for command in commands:
        if command.startswith(".venv/bin/crossnet run"):
            command += f" {QUICK}"
        output += run(tmp_path, "bash", "-c", re.sub(r"\.venv/bin/(\w+)", lambda name: PROGRAMS[name[1]], command))
    assert printed in output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "printed"), [("how-to-add-a-component.md", "Owner: Ada"), ("how-to-add-a-model.md", "residual ")]
)
def test_what_a_page_says_of_a_project_of_ones_own_works_when_it_is_typed(tmp_path, page, printed):
    commands = []
    for block in BLOCK.finditer((REPOSITORY / "docs" / page).read_text()):
        if block["kind"] == "project":
            file = tmp_path / block["what"]
            file.parent.mkdir(exist_ok=True)
            file.write_text(block["text"])
        elif block["what"] == OWN:
            commands += [line[2:] for line in block["text"].splitlines()]
    assert len(commands) >= 2
    output = ""
    for command in commands:
        if command.startswith("crossnet run"):
            command += f" {QUICK}"
        output += run(
            tmp_path, "bash", "-c", command.replace("crossnet ", f"{PROGRAMS['crossnet']} ", 1), path=REPOSITORY
        )
    assert printed in output
