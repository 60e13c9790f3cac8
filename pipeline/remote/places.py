"""Turns what `--root` says into a folder."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from crossnet.components.errors import SettingsError
from crossnet.serving.storage.uris import identity, is_uri

if TYPE_CHECKING:
    from crossnet.pipeline.remote.root import RemoteRoot

_roots: dict[Path, RemoteRoot] = {}


def folder_of(root: str | os.PathLike[str]) -> Path:
    """Returns the folder of a root: itself, that of a `file://` URI, or that of the copy of a root in a store.

    Raises:
      SettingsError: pyarrow does not know the URI.
    """
    text = str(root)
    if text.startswith("file:///"):
        return Path(text.removeprefix("file://"))
    if not is_uri(text):
        return Path(root)
    from crossnet.pipeline.remote.root import RemoteRoot
    from crossnet.serving.storage.folder import StoreError, check_uri

    try:
        check_uri(text)
    except StoreError as error:
        raise SettingsError(f"--root: {error}") from error
    folder = copies() / hashlib.sha256(identity(text).encode()).hexdigest()[:16]
    _roots.setdefault(folder, RemoteRoot(text, folder))
    return folder


def remote_of(folder: Path) -> RemoteRoot | None:
    """Returns the root in a store of which a folder is the copy; None: of none."""
    return _roots.get(folder)


def copies() -> Path:
    """Returns the folder for copies of roots."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "crossnet" / "roots"
