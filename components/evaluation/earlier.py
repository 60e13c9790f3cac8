"""Opens the models of before that candidates are compared with."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from crossnet.components.artifacts.model import SERVING_FOLDER
from crossnet.components.errors import ExportError
from crossnet.components.evaluation.predictors import Predictor, ServedModel
from crossnet.components.evaluation.rule_results import Best, Scores, Served
from crossnet.components.evaluation.session import ServingSession
from crossnet.components.features import Feature
from crossnet.components.params.evaluator import BEST, EvaluatorParams


class Earlier(NamedTuple):
    """The models of before.

    Attributes:
      served: The version in service; None where no rule compares with it.
      best: The best ever blessed, or the version that `evaluator.anchor` names; likewise.
    """

    served: Served | None = None
    best: Best | None = None

    def facts(self, scores: Scores) -> dict[str, Any]:
        """Returns `served` and `best` as verdict.json has them."""
        return {"served": _facts(self.served, scores), "best": _facts(self.best, scores)}


def open_earlier(
    served: Path | None,
    anchor: Path | None,
    features: Sequence[Feature],
    params: EvaluatorParams,
    scored: dict[str, Predictor],
    stack: contextlib.ExitStack,
) -> Earlier:
    """Opens those that load and take what these rows have, and adds them to `scored`.

    Args:
      served: Folder of the version in service, its name the version; None: there is none.
      anchor: Folder of the best, a version or `Format-Serving` of a Model; it may be `served`.
      features: What these rows have.
      params: The rules.
      scored: What is scored, by name.
      stack: Closes them.
    """
    in_service = best = None
    if served is not None and params.non_inferiority_margin is not None:
        in_service, model = _open(served, features, stack)
        if model is not None:
            scored[in_service.name] = ServedModel(model)
    if anchor is not None and params.total_margin is not None:
        is_named = params.anchor != BEST
        if in_service is not None and anchor == served:
            best = Best(in_service.version, in_service.problem, in_service.name, is_named=is_named)
        else:
            found, model = _open(anchor, features, stack)
            best = Best(found.version, found.problem, is_named=is_named)
            if model is not None:
                scored[best.name] = ServedModel(model)
    return Earlier(in_service, best)


def _open(
    folder: Path, features: Sequence[Feature], stack: contextlib.ExitStack
) -> tuple[Served, ServingSession | None]:
    name = folder.parent.name if folder.name == SERVING_FOLDER else folder.name
    try:
        model = stack.enter_context(ServingSession(folder))
    except ExportError as error:
        return Served(name, f"does not load ({error})"), None
    types = {feature.name: feature.dtype for feature in features}
    problems = [
        f"takes `{name}` as {dtype} where these rows have {types[name]}"
        if name in types
        else f"asks for `{name}`, which these rows lack"
        for name, dtype in model.inputs.items()
        if types.get(name) != dtype
    ]
    return Served(name, " and ".join(problems)), None if problems else model


def _facts(model: Served | None, scores: Scores) -> Mapping[str, Any] | None:
    if model is None:
        return None
    rmse = scores.whole.rmse(scores.names.index(model.name)) if model.name in scores.names else None
    return {"version": model.version, "problem": model.problem, "eval_rmse": rmse}
