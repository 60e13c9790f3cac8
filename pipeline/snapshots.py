"""Takes snapshots for runs, and finds the last for plans."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from crossnet.components.sources.snapshots import Snapshot, newest_snapshot, snapshots_in, take_snapshot
from crossnet.pipeline.config import Config
from crossnet.pipeline.store import Store


def take(config: Config, store: Store, tell: Callable[[str], None]) -> None:
    """Runs the query of a config, if its source is `sql`, and keeps its rows. The root must be locked.

    Args:
      config: All settings.
      store: The root.
      tell: Is given a line about the snapshot.

    Raises:
      PipelineError: The query fails; the snapshot before it stays.
    """
    if config.example_gen.source == "sql":
        store.snapshots.mkdir(exist_ok=True)
        snapshot = take_snapshot(store.snapshots, config.example_gen)
        tell(f"Query: {snapshot}{'' if snapshot.is_new else ', the same as before'}.")


def taken(config: Config, store: Store, tell: Callable[[str], None]) -> Config:
    """Returns the config with a new snapshot of its query, if it has one; locks the root while that is taken."""
    if config.example_gen.source != "sql":
        return config
    with store.locked():
        take(config, store, tell)
    return with_snapshot(config, store)


def newest(config: Config, store: Store) -> Snapshot | None:
    """Returns the last snapshot of a config's query; None where there is none. Changes nothing."""
    return newest_snapshot(store.snapshots, config.example_gen) if config.example_gen.source == "sql" else None


def with_snapshot(config: Config, store: Store) -> Config:
    """Returns the config with the last snapshot of its query as `example_gen.input`."""
    snapshot = newest(config, store)
    if snapshot is None:
        return config
    return dataclasses.replace(config, example_gen=dataclasses.replace(config.example_gen, input=str(snapshot.path)))


def old_snapshots(store: Store) -> list[Path]:
    """Returns the folders of the snapshots that are not the newest of their query, and what killed runs left."""
    old: list[Path] = []
    for folder in sorted(path for path in store.snapshots.glob("[!.]*") if path.is_dir()):
        kept = {snapshot.path.parent for snapshot in snapshots_in(folder)[-1:]}
        old += sorted(path for path in folder.iterdir() if path.is_dir() and path not in kept)
    return old
