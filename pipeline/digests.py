"""Remembers the digests of large input files between runs.

A plan needs the SHA-256 of every input file, and reading a terabyte takes a quarter of an hour. So a run notes, below
its root, what the kernel said of each large file when it was digested, and a plan takes the digest from there where the
kernel says the same: same path, device, inode, size, time of modification and time of change (ctime). What that relies
on is stated in `crossnet.pipeline.changes`, which relies on it while a run works. A note that cannot be read, or was
edited, is not used.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from crossnet.components.artifacts.integrity import sealed
from crossnet.components.errors import UnreadableFileError
from crossnet.components.files import read_object, write_json
from crossnet.pipeline.changes import Seen

DIGESTS_FILE = ".digests.json"
LEAST_BYTES = 16 << 20  # smaller files are read each time: that takes some 10 ms


def known_digests(root: Path) -> dict[Path, Seen]:
    """Returns the files that earlier runs in this root have digested; none where that is not known."""
    with contextlib.suppress(FileNotFoundError, UnreadableFileError, KeyError, TypeError, AttributeError, ValueError):
        facts = read_object(root / DIGESTS_FILE)
        if sealed(facts) == facts:
            return {
                Path(path): Seen(digest, (device, inode), (size, modified, changed), True)
                for path, (digest, device, inode, size, modified, changed) in facts["files"].items()
            }
    return {}


def keep_digests(root: Path, files: Mapping[Path, Seen]) -> None:
    """Notes the files of a plan beside those that are known and still there. The root must be locked."""
    known = {path: seen for path, seen in known_digests(root).items() if path.is_file()}
    kept = known | {path.absolute(): seen for path, seen in files.items() if seen.is_settled and is_large(seen)}
    if kept != known:
        with contextlib.suppress(OSError):  # a full disk: the files are read again
            facts = {str(path): [seen.digest, *seen.place, *seen.state] for path, seen in kept.items()}
            write_json(root / DIGESTS_FILE, sealed({"files": facts}))


def is_large(seen: Seen) -> bool:
    """Whether a file's digest is worth a note."""
    return seen.state[0] >= LEAST_BYTES
