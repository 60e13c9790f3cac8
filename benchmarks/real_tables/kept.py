"""Keeps what was measured as JSON lines in one file.

A measurement of all tables takes hours. Kept in a file that is committed, it goes on another day or on another machine
from where it was broken off, for as long as the product's source and the tables are the same.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Kept:
    """Results by all that they depend on.

    Args:
      path: The file; None keeps nothing.

    Attributes:
      used: The lines that were asked for, found or added, in that order.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.used: list[Mapping[str, Any]] = []
        lines = path.read_text(encoding="utf-8").splitlines() if path and path.exists() else []
        self._lines = {line["key"]: line for line in map(json.loads, lines)}

    def get(self, key: str) -> Mapping[str, Any] | None:
        """Returns the result of a key; None where it was not measured."""
        if (line := self._lines.get(key)) is None:
            return None
        self.used.append(line)
        result: Mapping[str, Any] = line["result"]
        return result

    def newest(self) -> dict[tuple[str, int], Mapping[str, Any]]:
        """Returns the newest result of each table and split, of whichever source; these lines are used."""
        lines = [line for line in self._lines.values() if "split" in line]
        found = {(line["table"], line["split"]): line for line in sorted(lines, key=lambda line: line["date"])}
        self.used += found.values()
        return {key: line["result"] for key, line in sorted(found.items(), key=lambda pair: pair[0][1])}

    def served(self) -> dict[str, Mapping[str, Any]]:
        """Returns the newest result of each table whose model was served; these lines are used."""
        lines = [line for line in self._lines.values() if "split" not in line]
        found = {line["table"]: line for line in sorted(lines, key=lambda line: line["date"])}
        self.used += found.values()
        return {name: line["result"] for name, line in found.items()}

    def add(self, key: str, result: Mapping[str, Any], **facts: Any) -> None:
        """Adds a result as one line, with facts for who reads the file."""
        line = {"key": key, **facts, "result": result}
        self._lines[key] = line
        self.used.append(line)
        if self._path:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")


def commit() -> str:
    """Returns the checkout's commit, with a plus where the package differs from it; "" outside a checkout."""
    top = Path(__file__).parents[2]
    try:
        found = subprocess.run(
            ("git", "rev-parse", "--short", "HEAD"), cwd=top, capture_output=True, text=True, check=True
        )
        package = ("components", "pipeline", "serving", "crossnet")
        changed = subprocess.run(("git", "diff", "--quiet", "HEAD", "--", *package), cwd=top).returncode
    except (OSError, subprocess.CalledProcessError):
        return ""
    return found.stdout.strip() + ("+" if changed else "")
