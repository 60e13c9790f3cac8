"""Builds a wheel of this checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from support import REPOSITORY

UV = shutil.which("uv") or str(REPOSITORY / ".tools" / "bin" / "uv")


def build_wheel(folder: Path) -> Path:
    """Builds the wheel from a copy of the sources below `folder` and returns its path."""
    source = folder / "source"
    for name in ("crossnet", "pipeline", "components", "serving"):
        shutil.copytree(REPOSITORY / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    command = [UV, "build", "-q", "--wheel", "-o", str(folder / "dist"), "-p", sys.executable, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=600)
    assert done.returncode == 0, done.stderr
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel
