"""Runs every console block of the pages and compares what it prints.

The blocks of a page run in order, in a folder that looks like a fresh clone. In a block, `$ ` starts a command and
`> ` continues it; other lines are output, and so is a ```text block below `prints:`. The commands must print each of
these lines, in this order; a number in a page matches any number, and an ellipsis any text. A block whose first line
is a comment with a file's name (`# client.py`) is written to that file first. A comment `<!-- not-run: REASON -->` on
the line before a block leaves it out; BUILD.md lists all of these. Where `curl` is not installed, Python sends the
requests (`support/curl.py`).
"""

import http.server
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass, replace

import pytest

from support import REPOSITORY

PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "BUILD.md",
    REPOSITORY / "CONTRIBUTING.md",
    *sorted((REPOSITORY / "docs").glob("*.md")),
]
BLOCK = re.compile(
    r"(?P<prints>\bprints:\n\n)?^(?:<!-- not-run: (?P<reason>.*?) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)^```$",
    re.M | re.S,
)
# The name of a run (the second one of a second ends with -2), or a number in any form.
NUMBER = re.compile(r"\d{8}T\d{6}Z(?:-\d+)?|-?\d[\d.,]*(?:e[+-]\d+)?")
CURL = REPOSITORY / "tests" / "support" / "curl.py"
# Our settings, and what `make test` would make of the pages' own `make`.
NOT_PASSED_ON = re.compile("CROSSNET_|ARGS$|MAKE|MFLAGS$")
NAMED_FILE = re.compile(r"# ([\w.]+\.(?:py|toml))\b.*\n")
# These train models of their own; README begins with `make run` on a machine that has nothing.
SLOW = {
    "README.md",
    "how-to-canary-and-rollback.md",
    "how-to-run-from-python.md",
    "how-to-log-requests.md",
    "how-to-run-steps-from-an-orchestrator.md",
    "tutorial.md",
}


@dataclass(frozen=True)
class Block:
    kind: str
    text: str
    not_run: str
    below_prints: bool = False

    @property
    def commands(self) -> str:
        lines = [line[2:] for line in self.text.splitlines() if line.startswith(("$ ", "> "))]
        return "\n".join(lines)

    @property
    def output(self) -> list[str]:
        return [line for line in self.text.splitlines() if line.strip("… ") and not line.startswith(("$ ", "> "))]


def matches(printed, line):
    """Whether a line of a page, such as `rmse 0.04, see …/report.html`, matches a line that was printed."""
    parts = [
        r"\s+".join(re.escape(word) for word in re.split(r"\s+", NUMBER.sub("#", part))) for part in printed.split("…")
    ]
    return re.fullmatch(".*".join(parts).replace(r"\#", "#"), NUMBER.sub("#", line).rstrip()) is not None


def blocks(page):
    matches = BLOCK.finditer(page.read_text())
    found = [Block(m["kind"], m["text"], m["reason"] or "", m["prints"] is not None) for m in matches]
    assert len(found) == page.read_text().count("\n```") // 2, (
        f"{page.name} has a block that is not closed or has no kind"
    )
    return found


def runnable():
    pages = [page for page in PAGES if any(block.kind == "console" and not block.not_run for block in blocks(page))]
    return [pytest.param(page, id=page.name, marks=[pytest.mark.slow] * (page.name in SLOW)) for page in pages]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


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


def run(commands, folder, search_path):
    """Returns what the commands print, in the background too; ends those that still run."""
    # The last output may not end its line, and a server prints when it ends.
    script = f"set -euo pipefail\ntrap 'echo; kill $(jobs -p) 2>/dev/null || true' EXIT\n{commands}\n"
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
    assert done.returncode == 0, f"{commands}\n\n{done.stdout}"
    return done.stdout


@pytest.mark.parametrize("page", runnable())
def test_page_runs_as_printed(page, clone, search_path):
    ports = {"8500": str(free_port()), "8501": str(free_port())}
    commands = output = ""
    for block in blocks(page):
        text = block.text
        for printed, free in ports.items():
            text = text.replace(printed, free)
        block = replace(block, text=text)
        if named := NAMED_FILE.match(text):
            (clone / named[1]).write_text(text)
        if block.kind == "console" and not block.not_run:
            commands = block.commands
            assert commands, f"a console block of {page.name} has no command:\n{text}"
            output = run(commands, clone, search_path)
        elif not block.below_prints:
            continue
        lines = iter(output.splitlines())
        for printed in block.output:
            assert any(matches(printed, line) for line in lines), (
                f"{page.name} says that\n{commands}\nprints, in this order,\n{printed}\nIt printed\n\n{output}"
            )


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


def test_pages_name_tests_that_exist():
    made_by_the_reader = {"test_model_card.py", "test_models_residual.py"}  # docs/how-to-add-a-*.md
    for page in PAGES:
        named = set(re.findall(r"\btest_\w+\.py\b", page.read_text())) - made_by_the_reader
        assert named <= {path.name for path in (REPOSITORY / "tests").rglob("test_*.py")}, page.name


class EchoHandler(http.server.BaseHTTPRequestHandler):
    """Answers with the request; the path /fail with 400."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(400 if self.path == "/fail" else 200)
        self.end_headers()
        self.wfile.write(f"{self.path} {self.headers['Content-Type']} {body.decode()}".encode())

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def echo():
    with http.server.HTTPServer(("127.0.0.1", 0), EchoHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "curl",
    [
        [sys.executable, str(CURL)],
        pytest.param(["curl"], marks=pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")),
    ],
    ids=["ours", "curl"],
)
@pytest.mark.parametrize(
    ("options", "path", "code", "printed"),
    [
        (["-sf"], "/v1/models", 0, '/v1/models application/x-www-form-urlencoded {"a": "é"}'),
        (["-s"], "/fail", 0, '/fail application/x-www-form-urlencoded {"a": "é"}'),
        (["-sf"], "/fail", 22, ""),
    ],
)
def test_a_request_is_the_same_with_and_without_curl(echo, curl, options, path, code, printed):
    command = [*curl, *options, "-d", '{"a": "é"}', echo + path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (code, printed)
