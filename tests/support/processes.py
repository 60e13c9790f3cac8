"""Looks at processes from outside: which signals they take, whether they live, what they have started."""

from __future__ import annotations

import signal
from pathlib import Path


def catches(process: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal. Python itself has one for SIGINT, none for SIGTERM."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False
    (mask,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(mask, 16) >> (number - 1) & 1)


def is_alive(process: int) -> bool:
    """Whether a process is there and has not ended; one that nobody has waited for yet has ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def marked(mark: str) -> list[str]:
    """Returns the commands of the processes whose environment holds `mark`, also those that their parents left."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment, command = (folder / "environ").read_bytes(), (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if mark.encode() in environment:
            found.append(command.replace(b"\0", b" ").decode(errors="replace").strip())
    return found
