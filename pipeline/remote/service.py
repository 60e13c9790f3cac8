"""Serves what a root in a store holds, and rolls it back."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from pathlib import Path

from crossnet.components.errors import PipelineError
from crossnet.components.model_folder import RECORD, ROLLED_BACK
from crossnet.components.rollback import RollBack, roll_back
from crossnet.pipeline.remote.root import RemoteRoot
from crossnet.pipeline.remote.units import SERVED
from crossnet.pipeline.store import Store
from crossnet.serving.config.deployment import model_config
from crossnet.serving.storage.folder import StoreError
from crossnet.serving.storage.uris import below

_OF_MODELS = ("--model_name", "--model_base_path", "--model_config_file")


def flags_for(remote: RemoteRoot, flags: Sequence[str]) -> list[str]:
    """Returns a server's flags, with those that name the models in the store where none does.

    Args:
      remote: The root; a file that lists several models goes into its copy.
      flags: The user's, as `--name=value`; `--model_name` alone means that model of the root.

    Raises:
      PipelineError: The store cannot be read, or holds no model.
    """
    given = dict(flag.partition("=")[::2] for flag in flags if flag.startswith(_OF_MODELS))
    if {"--model_base_path", "--model_config_file"} & given.keys():
        return list(flags)
    names = [given["--model_name"]] if given.get("--model_name") else _models(remote)
    if len(names) == 1:
        own = [] if "--model_name" in given else [f"--model_name={names[0]}"]
        return [*own, f"--model_base_path={below(remote.uri, f'{SERVED}/{names[0]}')}", *flags]
    file = remote.folder / "serving" / "models.config"
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".tmp-{file.name}-{os.getpid()}")
    unfinished.write_text(model_config({name: below(remote.uri, f"{SERVED}/{name}") for name in names}))
    unfinished.replace(file)
    return [f"--model_config_file={file}", *flags]


def _models(remote: RemoteRoot) -> list[str]:
    try:
        found = remote.store.entries(SERVED) or {}
    except StoreError as error:
        raise PipelineError(f"{error} Check the store and the credentials, and call again.") from error
    names = sorted(name for name, entry in found.items() if entry.is_folder and not name.startswith("."))
    if not names:
        raise PipelineError(
            f"There is not a model in `{remote.store.name}/{SERVED}` yet. Push one with `crossnet run`, or name one "
            "that will come with --model_name: the server waits for it."
        )
    return names


def roll_back_there(
    store: Store, folder: Path, reason: str = "", *, confirmed: bool = False, started: datetime.datetime | None = None
) -> RollBack:
    """Takes the newest version of a model out of service, in the copy and in the store.

    Args:
      store: The root.
      folder: The model's, in the copy.
      reason, confirmed, started: As for `roll_back`.

    Raises:
      PipelineError: As `roll_back`; another process is at work in the root; or the store cannot be written.
    """
    remote = store.remote
    assert remote is not None
    with store.locked():
        records = {path: path.read_bytes() for path in folder.glob(f"*{RECORD}")}
        done = roll_back(folder, reason, confirmed=confirmed, started=started)
        try:
            remote.publish(kind=SERVED)
        except PipelineError as error:
            # As it was, so that the next command takes from the store what is true.
            (folder / f"{done.removed}{ROLLED_BACK}").rename(folder / f"{done.removed}")
            for path, content in records.items():
                path.write_bytes(content)
            raise PipelineError(
                f"{error.__cause__ or error} Version {done.removed} may still be in service: look whether "
                f"`{remote.store.name}/{SERVED}/{folder.name}/{done.removed}` is there, and then call again."
            ) from error
    return done
