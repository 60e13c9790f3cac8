"""Measures the whole evaluation of three exported models, with all its files.

The alternative is what one writes first: for each model `tf.saved_model.load`, a `tf.data` pipeline that parses one
record at a time, and a Keras metric over batches of 1,000; it gives one RMSE per model and split, and nothing else.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.harness import Row, cost, interleave
from crossnet.components.artifacts.base import ARTIFACT_FILE
from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.features import read_schema
from crossnet.components.files import write_json
from crossnet.components.params.evaluator import EvaluatorParams
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.params.networks import DEFAULT_MODELS, CrossLayerParams, DenseParams
from crossnet.components.params.schema_gen import SchemaGenParams
from crossnet.components.params.statistics_gen import StatisticsGenParams

MANY_ROWS = 10_000_000


def rows() -> Iterator[Row]:
    """Yields CPU seconds for 10,000 eval rows, and memory for 10 million."""
    import tensorflow  # noqa: F401  its import is not what is measured

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        examples, schema, statistics, models = prepare(folder, ExampleGenParams(num_examples=20_000, eval_fraction=0.5))
        first = cost(lambda: evaluate(folder, examples, schema, statistics, models))
        yield Row(
            "evaluation", "10,000 train and 10,000 eval rows x 3 models, first in its process", first, None, "CPU s",
            first, "<= 1.5", first <= 1.5,
        )  # fmt: skip
        ours, other, ratio, scatter = interleave(
            lambda: cost(lambda: evaluate(folder, examples, schema, statistics, models)),
            lambda: cost(lambda: naive(examples, schema, models)),
        )
        yield Row(
            "evaluation", "10,000 train and 10,000 eval rows x 3 models", ours, other, "CPU s", ratio, "<= 1.5 CPU s",
            ours <= 1.5, "saved_model.load, parse_single_example, Keras metric", scatter=scatter,
        )  # fmt: skip
    few, many = (_peak_mib(count) for count in (100_000, MANY_ROWS))
    yield Row(
        "evaluation", f"peak memory, {MANY_ROWS:,} rows x 3 models beside 100,000", many, few, "MiB", many / few,
        "<= 1.2", many <= 1.2 * few, "100,000 rows",
    )  # fmt: skip


def prepare(folder: Path, params: ExampleGenParams) -> tuple[Examples, Schema, Statistics, dict[str, Model]]:
    """Makes rows and exports the three kinds with their first weights, as the Trainer would."""
    from crossnet.components.example_gen import generate_examples
    from crossnet.components.networks.export import export_model
    from crossnet.components.networks.input_choice import make_preprocessing
    from crossnet.components.networks.models import build_network, describe, initialize
    from crossnet.components.networks.preprocessing import Transform
    from crossnet.components.params.trainer import TrainerParams
    from crossnet.components.schema_gen import infer_schema
    from crossnet.components.statistics_gen import generate_statistics

    for name in ("examples", "statistics", "schema"):
        (folder / name).mkdir()
    examples = generate_examples(output_dir=folder / "examples", params=params)
    statistics = generate_statistics(examples, output_dir=folder / "statistics", params=StatisticsGenParams())
    schema = infer_schema(examples, statistics, output_dir=folder / "schema", params=SchemaGenParams())
    features, label = read_schema(schema.proto())
    preprocessing = make_preprocessing(features, label, statistics.proto("train"), params=TrainerParams())
    models = {}
    for kind in DEFAULT_MODELS:
        architecture = DenseParams() if kind == "dense" else CrossLayerParams()
        network = build_network(kind, architecture, num_numbers=len(features))
        initialize(network, 0)
        models[kind] = Model(folder / kind, counts={"parameters": network.count_params()}, properties={"kind": kind})
        description = describe(kind, architecture, network)
        export_model(network, Transform(preprocessing), models[kind].serving_path, description=description)
    return examples, schema, statistics, models


def evaluate(
    folder: Path, examples: Examples, schema: Schema, statistics: Statistics, models: Mapping[str, Model]
) -> Evaluation:
    """Runs the Evaluator with the shipped rules."""
    from crossnet.components.evaluator import evaluate_models

    output = folder / "evaluation"
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir()
    return evaluate_models(
        examples, schema, statistics, models, output_dir=output, params=EvaluatorParams(max_rmse=0.01)
    )


def naive(examples: Examples, schema: Schema, models: Mapping[str, Model]) -> None:
    """Computes the RMSE of each model on both splits."""
    import tensorflow as tf
    import tf_keras

    features, label = read_schema(schema.proto())
    parsing = {feature.name: tf.io.FixedLenFeature([], tf.float32) for feature in (*features, label)}
    for model in models.values():
        function = tf.saved_model.load(str(model.serving_path)).signatures["serving_default"]
        for split in ("train", "eval"):
            metric = tf_keras.metrics.RootMeanSquaredError()
            files = [str(path) for path in examples.shards(split)]
            records = tf.data.TFRecordDataset(files, compression_type=examples.compression)
            for batch in records.map(lambda record: tf.io.parse_single_example(record, parsing)).batch(1000):
                labels = batch.pop(label.name)
                metric.update_state(labels, function(**batch)["prediction"])
            metric.result()


def _peak_mib(num_rows: int) -> float:
    """Returns the peak memory of a process that evaluates `num_rows` rows and does nothing else."""
    with tempfile.TemporaryDirectory() as name:
        params = ExampleGenParams(generator="sharded", num_examples=num_rows, eval_fraction=0.9)
        examples, schema, statistics, models = prepare(Path(name), params)
        for artifact in (examples, schema, statistics, *models.values()):
            facts = {"type": type(artifact).__name__, "format": artifact.FORMAT, "fingerprint": ""}
            facts |= {"counts": artifact.counts, "properties": artifact.properties}
            write_json(artifact.path / ARTIFACT_FILE, facts)
        child = [sys.executable, "-m", "benchmarks.evaluation", name]
        return float(subprocess.run(child, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    evaluate(
        place,
        Examples.load(place / "examples"),
        Schema.load(place / "schema"),
        Statistics.load(place / "statistics"),
        {kind: Model.load(place / kind) for kind in DEFAULT_MODELS},
    )
    # Not getrusage: its peak includes that of the process that started this one.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    print(next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")))
