"""Damages files that hold JSON as disks, crashes and people do."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Damage:
    """One way to make a file unreadable.

    Attributes:
      apply: Damages the file.
      reason: How the program's reason for not reading it begins.
    """

    apply: Callable[[Path], object]
    reason: str


def _half(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _folder(file: Path) -> None:
    file.unlink()
    (file / "inside").mkdir(parents=True)


def _link(file: Path) -> None:
    file.unlink()
    file.symlink_to("not-there")


def _loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.name)


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


DAMAGES = {
    "empty": Damage(lambda file: os.truncate(file, 0), "it is empty"),
    "half": Damage(_half, "it is not JSON ("),
    "zeros": Damage(lambda file: file.write_bytes(bytes(4096)), "it is not JSON ("),
    "binary": Damage(lambda file: file.write_bytes(bytes(range(256))), "it is not JSON ("),
    "list": Damage(lambda file: file.write_text("[1, 2]"), "it holds list instead of an object"),
    "number": Damage(lambda file: file.write_text("7"), "it holds int instead of an object"),
    "deep": Damage(lambda file: file.write_text("[" * 100_000), "it is not JSON ("),
    "surrogate": Damage(lambda file: file.write_text('{"run": "\\ud800"}'), "it is not JSON ("),
    "folder": Damage(_folder, "it is a folder or a device, not a file"),
    "link": Damage(_link, "it is a link to a file that does not exist"),
    "loop": Damage(_loop, "Too many levels of symbolic links"),
    "pipe": Damage(_pipe, "it is a folder or a device, not a file"),
}
