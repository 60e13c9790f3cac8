"""Reads and writes files whole, and checks names and checksums of folders."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crossnet.components.errors import UnreadableFileError
from crossnet.serving.protocol.folder_checksum import folder_checksum as folder_checksum

MAX_FOLDER_LETTERS = 100
_UNFINISHED = re.compile(r"\.tmp-([0-9]+)-.+", re.DOTALL)
_FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
FOLDER_NAME = f"letters, digits, `_`, `-` and `.`, the first a letter or digit, at most {MAX_FOLDER_LETTERS} of them"


def read_json(path: Path) -> Any:
    """Returns the content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_object(path: Path) -> dict[str, Any]:
    """Returns the content of a JSON file that holds an object.

    Raises:
      FileNotFoundError: There is no such file, nor a link of that name.
      UnreadableFileError: It cannot be read, is not JSON, or holds something else.
    """
    try:
        if path.exists() and not path.is_file():
            raise UnreadableFileError(path, "it is a folder or a device, not a file")
        content = path.read_bytes()
        value = json.loads(content)
        if b"\\ud" in content.lower():
            json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair could not be printed
    except FileNotFoundError:
        if path.is_symlink():
            raise UnreadableFileError(path, "it is a link to a file that does not exist") from None
        raise
    except OSError as error:
        raise UnreadableFileError(path, error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise UnreadableFileError(path, f"it is not JSON ({error})" if content else "it is empty") from error
    if not isinstance(value, dict):
        raise UnreadableFileError(path, f"it holds {type(value).__name__} instead of an object")
    return value


def write_file(path: Path, content: str | bytes, *, replace: bool = True) -> None:
    """Writes a file beside its place, waits for the disk, and renames it.

    Whoever reads it, also after this process or the machine has crashed, finds what was there before or all of
    `content`; text is UTF-8. A link keeps pointing to its file; a folder that is in the way gets another name.

    Args:
      path: The file.
      content: All of it.
      replace: Whether a file of that name may be there; of two processes that write a new file at once, one does.

    Raises:
      FileExistsError: There is one, and it is not to be replaced.
      OSError: It cannot be written; nothing has changed.
    """
    path = Path(os.path.realpath(path))
    temporary = path.with_name(f".tmp-{os.getpid()}-{path.name[:40]}")
    try:
        with temporary.open("wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        if not replace and _link(temporary, path):
            temporary.unlink()
            return
        if path.is_dir():  # a file of that name was damaged
            path.rename(path.with_name(f"{path.name[:40]}.damaged-{os.getpid()}"))
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _link(temporary: Path, path: Path) -> bool:
    """Gives a file a second name that nothing has; False on a file system without such names."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        return False
    return True


def clear_unfinished(folder: Path) -> None:
    """Removes what `write_file` left in a folder in processes that were killed; nothing of one that lives here."""
    for path in folder.glob(".tmp-*-*"):
        found = _UNFINISHED.fullmatch(path.name)
        if found and not Path("/proc", found[1]).exists():
            with contextlib.suppress(OSError):
                path.unlink()


def write_json(path: Path, value: Any, *, sort: bool = True) -> None:
    """Writes indented JSON as `write_file` does, sorted so that `diff` works. NaN and infinity become null."""
    write_file(path, json_text(value, sort=sort))


def json_text(value: Any, *, sort: bool = True) -> str:
    """Returns what `write_json` writes."""
    return json.dumps(json_value(value), indent=2, sort_keys=sort) + "\n"


def why_not(error: OSError) -> str:
    """Returns the system's reason, such as "No space left on device"; of several, as from a copied tree, the first."""
    found: object = error
    while isinstance(found, Exception) and found.args and isinstance(found.args[0], list) and found.args[0]:
        first = found.args[0][0]  # shutil.Error: (source, target, reason as text)
        found = first[-1] if isinstance(first, tuple) else first
    if isinstance(found, OSError):
        return found.strerror or str(found)
    return re.sub(r"^\[Errno \d+\] (.*?)(: '.*)?$", r"\1", str(found))


def json_value(value: Any) -> Any:
    """Returns `value` with tuples as lists, paths as text, NumPy scalars as numbers and non-finite as None."""
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy scalars and arrays, without importing NumPy
        return json_value(value.tolist())
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, Path):
        return str(value)
    return value


def is_folder_name(name: str) -> bool:
    """Whether `name` has the form that `FOLDER_NAME` describes."""
    return _FOLDER_NAME.fullmatch(name) is not None and len(name) <= MAX_FOLDER_LETTERS
