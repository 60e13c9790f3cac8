"""Measures the models of a run over one of its splits.

No rule sees the result, and nothing is written: the test split is for the one look after all choices are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crossnet.components.artifacts.evaluation import LIGHTGBM, MEAN_PREDICTOR
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.reference_model import ReferenceModel
from crossnet.components.artifacts.schema import Schema
from crossnet.components.errors import MissingArtifactError, SettingsError
from crossnet.components.formats import aligned, number, percent
from crossnet.components.model_folder import read_record, versions_in_service
from crossnet.components.params.evaluator import EvaluatorParams
from crossnet.pipeline.component_call import make_engine
from crossnet.pipeline.config import Config
from crossnet.pipeline.report.run import Run, load_run
from crossnet.pipeline.store import Store
from crossnet.serving.protocol.suggestions import did_you_mean


def evaluate_split(store: Store, name: str, split: str) -> dict[str, Any]:
    """Returns `run`, `split`, `confidence` and what `score_split` returns of all models of a run and its references.

    Each model has a `role` too: "champion", "baseline", "candidate", or "reference" for linear model, mean predictor,
    where they are not the baseline, and boosted trees, which have predicted eval alone.

    Raises:
      MissingArtifactError: The run, its rows or its models are not there.
      SettingsError: The run has no such split.
    """
    from crossnet.components.evaluation.split_scores import score_split

    run = load_run(store, name)
    examples, schema = run.get(Examples, "example_gen"), run.get(Schema, "schema_gen")
    if examples is None or schema is None:
        step = "example_gen" if examples is None else "schema_gen"
        raise MissingArtifactError(f"Run `{name}` cannot be evaluated: {run.why_missing(step)} Call `crossnet run`.")
    if split not in examples.all_splits:
        raise SettingsError(
            f"Run `{name}` has no split `{split}`. Set `example_gen.test_fraction`, such as 0.1, and call "
            "`crossnet run`; or name the split eval."
        )
    roles = _roles(run)
    params = run.config.evaluator if run.config else EvaluatorParams()
    trained = {model: run.models[model] for model in roles if model in run.models}
    linear = run.evaluation.linear if run.evaluation else None
    trees = run.get(ReferenceModel, f"reference_{LIGHTGBM}") if split == "eval" else None
    recorded = {} if trees is None else {trees.kind: trees.predictions_path}
    with make_engine(run.config or Config()) as engine:
        scores = score_split(examples, split, schema, trained, params, linear, recorded, engine)
    models = {model: {"role": roles.get(model, "reference"), **facts} for model, facts in scores.pop("models").items()}
    return {"run": name, "split": split, "confidence": params.confidence, **scores, "models": models}


def run_of_model(store: Store, folder: Path) -> str:
    """Returns the newest run whose model is the newest version in service below `folder`.

    Raises:
      MissingArtifactError: The model has no version, or no run of this root made it.
    """
    version = next(iter(versions_in_service(folder)), None)
    if version is None:
        others = [path.name for path in folder.parent.iterdir()] if folder.parent.is_dir() else []
        raise MissingArtifactError(
            f"`{folder}` has no version in service.{did_you_mean(folder.name, others)} Push one with `crossnet run`, "
            "or name another model."
        )
    model = read_record(folder, version).get("model")
    for name, record in store.run_records().items():
        if any(step.fingerprint == model for step in record.steps.values()):
            return name
    raise MissingArtifactError(
        f"No run in `{store.root}` made version {version} of `{folder.name}`. Name a run instead: `crossnet runs` "
        "lists them."
    )


def render_scores(facts: Mapping[str, Any]) -> str:
    """Returns the result of `evaluate_split` as lines of text."""
    sure = percent(facts["confidence"])
    has_interval = any(model["interval"] for model in facts["models"].values())
    table: list[tuple[str, ...]] = [("model", "rmse", *([f"{sure} interval"] if has_interval else []), "mae", "r2", "")]
    for name, model in facts["models"].items():
        low, high = model["interval"] or (None, None)
        interval = "-" if low is None else f"{number(low)} to {number(high)}"
        cells = (number(model["rmse"]), *([interval] if has_interval else []), number(model["mae"]))
        table.append((name, *cells, number(model["r2"]), model["role"]))
    head = f"The {facts['split']} split of run {facts['run']} has {facts['extent']}, label's standard deviation "
    few = [f"There is not an interval: {facts['few']}."] if facts["few"] else []
    return "\n".join([head + number(facts["label_std"]), *aligned(table, left=(0, len(table[0]) - 1)), *few])


def _roles(run: Run) -> dict[str, str]:
    """Returns the models to evaluate, and what each is."""
    if not run.models:
        raise MissingArtifactError(
            f"Run `{run.name}` cannot be evaluated: it has no trained model. Call `crossnet run` to its end."
        )
    evaluation = run.evaluation
    champion = evaluation.champion if evaluation else None
    baseline = evaluation.properties["baseline"] if evaluation else MEAN_PREDICTOR
    roles = dict.fromkeys(run.models, "candidate") | {baseline: "baseline"}
    return roles | ({champion: "champion"} if champion in run.models else {})
