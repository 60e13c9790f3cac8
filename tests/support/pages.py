"""Reads the console blocks of the pages, runs them, and compares what they print.

In a block, `$ ` starts a command and `> ` continues it; other lines are output, and so is a ```text block below
`prints:`. The commands must print each of these lines, in this order; a number in a page matches any number, and an
ellipsis any text. A block whose first line is a comment with a file's name (`# client.py`) is written to that file
first. A comment `<!-- not-run: REASON -->` on the line before a block leaves it out; BUILD.md lists all of these.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from support import REPOSITORY

DOCS = REPOSITORY / "docs"
BLOCK = re.compile(
    r"(?P<prints>\bprints:\n\n)?^(?:<!-- not-run: (?P<reason>.*?) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)^```$",
    re.M | re.S,
)
# The name of a run (the second one of a second ends with -2), or a number in any form.
NUMBER = re.compile(r"\d{8}T\d{6}Z(?:-\d+)?|-?\d[\d.,]*(?:e[+-]\d+)?")
# Our settings, and what `make test` would make of the pages' own `make`.
NOT_PASSED_ON = re.compile("CROSSNET_|ARGS$|MAKE|MFLAGS$")
NAMED_FILE = re.compile(r"# ([\w.]+\.(?:py|toml))\b.*\n")
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
# What a page's commands leave in the folder: their output, and the config that `init` names after its table.
WRITTEN = re.compile(
    r"(?:> ?|--output |-o |--rows (?=\w+\.csv --warmup)|--warmup |--root |--request_log_dir=)([a-z][\w.]*\w)"
    r"|open\(\"([\w.]+)\", \"w\"|init (\w+)\.csv"
)
STILL_RUNS = 97  # the exit code of a block that leaves a server running


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    kind: str
    text: str
    not_run: str
    below_prints: bool = False

    @property
    def commands(self) -> str:
        """What is typed."""
        lines = [line[2:] for line in self.text.splitlines() if line.startswith(("$ ", "> "))]
        return "\n".join(lines)

    @property
    def output(self) -> list[str]:
        """The lines that it says are printed."""
        return [line for line in self.text.splitlines() if line.strip("… ") and not line.startswith(("$ ", "> "))]


def links(page: Path) -> list[Path]:
    """Returns the files that a page links to, in the order of the page, each once."""
    return list(dict.fromkeys((page.parent / target).resolve() for target in LINK.findall(page.read_text())))


def in_link_order() -> list[Path]:
    """Returns all pages as a reader meets them: README, what it links to, then what docs/README.md links to."""
    readme = REPOSITORY / "README.md"
    found = [readme, *links(readme), *links(DOCS / "README.md")]
    return list(dict.fromkeys(page for page in found if page.suffix == ".md"))


def blocks(page: Path) -> list[Block]:
    """Returns a page's blocks; fails where one is not closed or says nothing of its kind."""
    text = page.read_text()
    found = [Block(m["kind"], m["text"], m["reason"] or "", m["prints"] is not None) for m in BLOCK.finditer(text)]
    assert len(found) == text.count("\n```") // 2, f"{page.name} has a block that is not closed or has no kind"
    return found


def runs(page: Path) -> bool:
    """Whether a page has a console block that is run."""
    return any(block.kind == "console" and not block.not_run for block in blocks(page))


def files_of(page: Path) -> set[str]:
    """Returns the names of the files and folders that a page has its reader make in the working folder."""
    made = set()
    for block in blocks(page):
        if named := NAMED_FILE.match(block.text):
            made.add(named[1])
        if (block.kind == "console" and not block.not_run) or named:
            found = WRITTEN.findall(block.commands or block.text)
            made |= {output or opened or f"{table}.toml" for output, opened, table in found}
    return made


def files_used(page: Path) -> set[str]:
    """Returns the names of the tables, configs, scripts and rows that a page's commands name."""
    commands = [block.commands for block in blocks(page) if block.kind == "console" and not block.not_run]
    return set(re.findall(r"(?<![\w/.*])[\w.]+\.(?:csv|toml|jsonl|py|config)\b", "\n".join(commands)))


def matches(printed: str, line: str) -> bool:
    """Whether a line of a page, such as `rmse 0.04, see …/report.html`, matches a line that was printed."""
    parts = [
        r"\s+".join(re.escape(word) for word in re.split(r"\s+", NUMBER.sub("#", part))) for part in printed.split("…")
    ]
    return re.fullmatch(".*".join(parts).replace(r"\#", "#"), NUMBER.sub("#", line).rstrip()) is not None


def run(commands: str, folder: Path, search_path: str) -> str:
    """Returns what the commands print, in the background too; fails where they fail, or leave a server running."""
    # The last output may not end its line, and a server prints when it ends.
    script = (
        f"set -euo pipefail\ntrap 'echo; kill $(jobs -p) 2>/dev/null || true' EXIT\n{commands}\n"
        f'[ -z "$(jobs -rp)" ] || exit {STILL_RUNS}\n'
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not NOT_PASSED_ON.match(name)}
        | {"PATH": search_path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode != STILL_RUNS, f"`kill %1; wait` is missing behind\n{commands}"
    assert done.returncode == 0, f"{commands}\n\n{done.stdout}"
    return done.stdout


def free_port() -> int:
    """Returns a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def follow(page: Path, folder: Path, search_path: str, ports: Mapping[str, str]) -> None:
    """Types a page's blocks in order and compares what they print.

    Args:
      page: The page.
      folder: A clone, in which the pages before it were typed.
      search_path: PATH.
      ports: By a port that pages name, the one to use.
    """
    commands = output = ""
    for block in blocks(page):
        text = block.text
        for printed, free in ports.items():
            text = text.replace(printed, free)
        block = replace(block, text=text)
        if named := NAMED_FILE.match(text):
            (folder / named[1]).write_text(text)
        if block.kind == "console" and not block.not_run:
            commands = block.commands
            assert commands, f"a console block of {page.name} has no command:\n{text}"
            output = run(commands, folder, search_path)
        elif not block.below_prints:
            continue
        lines = iter(output.splitlines())
        for printed in block.output:
            assert any(matches(printed, line) for line in lines), (
                f"{page.name} says that\n{commands}\nprints, in this order,\n{printed}\nIt printed\n\n{output}"
            )
