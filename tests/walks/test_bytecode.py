"""Python runs the code that is digested: bytecode is checked by content, as a fingerprint is made."""

import os
import re
import shutil
import subprocess
import sys

from support import REPOSITORY


def test_an_edit_that_leaves_second_and_size_is_run(tmp_path):
    """Compiles as the Makefile does, edits a module, restores its time, and imports it."""
    (options, folders), *others = re.findall(
        r"\$\(V\)/python -m compileall ([^\n]*?)((?: [a-z]+)+)$", _makefile(), re.M
    )
    assert set(others) <= {(options, folders)}
    for folder in folders.split():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").touch()
    module = tmp_path / "components" / "answer.py"
    module.write_text("ANSWER = 1\n")
    subprocess.run([sys.executable, "-m", "compileall", *options.split(), *folders.split()], cwd=tmp_path, check=True)
    assert list((tmp_path / "components" / "__pycache__").glob("answer.*"))
    assert _answer(tmp_path) == "1"
    facts = module.stat()
    module.write_text("ANSWER = 2\n")
    os.utime(module, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert _answer(tmp_path) == "2"
    shutil.rmtree(tmp_path / "components" / "__pycache__")
    assert _answer(tmp_path) == "2"


def _makefile():
    return (REPOSITORY / "Makefile").read_text()


def _answer(folder):
    code = "from components.answer import ANSWER; print(ANSWER)"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()
