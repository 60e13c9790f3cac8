"""Spells out every setting of a run."""

from __future__ import annotations

import json

from crossnet.components.errors import PipelineError
from crossnet.pipeline.run_record import RunRecord
from crossnet.pipeline.store import Store


def settings_text(run: RunRecord, store: Store) -> str:
    """Returns every setting that a run used, as TOML that `--config` takes.

    Where a setting is "auto", or a model has its own, comments at the end say what each model trained with.

    Raises:
      PipelineError: The run stopped before it wrote its settings.
    """
    file = store.runs / run.run / "config.toml"
    try:
        text = file.read_text(encoding="utf-8").rstrip()
    except FileNotFoundError:
        raise PipelineError(
            f"Run {run.run} has no `{file}`: it stopped before its settings were written. Start it again with "
            "`crossnet run`."
        ) from None
    lines = [f"# Every setting of run {run.run}.", text]
    for name, step in run.steps.items():
        facts = store.facts(store.root / step.artifact) if step.artifact else None
        chosen = (facts or {}).get("properties", {}).get("chosen")
        if chosen:
            lines += ["", f"# {name} trained with:"]
            lines += [f"#   {setting} = {json.dumps(value)}" for setting, value in chosen.items()]
    return "\n".join(lines)
