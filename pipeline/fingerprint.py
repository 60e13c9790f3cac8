"""Computes fingerprints: a short text for all that a result depends on.

Equal fingerprints mean equal artifacts. They are made of content alone, never of size or time stamps: the source code
that the step reaches, its settings, its inputs' fingerprints, the outside data it reads and the versions of the
libraries that change results.

The order of a list always counts; a mapping's never does, because settings, arguments, modules and libraries are read
by name. What is read in turn is therefore a list here, or numbered: the order of `models`, which chooses champion and
baseline, is a part of its own (`order`), and files are numbered. A list of settings whose order has no meaning says so
(`any_order` of `crossnet.components.params.setting`) and is sorted.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crossnet.components.files import folder_checksum, json_value
from crossnet.components.params.setting import PathKind, with_effect

LIBRARIES = (
    "tensorflow",
    "tf-keras",
    "tensorflow-serving-api",
    "tensorflow-metadata",
    "numpy",
    "pyarrow",
    "protobuf",
)

# By library, older versions that make the same bytes as a newer one, as which they count: those of the environments of
# Beam and Kubeflow, which share their artifacts with the usual one. `make scale` makes artifacts in two and compares.
SAME_BYTES = {"pyarrow": {"25.0.1": "26.0.1"}, "protobuf": {"6.33.6": "7.36.2"}}

_READ = (PathKind.INPUT, PathKind.MODEL, PathKind.QUERY)


def step_fingerprint(parts: Mapping[str, Any]) -> str:
    """Returns 16 hex digits for the parts (see `crossnet.pipeline.plan`), which must be JSON values."""
    text = json.dumps(json_value(parts), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def settings_text(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns settings as JSON values, dataclasses field by field, without the paths of outside data.

    The content of what stands at these paths is hashed instead. Settings without effect on a result are left out.
    """
    return {name: _plain(value) for name, value in settings.items()}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        names = with_effect(value)
        kept = (
            item for item in dataclasses.fields(value) if item.name in names and item.metadata.get("path") not in _READ
        )
        return {item.name: _plain(_in_order(value, item)) for item in kept}
    return json_value(value)


def _in_order(settings: Any, item: dataclasses.Field[Any]) -> Any:
    value = getattr(settings, item.name)
    return sorted(set(value)) if item.metadata.get("any_order") and not isinstance(value, str) else value


def file_names(files: Sequence[Path]) -> list[str]:
    """Returns a name for each outside file: its number, because files are read in turn, and its path.

    The path begins below the folder that holds them all: `train/` and `eval/` decide the split of rows, and messages
    name the folder; where the whole stands decides nothing.
    """
    if not files:
        return []
    top = os.path.commonpath([file.absolute().parent for file in files])
    return [f"{number:05d} {file.absolute().relative_to(top).as_posix()}" for number, file in enumerate(files)]


@functools.cache
def library_versions(more: tuple[str, ...] = ()) -> dict[str, str]:
    """Returns the versions of Python and of the libraries that change results, and of the packages in `more`.

    They are those of the first call, for a process imports a library once.
    """
    return read_versions(more)


def counted_versions(versions: Mapping[str, str]) -> dict[str, str]:
    """Returns versions as fingerprints have them: one of several that make the same bytes."""
    return {name: SAME_BYTES.get(name, {}).get(version, version) for name, version in versions.items()}


def read_versions(more: tuple[str, ...] = ()) -> dict[str, str]:
    """Returns the same as they are installed now; "none" for what is not."""
    versions = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in (*LIBRARIES, *more):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "none"
    return versions


def content_digest(path: Path) -> str:
    """Returns the SHA-256 of a file's content, or of all files of a folder."""
    if path.is_dir():
        return folder_checksum(path)
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
