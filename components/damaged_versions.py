"""Finds versions in service whose files were changed after the push."""

from __future__ import annotations

import datetime
import errno
from pathlib import Path

from crossnet.components.files import folder_checksum
from crossnet.components.model_folder import (
    RECORD,
    flush,
    prepare_record,
    read_record,
    versions_in_service,
)

DAMAGED = ".damaged"


def is_damaged(folder: Path, version: int, path: Path) -> bool:
    """Whether a version does not hold the files that were pushed; never where it was put there by hand.

    Args:
      folder: `<serving_dir>/<model_name>`.
      version: Its number.
      path: Its folder.
    """
    checksum = read_record(folder, version).get("checksum")
    try:
        return checksum is not None and folder_checksum(path) != checksum
    except OSError as error:  # the disk cannot read it; or it was taken out meanwhile, or is not this user's to read
        return error.errno == errno.EIO


def damaged_in_service(folder: Path) -> tuple[str, ...]:
    """Returns, in a sentence, that the newest version in service is damaged; nothing where it is not."""
    for version, path in versions_in_service(folder).items():
        if not is_damaged(folder, version, path):
            break
        return (
            f"Version {version} of `{folder.name}`, which is in service, is damaged: its files are not those that were "
            "pushed. A push replaces it; `crossnet rollback` takes it out of service.",
        )
    return ()


def take_out_damaged(folder: Path, *, but: int) -> list[int]:
    """Renames damaged versions to `<version>.damaged`, so that neither a server nor a rollback comes to them.

    Args:
      folder: `<serving_dir>/<model_name>`; the caller holds its lock.
      but: The version that was just pushed or found whole.

    Returns:
      Their numbers, the newest first.

    Raises:
      OSError: The folder cannot be written.
    """
    found = [
        (version, path)
        for version, path in versions_in_service(folder).items()
        if version != but and is_damaged(folder, version, path)
    ]
    for version, path in found:
        record = read_record(folder, version)
        record["damaged"] = {"at": datetime.datetime.now(datetime.UTC).isoformat(), "checksum": folder_checksum(path)}
        prepared = prepare_record(folder, version, record)
        path.rename(folder / f"{version}{DAMAGED}")
        prepared.replace(folder / f"{version}{RECORD}")
    if found:
        flush(folder)
    return [version for version, _ in found]
