"""InfraValidator: serves the very folder that would be pushed and compares its answers with the Evaluator's.

The one component that knows `serving`: it starts `tensorflow_model_server` where it is installed, else the embedded
server, and asks through the same gRPC client that users have.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from serving.client import PredictionClient
from serving.launcher import running_server

from components.artifacts import Evaluation, Examples, InfraValidation, Model, Schema, write_json
from components.dataset import read_batches
from components.errors import ExportError
from components.features import Feature, read_schema
from components.params import InfraValidatorParams

log = logging.getLogger(__name__)


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
      ExportError: There is no model to try.
      ServingError: The server did not become ready or died: nothing is known about the model.
    """
    kind = evaluation.champion or (next(iter(models)) if force else None)
    if kind is None:
        raise ExportError("No model is blessed, so there is none to try in a server.")
    features, _ = read_schema(schema.proto())
    expected = np.load(evaluation.path / "predictions" / f"{kind}.npy", mmap_mode="r")
    base = output_dir / "base"
    base.mkdir()
    (base / "1").symlink_to(models[kind].serving_path.absolute(), target_is_directory=True)
    try:
        with (
            running_server(base, kind, server=params.server, timeout_seconds=params.timeout_seconds) as server,
            PredictionClient(server.target, model_name=kind, timeout_seconds=params.timeout_seconds) as client,
        ):
            log.info("asking the %s server at %s", server.kind, server.target)
            reasons = _signature_problems(client, features)
            batched = single = 0.0
            if not reasons:
                scale = float(evaluation.properties["label_std"])
                size = int(evaluation.properties["batch_size"])
                batched = _largest_difference(client, examples, features, expected, scale, size)
                single = _largest_difference(
                    client, examples, features, expected[: params.num_single_rows], scale, size=1
                )
                for rows, difference, limit in (
                    (f"batches of {size:,}", batched, params.tolerance),
                    ("single rows", single, params.single_row_tolerance),
                ):
                    if not difference <= limit:  # NaN is not below any limit
                        reasons.append(
                            f"INFRA_NOT_BLESSED: `{kind}` answers differently over gRPC: in {rows} by {difference:.2g} "
                            f"of max(label's standard deviation, |prediction|), above {limit:.2g}."
                        )
    finally:
        (base / "1").unlink()
        base.rmdir()
    facts = {
        "model": kind,
        "server": server.kind,
        "rows": len(expected),
        "max_difference": batched,
        "max_difference_single_rows": single,
        "reasons": reasons,
    }
    write_json(output_dir / "report.json", facts)
    (output_dir / ("INFRA_NOT_BLESSED" if reasons else "INFRA_BLESSED")).touch()
    return InfraValidation(output_dir, counts={"rows": len(expected)}, properties=facts)


def _signature_problems(client: PredictionClient, features: tuple[Feature, ...]) -> list[str]:
    """Returns how the served signature departs from the schema."""
    served = client.signature("serving_default").inputs
    wanted = {feature.name: feature.dtype for feature in features}
    problems = []
    if missing := sorted(wanted.keys() - served.keys()):
        problems.append(f"lacks {', '.join(missing)}")
    if extra := sorted(served.keys() - wanted.keys()):
        problems.append(f"asks for {', '.join(extra)}, unknown to the schema")
    for name in sorted(wanted.keys() & served.keys()):
        if served[name].dtype != wanted[name]:
            problems.append(f"takes `{name}` as {served[name].dtype}, the schema says {wanted[name]}")
    return [f"INFRA_NOT_BLESSED: the exported signature {problem}." for problem in problems]


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
    for inputs, _ in read_batches(examples, "eval", features, None, batch_size=size):
        before = np.asarray(expected[start : start + size], np.float64)
        if not len(before):
            break
        after = client.predict(inputs).values.astype(np.float64)
        floor = np.maximum(np.abs(before), max(scale, np.finfo(np.float32).tiny))
        difference = np.abs(before - after) / floor
        difference = np.where(np.isnan(before) & np.isnan(after), 0.0, difference)
        largest = float(np.maximum(largest, difference.max()))  # np.maximum keeps NaN
        start += size
    return largest
