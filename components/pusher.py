"""Puts a blessed model where servers watch, by one rename."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crossnet.components import interrupts
from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.artifacts.infra_validation import InfraValidation
from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.pushed_model import RECORD_FILE, PushedModel
from crossnet.components.damaged_versions import take_out_damaged
from crossnet.components.errors import NotBlessedError, PipelineError
from crossnet.components.files import folder_checksum, why_not, write_json
from crossnet.components.model_folder import (
    RECORD,
    ROLLED_BACK,
    flush,
    locked,
    make_folder,
    next_version,
    read_record,
    record_version,
    share,
    staging_folder,
    user_name,
    versions_in_service,
    versions_rolled_back,
)
from crossnet.components.params.pusher import PusherParams


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
    that is in service already is not pushed twice: its version is recorded again. One that a newer version has replaced
    is pushed anew, because servers take the newest; damaged ones are taken out of service then. One push or rollback at
    a time is at work.

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
      PipelineError: The model or its copy is damaged, or the serving folder is busy or cannot be written.
    """
    if not force and not (evaluation.blessed and infra_validation.blessed):
        raise NotBlessedError(" ".join([*evaluation.reasons, *infra_validation.reasons]) or "The gate is closed.")
    model = models[infra_validation.model]
    folder = Path(serving_dir) / params.model_name
    try:
        _compare(model.serving_path, model, "its artifact")
        make_folder(folder)
        with locked(folder):
            version = _pushed_before(model, folder, force)
            pushed = version is None
            if version is None:
                version = _push(model, folder, force)
            facts = _settle(folder, version)
    except OSError as error:
        raise PipelineError(
            f"Cannot push to `{folder}`: {why_not(error)}. Nothing was pushed. Make room there, or the folder "
            "writable, or name another one in `pusher.serving_dir`."
        ) from error
    properties = {
        "model_name": params.model_name,
        "version": version,
        "checksum": model.checksum,
        "kind": model.kind,
        "model": model.fingerprint,
        **facts,
    }
    write_json(output_dir / RECORD_FILE, properties)
    return PushedModel(output_dir, counts={"pushed": int(pushed)}, properties=properties)


def _settle(folder: Path, version: int) -> dict[str, Any]:
    """Takes damaged versions out of service, beside which `version` is now, and returns the facts of the push."""
    return {
        "damaged": take_out_damaged(folder, but=version),
        "destination": str(versions_in_service(folder)[version]),
        "forced": read_record(folder, version).get("forced"),
    }


def _pushed_before(model: Model, folder: Path, force: str) -> int | None:
    """Returns the version in service, the newest there, where it is this very model, or None.

    Raises:
      NotBlessedError: The model's last version was rolled back, and `force` is empty.
    """
    served = versions_in_service(folder)
    version = _version_of(model.checksum, {**served, **versions_rolled_back(folder)})
    if version is None or version in served:
        return version if version == next(iter(served), None) else None
    if not force:
        raise NotBlessedError(
            f"`{model.kind}` is version {version} of `{folder.name}`, which was rolled back. "
            'To serve it again: `crossnet run --force "REASON"`.'
        )
    return None


def _push(model: Model, folder: Path, force: str) -> int:
    """Copies the model below `folder` as a new version, records it and returns its number."""
    version = next_version(folder)
    record = {
        "model_name": folder.name,
        "version": version,
        "kind": model.kind,
        "model": model.fingerprint,
        "checksum": model.checksum,
        "pushed_at": datetime.datetime.now(datetime.UTC).isoformat(),
        "forced": {"by": user_name(), "reason": force} if force else None,
    }
    _copy(model, folder, version, record)
    return version


def _version_of(checksum: str, versions: Mapping[int, Path]) -> int | None:
    """Returns the newest version with that content, or None.

    One that was rolled back counts by what was pushed, also where its files were damaged since.
    """
    for version, path in sorted(versions.items(), reverse=True):
        pushed = read_record(path.parent, version).get("checksum") if path.name.endswith(ROLLED_BACK) else None
        if checksum in (pushed, folder_checksum(path)):
            return version
    return None


def _copy(model: Model, folder: Path, version: int, record: Mapping[str, Any]) -> None:
    """Copies, compares, flushes to disk, records, then renames: a server sees all of the version or nothing.

    A process that is killed between the record and the rename leaves the copy beside the record; whoever holds the
    folder's lock next clears both.
    """
    staging = staging_folder(folder, version)
    try:
        shutil.copytree(model.serving_path, staging)
        _compare(staging, model, "its copy in the serving folder")
        share(staging, as_folder=folder)
        for path in [*staging.rglob("*"), staging]:
            flush(path)
        record_version(folder, version, record)
        interrupts.hold()  # the last moment: what is pushed is served, so its record is finished too
        staging.rename(folder / str(version))
        flush(folder)
    except BaseException as error:
        if staging.exists() and not isinstance(error, FileExistsError):  # not renamed, and the record is this push's
            (folder / f"{version}{RECORD}").unlink(missing_ok=True)
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _compare(folder: Path, model: Model, what: str) -> None:
    """Raises where a folder does not hold the files that the Trainer exported.

    Raises:
      PipelineError: It does not.
    """
    if (found := folder_checksum(folder)) != model.checksum:
        raise PipelineError(
            f"The model `{model.kind}` is damaged: {what}, `{folder}`, does not hold the files that the Trainer "
            f"exported (checksum {found[:12]}, expected {model.checksum[:12]}). Nothing was pushed. Remove "
            f"`{model.path}` and call `crossnet run` again, which trains it again. Where that does not help, check the "
            "disk."
        )
