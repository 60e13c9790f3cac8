"""Finds a model's versions on disk and chooses those to serve.

Source: tensorflow/serving sources/storage_path/file_system_storage_path_source.cc.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossnet.serving.protocol.bounded_text import cut
from crossnet.serving.protocol.codes import invalid
from crossnet.serving.protocol.dtypes import MAX_INT64
from crossnet.serving.storage.uris import is_uri

_VERSION_NAME = re.compile(r"[0-9]+")
MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")  # in the order in which TensorFlow looks for them
_ABSOLUTE = re.compile(r"(/|[a-zA-Z][a-zA-Z0-9+.-]*://)")


@dataclass(frozen=True)
class VersionPolicy:
    """The rule that chooses which versions on disk are served.

    Attributes:
      kind: "latest", "specific" or "all".
      num_versions: For "latest": the number of highest versions to serve.
      versions: For "specific": the versions to serve.
    """

    kind: str = "latest"
    num_versions: int = 1
    versions: tuple[int, ...] = ()

    def choose(self, found: Mapping[int, Path]) -> dict[int, Path]:
        """Returns the `found` versions that should be served; a requested version that is absent is left out."""
        if self.kind == "all":
            return dict(found)
        if self.kind == "specific":
            return {version: found[version] for version in self.versions if version in found}
        return {version: found[version] for version in sorted(found, reverse=True)[: self.num_versions]}


@dataclass(frozen=True)
class ModelConfig:
    """One entry of a ModelServerConfig.

    Attributes:
      name: The name that requests use.
      base_path: The folder that holds one folder per version; of a `source`, the copy's, which the server chooses.
      platform: Only "tensorflow" is served.
      policy: Which versions are served.
      labels: Label -> version.
      source: The URI of the folder, where it is in a store; else empty.
    """

    name: str
    base_path: Path
    platform: str = "tensorflow"
    policy: VersionPolicy = VersionPolicy()
    labels: Mapping[str, int] = field(default_factory=dict)
    source: str = ""


def list_versions(base_path: Path) -> dict[int, Path] | None:
    """Returns the versions under a base path, or None if that folder does not exist or cannot be read.

    A version is a folder whose name is an integer, leading zeros allowed, with a `saved_model.pb` in it. The real
    server takes the folder as soon as it appears, fails to load it and tries again a minute later; waiting for the
    file has the same result, sooner and without an error.
    """
    found = {}
    try:
        for folder in sorted(base_path.iterdir()):
            is_version = _VERSION_NAME.fullmatch(folder.name) and int(folder.name) <= MAX_INT64
            if is_version and _has_model(folder):
                found[int(folder.name)] = folder
    except OSError:
        return None
    return found if base_path.is_dir() else None  # None if it was removed while it was read


def _has_model(folder: Path) -> bool:
    try:
        return any((folder / name).is_file() for name in MODEL_FILES)
    except PermissionError:  # other versions under the base path may be readable
        return False


def why_nothing_to_serve(base_path: Path, found: Mapping[int, Path] | None) -> str:
    """Returns a sentence on why a base path has no version to serve, given the result of `list_versions` for it."""
    if found is not None:
        return (
            f"`{base_path}` has no version to serve. Expected a folder whose name is an integer, with a saved_model.pb."
        )
    wrong = "is not a readable folder" if os.path.exists(base_path) else "does not exist"
    return f"`{base_path}` {wrong}. Loaded versions are still served, and the server looks again."


def requested(request: Any) -> tuple[str, int | None, str]:
    """Returns name, version and label of a request's ModelSpec.

    Raises:
      ServingError: INVALID_ARGUMENT; the request has no ModelSpec.
    """
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    spec = request.model_spec
    choice = spec.WhichOneof("version_choice")
    return (
        spec.name,
        spec.version.value if choice == "version" else None,
        spec.version_label if choice == "version_label" else "",
    )


def model_configs(message: Any) -> list[ModelConfig]:
    """Returns the models of a ModelConfigList.

    Raises:
      ServingError: INVALID_ARGUMENT, with the real server's text: the list cannot be served.
    """
    configs: dict[str, ModelConfig] = {}
    for entry in message.config:
        if entry.name in configs:
            raise invalid(f"Illegal to list model {cut(entry.name)} multiple times in config list")
        if not _ABSOLUTE.match(entry.base_path):
            raise invalid(
                f"Expected model {cut(entry.name)} to have an absolute path or URI; got "
                f"base_path()={cut(entry.base_path)}"
            )
        base_path, source = place_of(entry.name, entry.base_path)
        if entry.HasField("logging_config"):
            raise invalid("No request-logger-creator provided.")
        configs[entry.name] = ModelConfig(
            entry.name, base_path, _platform(entry), _policy(entry), dict(entry.version_labels), source
        )
    return list(configs.values())


def place_of(name: str, base_path: str) -> tuple[Path, str]:
    """Returns what a model's base path names: a folder of this machine, or the URI of a folder in a store.

    Args:
      name: The model.
      base_path: A path, `file://` and an absolute path, or a URI that pyarrow knows.

    Returns:
      The folder and an empty text; for a store an empty path and the URI.

    Raises:
      ServingError: INVALID_ARGUMENT; pyarrow does not know the URI, or there is a NUL byte in it.
    """
    if "\0" in base_path:
        raise invalid(f"Model {cut(name)} has a base path with a NUL byte. Expected the path of a folder.")
    if base_path.startswith("file:///"):
        return Path(base_path.removeprefix("file://")), ""
    if not is_uri(base_path):
        return Path(base_path), ""
    from crossnet.serving.storage.folder import check_uri

    check_uri(base_path)
    return Path(), base_path


def _platform(entry: Any) -> str:
    if entry.model_type:
        if entry.model_platform:
            raise invalid(
                "Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform."
            )
        if entry.model_type != 1:
            raise invalid(f"ModelServerConfig::model_type choice {entry.model_type} not supported.")
        return "tensorflow"
    if not entry.model_platform:
        raise invalid(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform."
        )
    return str(entry.model_platform)


def _policy(entry: Any) -> VersionPolicy:
    policy = entry.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return VersionPolicy("all")
    if choice == "specific":
        if not policy.specific.versions:
            raise invalid(f"Model {cut(entry.name)}: version policy `specific` names no versions.")
        return VersionPolicy("specific", versions=tuple(policy.specific.versions))
    return VersionPolicy("latest", num_versions=policy.latest.num_versions or 1)
