"""Serves the champion and compares its answers with the Evaluator's.

What is served is the very folder that would be pushed. This is the one component that knows `serving`: it starts
`tensorflow_model_server` where it is installed, else the embedded server, and asks through the same gRPC client that
users have.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from crossnet.components import interrupts
from crossnet.components.artifacts.evaluation import Evaluation, predictions_file
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.infra_validation import (
    INFRA_BLESSED,
    INFRA_NOT_BLESSED,
    REPORT_FILE,
    InfraValidation,
)
from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.schema import Schema
from crossnet.components.errors import ExportError
from crossnet.components.features import Feature, read_schema
from crossnet.components.files import write_json
from crossnet.components.formats import number
from crossnet.components.params.infra_validator import InfraValidatorParams
from crossnet.components.records.dataset import read_dataset
from crossnet.serving.client import PredictionClient
from crossnet.serving.launcher import running_server
from crossnet.serving.status import DeadlineError, ServingError, UnavailableError, UsageError

LOGGER = logging.getLogger(__name__)


def validate_infra(
    examples: Examples,
    schema: Schema,
    evaluation: Evaluation,
    models: Mapping[str, Model],
    *,
    output_dir: Path,
    params: InfraValidatorParams,
    force: bool = False,
) -> InfraValidation:
    """Sends the eval rows to the champion in a server and demands the Evaluator's predictions.

    In the Evaluator's own batches |a - b| <= tolerance * max(label's standard deviation, |a|); one row at a time
    single_row_tolerance on the same scale, because float32 kernels differ by batch size. The signature must name
    exactly the schema's features with their types.

    Args:
      examples: The eval split is sent.
      schema: The features and their types.
      evaluation: Names the champion; holds its predictions, float32 (rows,), in record order.
      models: The candidates by kind, in order of preference.
      output_dir: Where report.json and INFRA_BLESSED or INFRA_NOT_BLESSED go.
      params: Tolerances, server, time to start.
      force: Without a champion, try the first candidate, because it will be pushed all the same.

    Raises:
      ExportError: No model can be tried, or the server did not answer in time: nothing is known about the model.
    """
    kind = evaluation.champion or (next(iter(models)) if force else None)
    if kind is None:
        raise ExportError(
            "No model is blessed, so InfraValidator has nothing to try in a server. The Evaluator's verdict.json says "
            'why. To push all the same: `crossnet run --force "REASON"`.'
        )
    features, _ = read_schema(schema.proto())
    report = _Report(kind, params.server)
    try:
        with _serving(models[kind], evaluation, output_dir, report, params) as client:
            report.reasons += _signature_problems(client, features)
            if not report.reasons:
                _compare(client, examples, features, evaluation, report, params)
    except (DeadlineError, UnavailableError, UsageError) as error:
        raise ExportError(f"InfraValidator could not ask `{kind}`: {error}") from error
    except ServingError as error:
        report.reasons.append(f"`{kind}` cannot be served: {error}")
    facts = dataclasses.asdict(report)
    write_json(output_dir / REPORT_FILE, facts)
    (output_dir / (INFRA_NOT_BLESSED if report.reasons else INFRA_BLESSED)).touch()
    return InfraValidation(output_dir, counts={"rows": examples.counts["eval"]}, properties=facts)


@dataclass
class _Report:
    """The content of report.json.

    Attributes:
      model: The kind that was tried.
      server: "binary" or "embedded"; before one has started, the setting.
      max_difference, max_difference_single_rows: See `_largest_difference`; NaN where nothing was compared.
      reasons: Why the model may not be pushed; empty when it may.
    """

    model: str
    server: str
    max_difference: float = math.nan
    max_difference_single_rows: float = math.nan
    reasons: list[str] = field(default_factory=list)


@contextlib.contextmanager
def _serving(
    model: Model, evaluation: Evaluation, output_dir: Path, report: _Report, params: InfraValidatorParams
) -> Iterator[PredictionClient]:
    """Starts a server of the model's own folder and opens a client that asks in the Evaluator's batches."""
    base, timeout = output_dir / "base", params.timeout_seconds
    size = evaluation.batch_size
    base.mkdir()
    (base / "1").symlink_to(model.serving_path.absolute(), target_is_directory=True)
    try:
        with (
            running_server(base, report.model, server=params.server, timeout_seconds=timeout) as server,
            PredictionClient(
                server.target, model_name=report.model, timeout_seconds=timeout, max_rows_per_call=size
            ) as client,
        ):
            report.server = server.kind
            LOGGER.info("asking the %s server at %s", server.kind, server.target)
            yield client
    finally:
        (base / "1").unlink()
        base.rmdir()


def _compare(
    client: PredictionClient,
    examples: Examples,
    features: tuple[Feature, ...],
    evaluation: Evaluation,
    report: _Report,
    params: InfraValidatorParams,
) -> None:
    """Compares the served answers with the Evaluator's predictions, in its batches and row by row."""
    expected = np.load(predictions_file(evaluation.path, report.model), mmap_mode="r")
    scale = evaluation.label_std
    size = evaluation.batch_size
    batched = _largest_difference(client, examples, features, expected, scale, size)
    single = _largest_difference(client, examples, features, expected[: params.num_single_rows], scale, size=1)
    report.max_difference, report.max_difference_single_rows = batched, single
    for rows, difference, limit in (
        (f"batches of {size:,}", batched, params.tolerance),
        ("single rows", single, params.single_row_tolerance),
    ):
        if not difference <= limit:  # NaN is not below any limit
            report.reasons.append(
                f"`{report.model}` answers differently over gRPC: in {rows} by {number(difference, 2)} "
                f"of max(label's standard deviation, |prediction|), above {number(limit, 2)}."
            )


def _signature_problems(client: PredictionClient, features: tuple[Feature, ...]) -> list[str]:
    """Returns how the served signature departs from the schema."""
    signature = client.metadata().signatures.get("serving_default")
    if signature is None:
        return ["The exported model has no signature `serving_default`."]
    wanted = {feature.name: f"{'text' if feature.is_text else feature.dtype} [rows]" for feature in features}
    served = {name: str(spec) for name, spec in signature.inputs.items()}
    problems = [f"lacks `{name}`" for name in sorted(wanted.keys() - served.keys())]
    problems += [f"asks for `{name}`, unknown to the schema" for name in sorted(served.keys() - wanted.keys())]
    problems += [
        f"takes `{name}` as {served[name]}, the schema says {wanted[name]}"
        for name in sorted(wanted.keys() & served.keys())
        if served[name] != wanted[name]
    ]
    return [f"The exported signature {problem}." for problem in problems]


def _largest_difference(
    client: PredictionClient,
    examples: Examples,
    features: tuple[Feature, ...],
    expected: np.ndarray,
    scale: float,
    size: int,
) -> float:
    """Returns the largest |a - b| / max(scale, |a|) over the first len(expected) eval rows, `size` rows a call."""
    largest, start = 0.0, 0
    for inputs, _ in read_dataset(examples, "eval", features, None, batch_size=size):
        interrupts.check()
        before = np.asarray(expected[start : start + size], np.float64)
        if not len(before):
            break
        after = client.predict(inputs).values.astype(np.float64)
        floor = np.maximum(np.abs(before), max(scale, float(np.finfo(np.float32).tiny)))
        difference = np.abs(before - after) / floor
        difference = np.where(np.isnan(before) & np.isnan(after), 0.0, difference)
        if np.isnan(difference).any():
            return float("nan")
        largest = max(largest, float(difference.max()))
        start += size
    return largest
