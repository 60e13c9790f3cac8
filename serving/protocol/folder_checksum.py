"""Computes the checksum of a folder's files, which a push records."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path


def folder_checksum(folder: Path) -> str:
    """Returns the SHA-256 of every file below `folder`: relative names and contents, in sorted order.

    Links to files and folders are followed, as whoever reads the folder follows them.
    """
    total = hashlib.sha256()
    for file in sorted(path for path in _files_below(folder) if path.is_file()):
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        total.update(f"{file.relative_to(folder).as_posix()}\0{digest}\n".encode())
    return total.hexdigest()


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, followlinks=True):
        here = Path(parent).resolve()
        folders[:] = [name for name in folders if not here.is_relative_to((here / name).resolve())]  # a link upwards
        yield from (Path(parent, name) for name in names)
