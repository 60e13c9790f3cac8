"""Says which files of a root belong together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from crossnet.components.artifacts.base import ARTIFACT_FILE
from crossnet.components.artifacts.examples import COLUMNS_PREFIX, SHARD_PREFIX
from crossnet.pipeline.run_record import RUN_FILE

COMPARISON_FILE = "compare.txt"  # the last of a comparison

# Folder of a root that is kept in the store -> how many parts of a path name a unit, and its last file. In this order
# they are put there, so that a run's record comes after what it names.
ARTIFACTS, SNAPSHOTS, SERVED, COMPARISONS, RUNS = "artifacts", "snapshots", "serving_models", "compare", "runs"
_UNITS = {
    ARTIFACTS: (3, ARTIFACT_FILE),
    SNAPSHOTS: (3, "snapshot.json"),
    SERVED: (3, "saved_model.pb"),
    COMPARISONS: (2, COMPARISON_FILE),
    RUNS: (2, RUN_FILE),
}


def unit_of(path: str) -> str | None:
    """Returns the unit of a file, such as `artifacts/trainer_dense/0123456789abcdef`; None: it is not kept."""
    parts = PurePosixPath(path).parts
    if parts[0] not in _UNITS or any(part.startswith(".") for part in parts):
        return None
    count = _UNITS[parts[0]][0]
    return "/".join(parts[:count]) if len(parts) >= count else None


def marker_of(unit: str) -> str:
    """Returns the relative path of the file without which a unit is not whole; the unit itself where it is a file."""
    return f"{unit}/{_UNITS[unit.partition('/')[0]][1]}"


def is_whole(unit: str, files: Iterable[str]) -> bool:
    """Whether the files of a unit are all there: its marker is, or it is one file."""
    names = set(files)
    return unit in names or marker_of(unit) in names


def by_unit(paths: Iterable[str]) -> dict[str, list[str]]:
    """Returns the files of each unit, the marker last."""
    units: dict[str, list[str]] = {}
    for path in sorted(paths):
        if (unit := unit_of(path)) is not None:
            units.setdefault(unit, []).append(path)
    return {unit: sorted(files, key=lambda path: path == marker_of(unit)) for unit, files in units.items()}


def is_shard(path: str) -> bool:
    """Whether a file holds rows, which are fetched when a step reads them."""
    parts = PurePosixPath(path)
    return parts.parts[0] == ARTIFACTS and parts.name.startswith((SHARD_PREFIX, COLUMNS_PREFIX))


def local_units(root: Path) -> dict[str, list[str]]:
    """Returns the whole units of a folder in the order in which they are put into a store, and their plain files."""
    found: dict[str, list[str]] = {}
    for kind in _UNITS:
        units = by_unit(_plain_files(root, root / kind))
        whole = (unit for unit, files in units.items() if is_whole(unit, files))
        # A file beside a folder comes first: the record of a push has the checksum for whoever sees the version.
        found |= {unit: units[unit] for unit in sorted(whole, key=lambda unit: unit not in units[unit])}
    return found


def _plain_files(root: Path, folder: Path) -> Iterator[str]:
    if folder.is_dir():
        for path in folder.rglob("*"):
            if not path.is_symlink() and path.is_file():
                yield path.relative_to(root).as_posix()
