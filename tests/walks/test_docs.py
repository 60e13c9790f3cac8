"""Types every console block of the pages, in the order in which a reader meets them, in one folder.

`support/pages.py` tells how a block is read. The folder looks like a fresh clone. Where `curl` is not installed, Python
sends the requests (`support/curl.py`).
"""

import os
import re
import shutil
import sys

import click
import pytest

from crossnet.pipeline.cli import cli
from support import REPOSITORY
from support.pages import (
    DOCS,
    STILL_RUNS,
    blocks,
    files_of,
    files_used,
    follow,
    free_port,
    in_link_order,
    links,
    matches,
    run,
    runs,
)

PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "BUILD.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted(DOCS.glob("*.md")),
]
COMMAND = re.compile(r"\bcrossnet ([a-z]+)((?: [^\n`|&]*)?)")
CURL = REPOSITORY / "tests" / "support" / "curl.py"


@pytest.fixture
def clone(tmp_path):
    """A folder with the files of the top level, and the environment that `make` has set up."""
    for path in REPOSITORY.iterdir():
        if path.name in ("pyproject.toml", "requirements.lock"):
            # Older than the environment whatever was edited, so that `make` does not install this folder into it.
            shutil.copy(path, tmp_path)
            os.utime(tmp_path / path.name, (0, 0))
        elif path.name not in (".git", "crossnet_root", ".ci"):
            (tmp_path / path.name).symlink_to(path)
    return tmp_path


@pytest.fixture
def search_path(tmp_path_factory):
    """PATH; where `curl` is not installed, with a folder that has `support/curl.py` under that name."""
    if shutil.which("curl"):
        return os.environ["PATH"]
    command = tmp_path_factory.mktemp("bin") / "curl"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{CURL}" "$@"\n')
    command.chmod(0o755)
    return f"{command.parent}:{os.environ['PATH']}"


@pytest.mark.slow
def test_all_pages_run_as_printed_in_link_order_in_one_folder(clone, search_path):
    for page in filter(runs, in_link_order()):
        follow(page, clone, search_path, {"8500": str(free_port()), "8501": str(free_port())})


def test_every_page_is_reached_by_a_link():
    assert {*PAGES, REPOSITORY / "SECURITY.md", REPOSITORY / "CHANGELOG.md"} == set(in_link_order())
    assert DOCS / "notebook.ipynb" in links(DOCS / "README.md")


def test_no_two_pages_make_the_same_file():
    made = {}
    for page in in_link_order():
        for name in files_of(page):
            assert name not in made, f"{made[name]} and {page.name} both make {name}"
            made[name] = page.name
    # As known from the pages themselves: a block with a name, an output, a root, a file that Python opens, a config.
    assert {"client.py", "rows.jsonl", "predicted.csv", "orchestrated", "trips.csv", "trips.toml"} <= made.keys()


def test_a_page_uses_only_what_it_makes_or_what_a_page_that_it_links_to_makes():
    for page in filter(runs, in_link_order()):
        made = files_of(page).union(*(files_of(other) for other in links(page) if other.suffix == ".md"))
        assert files_used(page) <= made, (
            f"{page.name} uses {files_used(page) - made}, and does not say where it is made"
        )
    assert files_used(DOCS / "how-to-get-prediction-intervals.md") == {"rides.csv", "intervals.csv", "intervals.py"}


def test_a_command_in_a_page_has_only_options_that_it_takes():
    """In blocks that are not run, in workflows and in sentences too. `serve` passes on what it does not know."""
    wrong, seen = [], set()
    for page in PAGES:
        for name, rest in COMMAND.findall(page.read_text().replace("\\\n", " ")):
            if name in cli.commands and name != "serve":
                command = cli.commands[name]
                parts = command.commands.values() if isinstance(command, click.Group) else [command]
                known = {option for part in parts for parameter in part.params for option in parameter.opts}
                given = set(re.findall(r"(?<= )--[a-z][\w-]*", rest))
                seen |= given
                wrong += [f"{page.name}: crossnet {name} {option}" for option in given - known - {"--help"}]
    assert not wrong
    assert {"--run", "--trials", "--label", "--image"} <= seen


def test_a_block_that_leaves_a_server_running_is_told(tmp_path):
    with pytest.raises(AssertionError, match="`kill %1; wait` is missing behind\nsleep 100 &"):
        run("sleep 100 &", tmp_path, os.environ["PATH"])
    assert run("sleep 100 &\nkill %1; wait\necho done", tmp_path, os.environ["PATH"]).split() == ["done"]
    assert STILL_RUNS not in (1, 2, 3)


@pytest.mark.parametrize(
    ("printed", "line"),
    [
        ("  cross_layer    44   0.714  champion", "  cross_layer  44       8.6e-08  champion"),
        ("Up to date since run 20261123T083825Z.", "Up to date since run 20261124T010203Z."),
        ("20261123T083825Z … BLESSED", "20261124T010203Z-2  3  BLESSED"),
        ("Report: …/report.html", "Report: /a/b/report.html"),
        ("eval 197, train 1,803", "eval 203, train 1,797"),
    ],
)
def test_numbers_and_ellipses_match_others(printed, line):
    assert matches(printed, line)


@pytest.mark.parametrize(
    ("printed", "line"),
    [
        ('    "predictions": [', '    "predictions": [1.62499976'),
        ("  dense  44  baseline", "  dense  44  champion"),
        ("Report: …/report.html", "Report: /a/b/report.json"),
        ("eval 197", "eval 203, train 1,797"),
    ],
)
def test_words_match_only_themselves(printed, line):
    assert not matches(printed, line)


def test_blocks_that_are_not_run_are_listed_in_build_md():
    left_out = {
        f"- {page.relative_to(REPOSITORY)}: `{block.commands.splitlines()[0]}`: {block.not_run}"
        for page in PAGES
        for block in blocks(page)
        if block.kind == "console" and block.not_run
    }
    text = (REPOSITORY / "BUILD.md").read_text()
    listed = {line for line in text.splitlines() if re.match(r"- [\w/-]+\.md: `", line)}
    assert listed == left_out
    assert f"{len(left_out)} console blocks are not run" in text


def test_pages_link_to_files_that_exist():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_links_into_a_page_lead_to_one_of_its_headings():
    def anchors(page):
        headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

    found = [(page, *link) for page in PAGES for link in re.findall(r"\]\(([^):#]*)#([^)]+)\)", page.read_text())]
    assert len(found) >= 3
    for page, target, anchor in found:
        assert anchor in anchors((page.parent / target) if target else page), f"{page.name}: {target}#{anchor}"


def test_pages_name_tests_that_exist():
    made_by_the_reader = {"test_release_note.py", "test_models_residual.py"}  # docs/how-to-add-a-*.md
    for page in PAGES:
        named = set(re.findall(r"\btest_\w+\.py\b", page.read_text())) - made_by_the_reader
        assert named <= {path.name for path in (REPOSITORY / "tests").rglob("test_*.py")}, page.name
