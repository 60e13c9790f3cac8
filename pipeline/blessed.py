"""Ranks the Models that runs of this root have blessed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crossnet.components.artifacts.base import ARTIFACT_FILE
from crossnet.components.artifacts.evaluation import MEAN_PREDICTOR
from crossnet.components.formats import number, percent
from crossnet.components.model_folder import read_record, versions_in_service, versions_rolled_back
from crossnet.components.params.evaluator import BEST
from crossnet.pipeline.run_record import RunRecord
from crossnet.pipeline.store import Store

if TYPE_CHECKING:
    from crossnet.pipeline.plan import PlannedStep


@dataclass(frozen=True)
class BlessedModel:
    """A Model that was a run's champion.

    Attributes:
      step: The step that trained it.
      fingerprint: Its own.
      run: The run in which its ratio was lowest.
      eval_rmse: There, in the label's unit.
      ratio: That, divided by the mean predictor's over the same rows.
    """

    step: str
    fingerprint: str
    run: str
    eval_rmse: float
    ratio: float

    def path(self, store: Store) -> Path:
        """Returns its artifact's folder."""
        return store.artifact_path(self.step, self.fingerprint)


def ranked(store: Store, records: Mapping[str, RunRecord], model_name: str | None = None) -> Iterator[BlessedModel]:
    """Yields the champions whose artifacts are there, the best first; of equal ones, the oldest.

    Args:
      store: The root.
      records: Its runs, the newest first.
      model_name: `pusher.model_name` of those that are wanted; None: of any.
    """
    best: dict[str, BlessedModel] = {}
    for run, record in reversed([*records.items()]):
        if (found := _champion(run, record)) and (
            found.fingerprint not in best or found.ratio < best[found.fingerprint].ratio
        ):
            best[found.fingerprint] = found
    for model in sorted(best.values(), key=lambda model: model.ratio):
        if (name := model_name_of(store, model)) is not None and model_name in (None, name):
            yield model


def model_name_of(store: Store, model: BlessedModel) -> str | None:
    """Returns the name under which a Model is pushed; None where its artifact cannot be read."""
    if not (model.path(store) / ARTIFACT_FILE).is_file() or (facts := store.facts(model.path(store))) is None:
        return None
    return str(facts.get("params", {}).get("model", {}).get("model_name", ""))


def rolled_back(folder: Path) -> set[str]:
    """Returns the fingerprints of the Models below `folder` that were taken out of service by hand."""
    out, still = (
        {read_record(folder, version).get("model") for version in versions}
        for versions in (versions_rolled_back(folder), versions_in_service(folder))
    )
    return {str(model) for model in out - still if model}


def chain(planned: PlannedStep, store: Store) -> Iterator[str]:
    """Yields, for the screen, each model of before that a step compares its candidates with."""
    references = {name: path for name in ("served", "anchor") if (path := planned.references.get(name)) is not None}
    if not references:
        return
    yield "Candidates are compared with"
    known = {model.fingerprint: model for model in ranked(store, store.run_records())}
    for path in dict.fromkeys(references.values()):
        roles = [name for name, other in references.items() if other == path]
        anchor = planned.step.settings["params"].anchor
        known_as = {"served": "in service", "anchor": "the best" if anchor == BEST else "which evaluator.anchor names"}
        words = ", ".join(known_as[role] for role in roles)
        by_version = path.name.isdecimal()
        name = f"version {path.name}" if by_version else f"Model {path.parent.name}"
        model = str(read_record(path.parent, int(path.name)).get("model")) if by_version else path.parent.name
        yield f"  {name}, {words}{_origin(known.get(model))}"


def _origin(model: BlessedModel | None) -> str:
    if model is None:
        return ": no run of this root has blessed it"
    return (
        f": blessed in run {model.run} with eval rmse {number(model.eval_rmse)}, {percent(model.ratio)} of the mean "
        "predictor's"
    )


def _champion(run: str, record: RunRecord) -> BlessedModel | None:
    """Returns a run's champion; None where there is none, or where its error cannot be compared with others'."""
    step = record.steps.get(f"trainer_{record.champion}")
    if not record.blessed or step is None or not step.fingerprint or record.champion is None:
        return None
    rmse, mean = (record.models.get(name, {}).get("eval_rmse") for name in (record.champion, MEAN_PREDICTOR))
    if rmse is None or not mean or not (math.isfinite(rmse) and math.isfinite(mean)):
        return None
    return BlessedModel(f"trainer_{record.champion}", step.fingerprint, run, rmse, rmse / mean)


def in_service(folder: Path, fingerprint: str) -> list[tuple[int, Path]]:
    """Returns the versions in service below `folder` that are a Model, the newest first."""
    versions = versions_in_service(folder).items()
    return [(version, path) for version, path in versions if read_record(folder, version).get("model") == fingerprint]
