"""Chooses among the runs of a root."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from crossnet.components.errors import MissingArtifactError, SettingsError
from crossnet.pipeline.run_record import RunRecord
from crossnet.pipeline.store import Store
from crossnet.serving.protocol.suggestions import did_you_mean


def chosen_runs(
    store: Store, *, statuses: Collection[str] = (), model: str | None = None, limit: int | None = None
) -> list[RunRecord]:
    """Returns the records of runs, the newest first.

    Args:
      store: The root.
      statuses: Only those whose `RunRecord.status` is one of these; empty: all.
      model: Only those whose Evaluator measured this model; None: all.
      limit: At most so many; None: all.

    Raises:
      SettingsError: No run has a model of that name.
    """
    records = list(store.run_records().values())
    known = {name for record in records for name in record.models}
    if model is not None and records and model not in known:
        near = did_you_mean(model, known)
        raise SettingsError(f"No run in `{store.root}` has a model `{model}`.{near} There are: {_listed(known)}.")
    found = [
        record
        for record in records
        if (not statuses or record.status in statuses) and (model is None or model in record.models)
    ]
    return found[:limit]


def two_runs(store: Store, names: Sequence[str]) -> tuple[str, str]:
    """Returns two runs to compare, the one before first: those that are named, and else the newest.

    Raises:
      MissingArtifactError: There are not two.
    """
    if len(names) == 2:
        return names[0], names[1]
    known = [name for name, run in store.run_records().items() if name in names or not run.made_for]
    if names:  # with the newest or, of the newest, with the one before
        newest = next((name for name in known if name != names[0]), None)
        if newest and names[0] in known[:1]:
            return newest, names[0]
        if newest:
            return names[0], newest
    elif len(known) > 1:
        return known[1], known[0]
    raise MissingArtifactError(
        f"There are not two runs in `{store.root}` to compare. Change a setting and call `crossnet run` again."
    )


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"
