"""Records the checksums of an artifact's files, and finds what is damaged.

`artifact.json` holds the size and SHA-256 of every other file of its folder, the names of the folders, and a seal: the
SHA-256 of all that it says itself. Whatever was changed, cut, removed or added afterwards is damage.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from crossnet.components.artifacts.base import ARTIFACT_FILE, Artifact
from crossnet.components.artifacts.examples import COLUMNS_PREFIX, SHARD_PREFIX
from crossnet.components.artifacts.model import SERVING_FOLDER, Model
from crossnet.components.errors import UnreadableFileError
from crossnet.components.files import json_value, read_object

FILES, FOLDERS, SEAL = "files", "folders", "seal"


class Damage(NamedTuple):
    """One file that is not as it was written.

    Attributes:
      file: Its name, relative to the artifact's folder; a folder's ends with `/`.
      found: What is there, as the end of a sentence: "has 10 bytes".
      expected: What was written: "20 bytes".
    """

    file: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"`{self.file}` {self.found}, expected {self.expected}"


UNVERIFIABLE = Damage(
    ARTIFACT_FILE, "holds no checksums, because an older version wrote it", "the checksum of each file"
)


def checksums(folder: Path) -> dict[str, Any]:
    """Returns `files` (name -> size in bytes, SHA-256) and `folders` (names) of an artifact, for its record."""
    found, folders = _walk(folder)
    files = {
        name: {"size": status.st_size, "sha256": _sha256(folder / name)}
        for name, status in found.items()
        if name != ARTIFACT_FILE
    }
    return {FILES: files, FOLDERS: folders}


def sealed(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a record, JSON values, with its seal: the SHA-256 of the rest of it."""
    facts = {name: value for name, value in json_value(facts).items() if name != SEAL}
    return facts | {SEAL: hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()}


def content_digest(facts: Mapping[str, Any]) -> str:
    """Returns the SHA-256 of what a record says of the files that later steps read; "" where it holds no checksums.

    Of a Model that is the export alone: the history beside it says how long each epoch took.
    """
    if FILES not in facts:
        return ""
    part = f"{SERVING_FOLDER}/" if facts["type"] == Model.__name__ else ""
    files = {name: record for name, record in facts[FILES].items() if name.startswith(part)}
    folders = [name for name in facts[FOLDERS] if name.startswith(part)]
    return hashlib.sha256(json.dumps([files, folders], sort_keys=True).encode()).hexdigest()


def damage(artifact: Artifact | Path) -> list[Damage]:
    """Returns all that is damaged in an artifact, or in its folder; every file is hashed."""
    return Checks().damage(artifact.path if isinstance(artifact, Artifact) else artifact)


class Checks:
    """Compares artifacts with their records; no file is hashed twice while its size and time stamps stay as they are.

    Args:
      away: Returns the sizes of an artifact's files that are not here but in a store; where told so, gets them first.

    Attributes:
      hashed: Bytes hashed so far.
    """

    def __init__(self, away: Callable[[Path, bool], Mapping[str, int]] = lambda *_: {}) -> None:
        self.hashed = 0
        self._away = away
        self._known: dict[tuple[int, ...], str] = {}

    def damage(self, folder: Path, *, shards: bool = True) -> list[Damage]:
        """Returns all that is damaged in an artifact's folder; `[UNVERIFIABLE]` where it holds no checksums.

        Args:
          folder: The artifact's folder.
          shards: Whether the shards of Examples and their columns are hashed; otherwise only their sizes are compared,
            and their own checksums and the number of rows when they are read.
        """
        try:
            facts = read_object(folder / ARTIFACT_FILE)
        except FileNotFoundError:
            return [Damage(ARTIFACT_FILE, "is not there", "the record of the artifact")]
        except UnreadableFileError as error:
            return [Damage(ARTIFACT_FILE, f"cannot be read ({error.reason})", "the record of the artifact")]
        if FILES not in facts and SEAL in facts:
            return [Damage(ARTIFACT_FILE, "is not a record", "the record of the artifact")]
        if FILES not in facts:
            return [UNVERIFIABLE]
        if sealed(facts)[SEAL] != facts.get(SEAL):
            return [Damage(ARTIFACT_FILE, "was changed after it was written", "what its seal stands for")]
        return self._compare(folder, facts[FILES], facts[FOLDERS], shards=shards)

    def compare(self, copy: Path, original: Path, *, part: str) -> list[Damage]:
        """Returns what differs in a copy of the folder `part` of a whole artifact, by the artifact's record."""
        facts = read_object(original / ARTIFACT_FILE)
        before = f"{part}/"
        files = {name.removeprefix(before): item for name, item in facts[FILES].items() if name.startswith(before)}
        folders = [name.removeprefix(before) for name in facts[FOLDERS] if name.startswith(before)]
        return self._compare(copy, files, folders)

    def _compare(
        self, folder: Path, wanted: Mapping[str, Mapping[str, Any]], wanted_folders: Sequence[str], shards: bool = True
    ) -> list[Damage]:
        try:
            if shards:
                self._away(folder, True)
            found, folders = _walk(folder)
        except OSError as error:
            return [Damage("./", f"cannot be read ({error.strerror})", "a folder")]
        damages, away = [], self._away(folder, False)
        for name, record in wanted.items():
            size = f"{record['size']:,} bytes"
            status = found.get(name)
            if status is None and away.get(name) == record["size"]:
                continue
            if status is None:
                damages.append(Damage(name, "is not there", size))
            elif not stat.S_ISREG(status.st_mode):
                damages.append(Damage(name, "is not a plain file", size))
            elif status.st_size != record["size"]:
                damages.append(Damage(name, f"has {status.st_size:,} bytes", size))
            elif shards or not Path(name).name.startswith((SHARD_PREFIX, COLUMNS_PREFIX)):
                damages += self._compare_hash(folder, name, status, record["sha256"])
        extra = sorted(found.keys() - wanted.keys() - {ARTIFACT_FILE})
        damages += [Damage(name, "is there", "nothing of that name") for name in extra]
        damages += [
            Damage(f"{name}/", "is there", "nothing of that name") for name in sorted({*folders} - {*wanted_folders})
        ]
        damages += [Damage(f"{name}/", "is not there", "a folder") for name in sorted({*wanted_folders} - {*folders})]
        return damages

    def _compare_hash(self, folder: Path, name: str, status: os.stat_result, expected: str) -> list[Damage]:
        try:
            sha256 = self._hash(folder / name, status)
        except OSError as error:
            return [Damage(name, f"cannot be read ({error.strerror})", f"SHA-256 {expected[:12]}…")]
        return [] if sha256 == expected else [Damage(name, f"has SHA-256 {sha256[:12]}…", f"{expected[:12]}…")]

    def _hash(self, file: Path, status: os.stat_result) -> str:
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if key not in self._known:
            self._known[key] = _sha256(file)
            self.hashed += status.st_size
        return self._known[key]


def _walk(folder: Path) -> tuple[dict[str, os.stat_result], list[str]]:
    """Returns the status of whatever is below `folder` and is not a folder, by name, and the names of the folders."""
    found: dict[str, os.stat_result] = {}
    folders: list[str] = []
    waiting = [""]
    while waiting:
        parent = waiting.pop()
        for child in os.listdir(folder / parent):
            name = f"{parent}{child}"
            status = os.lstat(folder / name)
            if stat.S_ISDIR(status.st_mode):
                folders.append(name)
                waiting.append(f"{name}/")
            else:
                found[name] = status
    return dict(sorted(found.items())), sorted(folders)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
