"""Puts a blessed model where servers watch, by one rename."""

from __future__ import annotations

import datetime
import getpass
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crossnet.components import interrupts
from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.artifacts.infra_validation import InfraValidation
from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.pushed_model import RECORD_FILE, PushedModel
from crossnet.components.errors import NotBlessedError, PipelineError
from crossnet.components.files import folder_checksum, read_json, write_json
from crossnet.components.params.pusher import PusherParams

ROLLED_BACK = ".rolled_back"
RECORD = ".json"


def push_model(
    evaluation: Evaluation,
    infra_validation: InfraValidation,
    models: Mapping[str, Model],
    *,
    output_dir: Path,
    params: PusherParams,
    serving_dir: str,
    force: str = "",
) -> PushedModel:
    """Copies the champion to `<serving_dir>/<model_name>/<version>/` and records it.

    The version is the time in seconds, or one above the highest number ever used there. It appears whole, by one
    rename; `<version>.json` beside it says which model it is (servers skip names that are not whole numbers). A model
    that is there already is not pushed twice: its version is recorded again.

    Args:
      evaluation: The verdict; names the champion.
      infra_validation: Names the model that was tried in a server.
      models: The candidates by kind.
      output_dir: Where pushed.json goes.
      params: The model's name.
      serving_dir: The folder that servers watch.
      force: Why a model is pushed in spite of the gate or of a rollback; empty: it is not.

    Raises:
      NotBlessedError: The gate is closed, or the model was rolled back, and `force` is empty.
      PipelineError: The serving folder cannot be written.
    """
    if not force and not (evaluation.blessed and infra_validation.blessed):
        raise NotBlessedError(" ".join([*evaluation.reasons, *infra_validation.reasons]) or "The gate is closed.")
    model = models[infra_validation.model]
    folder = Path(serving_dir) / params.model_name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        version = _pushed_before(model, folder, force)
        pushed = version is None
        if version is None:
            version = _push(model, folder, force)
    except OSError as error:
        raise PipelineError(
            f"Cannot push to `{folder}`: {error.strerror or error}. Nothing was pushed. Make the folder writable, or "
            "name another one in `pusher.serving_dir`."
        ) from error
    properties = {
        "model_name": params.model_name,
        "version": version,
        "destination": str(versions_in_service(folder)[version]),
        "checksum": model.checksum,
        "kind": model.kind,
        "model": model.fingerprint,
        "forced": read_record(folder, version).get("forced"),
    }
    write_json(output_dir / RECORD_FILE, properties)
    return PushedModel(output_dir, counts={"pushed": int(pushed)}, properties=properties)


def _pushed_before(model: Model, folder: Path, force: str) -> int | None:
    """Returns the version in service that is this very model, or None.

    Raises:
      NotBlessedError: The model was rolled back, and `force` is empty.
    """
    version = _version_of(model.checksum, folder)
    if version is None or version in versions_in_service(folder):
        return version
    if not force:
        raise NotBlessedError(
            f"`{model.kind}` is version {version} of `{folder.name}`, which was rolled back. "
            'To serve it again: `crossnet run --force "REASON"`.'
        )
    return None


def _push(model: Model, folder: Path, force: str) -> int:
    """Copies the model below `folder` as a new version, records it and returns its number."""
    version = max(int(time.time()), max(_used_numbers(folder), default=0) + 1)
    record = {
        "model_name": folder.name,
        "version": version,
        "kind": model.kind,
        "model": model.fingerprint,
        "checksum": model.checksum,
        "pushed_at": datetime.datetime.now(datetime.UTC).isoformat(),
        "forced": {"by": _user(), "reason": force} if force else None,
    }
    _copy(model.serving_path, folder, version, record)
    return version


def roll_back(folder: Path, reason: str = "") -> tuple[int, int | None]:
    """Takes the newest version out of service by renaming it to `<version>.rolled_back`.

    Args:
      folder: `<serving_dir>/<model_name>`.
      reason: Why; kept in the version's record.

    Returns:
      The version taken out, and the one that servers go back to (None: to no version).

    Raises:
      PipelineError: Nothing is in service.
    """
    versions = versions_in_service(folder)
    if not versions:
        raise PipelineError(f"No version is in service in `{folder}`. Push one with `crossnet run`.")
    newest, *others = versions
    record = read_record(folder, newest)
    record["rolled_back"] = {
        "by": _user(),
        "reason": reason,
        "at": datetime.datetime.now(datetime.UTC).isoformat(),
    }
    write_json(folder / f"{newest}{RECORD}", record)
    versions[newest].rename(folder / f"{newest}{ROLLED_BACK}")
    return newest, others[0] if others else None


def versions_in_service(folder: Path) -> dict[int, Path]:
    """Returns the versions below `folder` and their folders, the newest first. `00000123` is version 123."""
    if not folder.is_dir():
        return {}
    versions = {int(path.name): path for path in folder.iterdir() if path.name.isdecimal() and path.is_dir()}
    return dict(sorted(versions.items(), reverse=True))


def read_record(folder: Path, version: int) -> dict[str, Any]:
    """Returns what was recorded when `version` was pushed; only its number where it was put there by hand."""
    try:
        return dict(read_json(folder / f"{version}{RECORD}"))
    except FileNotFoundError:
        return {"version": version}


def _used_numbers(folder: Path) -> list[int]:
    """All numbers ever used: in service, rolled back, or recorded."""
    names = (path.name.removesuffix(ROLLED_BACK).removesuffix(RECORD) for path in folder.iterdir())
    return [int(name) for name in names if name.isdecimal()]


def _version_of(checksum: str, folder: Path) -> int | None:
    """Returns the version with that content: the newest in service, else the newest rolled back, else None."""
    for version, path in versions_in_service(folder).items():
        if folder_checksum(path) == checksum:
            return version
    names = (path.name.removesuffix(ROLLED_BACK) for path in folder.iterdir() if path.name.endswith(ROLLED_BACK))
    for number in sorted((int(name) for name in names if name.isdecimal()), reverse=True):
        if folder_checksum(folder / f"{number}{ROLLED_BACK}") == checksum:
            return number
    return None


def _copy(source: Path, folder: Path, version: int, record: Mapping[str, Any]) -> None:
    """Copies, flushes to disk, records, then renames: a server sees all of the version or nothing."""
    staging = folder / f".tmp-{version}-{os.getpid()}"
    try:
        shutil.copytree(source, staging)
        for path in [*staging.rglob("*"), staging]:
            _flush(path)
        write_json(folder / f"{version}{RECORD}", record)
        interrupts.check()  # the last moment: what was pushed is served
        staging.rename(folder / str(version))
        _flush(folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        if not (folder / str(version)).exists():
            (folder / f"{version}{RECORD}").unlink(missing_ok=True)
        raise


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user in this container
        return f"uid {os.getuid()}"
