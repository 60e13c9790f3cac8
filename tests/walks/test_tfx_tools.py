"""Opens what a run made with TensorFlow Data Validation and TensorFlow Model Analysis, where they are installed."""

import random

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from crossnet.pipeline.config import make_config
from crossnet.pipeline.runner import run_pipeline

# What these tools, Beam and Keras say while they work is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")

NO_TFDV = "TFDV needs glibc 2.38 and an environment of its own"
NO_TFMA = "TFMA has an environment of its own: make neighbours"
SMALL = {
    "models": ["cross_layer", "tfrs_cross", "dense"],
    "trainer": {"epochs": 3, "batch_size": 64},
    "evaluator": {"max_rmse": 99, "max_mean_ratio": "none", "max_linear_ratio": "none", "min_improvement": "none"},
}


def test_tfdv_reads_statistics_schema_and_anomalies_and_finds_no_other(tmp_path):
    tfdv = pytest.importorskip("tensorflow_data_validation", reason=NO_TFDV)
    result = run_pipeline(make_config({"example_gen": {"num_examples": 500}}), tmp_path, until="example_validator")
    run = tmp_path / "runs" / result.run
    schema = tfdv.load_schema_text(str(run / "schema_gen" / "schema.pbtxt"))
    for split in ("train", "eval"):
        content = (run / "statistics_gen" / f"Split-{split}" / "FeatureStats.pb").read_bytes()
        statistics = statistics_pb2.DatasetFeatureStatisticsList.FromString(content)
        assert not tfdv.validate_statistics(statistics, schema).anomaly_info
        found = (run / "example_validator" / f"Split-{split}" / "SchemaDiff.pb").read_bytes()
        assert not anomalies_pb2.Anomalies.FromString(found).anomaly_info


def test_tfma_finds_the_errors_of_our_evaluator_with_our_models_and_examples(tmp_path):
    tfma = pytest.importorskip("tensorflow_model_analysis", reason=NO_TFMA)
    from tensorflow_model_analysis.proto import config_pb2

    draw = random.Random(1)
    lines = ["zone,trip miles,passengers,fare"]
    for _ in range(1500):
        zone, miles = draw.choice(["north", "south", ""]), round(draw.uniform(0.5, 20), 1)
        fare = 3 + 2.5 * miles + draw.gauss(0, 0.5)
        lines.append(f"{zone},{miles},{draw.choice(['', 1, 2, 3])},{fare:.2f}")
    (tmp_path / "rides.csv").write_text("\n".join(lines))
    rows = {"source": "csv", "input": str(tmp_path / "rides.csv"), "label": "fare", "num_shards": 2}
    result = run_pipeline(make_config({**SMALL, "example_gen": rows}), tmp_path / "root", until="evaluator")
    assert not result.error
    run = tmp_path / "root" / "runs" / result.run
    metrics = ("RootMeanSquaredError", "MeanAbsoluteError", "ExampleCount")
    config = config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(label_key="fare", prediction_key="prediction", signature_name="serving_examples")
        ],
        slicing_specs=[config_pb2.SlicingSpec(), config_pb2.SlicingSpec(feature_keys=["zone"])],
        metrics_specs=[config_pb2.MetricsSpec(metrics=[config_pb2.MetricConfig(class_name=name) for name in metrics])],
    )
    for kind in SMALL["models"]:
        model = tfma.default_eval_shared_model(str(run / f"trainer_{kind}" / "Format-Serving"), eval_config=config)
        judged = tfma.run_model_analysis(
            model,
            eval_config=config,
            data_location=str(run / "example_gen" / "Split-eval" / "data_tfrecord-*"),
            output_path=str(tmp_path / kind),
        )
        slices = {key: values[""][""] for key, values in judged.slicing_metrics}
        whole = {name: value["doubleValue"] for name, value in slices[()].items()}
        assert whole["example_count"] == result.artifacts["example_gen"].counts["eval"]
        assert whole["root_mean_squared_error"] == pytest.approx(result.models[kind]["eval_rmse"], rel=1e-7)
        assert {("zone", "north"), ("zone", "south")} <= {pair for key in slices for pair in key}
