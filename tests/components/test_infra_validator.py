import dataclasses
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

from crossnet.components.errors import ExportError
from crossnet.components.evaluator import evaluate_models
from crossnet.components.example_gen import generate_examples
from crossnet.components.features import Feature, read_schema
from crossnet.components.infra_validator import validate_infra
from crossnet.components.params.evaluator import EvaluatorParams
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.params.infra_validator import InfraValidatorParams
from crossnet.components.params.schema_gen import SchemaGenParams
from crossnet.components.params.statistics_gen import StatisticsGenParams as Statistics
from crossnet.components.schema_gen import infer_schema
from crossnet.components.statistics_gen import generate_statistics
from support import gate_fixtures

EMBEDDED = InfraValidatorParams(server="embedded", num_single_rows=3)


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Examples, schema, an evaluation and the one model it has blessed, which computes the article's polynomial."""
    folder = tmp_path_factory.mktemp("judged")
    paths = [folder / name for name in ("examples", "statistics", "schema", "evaluation")]
    for path in paths:
        path.mkdir()
    examples = generate_examples(output_dir=paths[0], params=ExampleGenParams(num_examples=500))
    statistics = generate_statistics(examples, output_dir=paths[1], params=Statistics())
    schema = infer_schema(examples, statistics, output_dir=paths[2], params=SchemaGenParams())
    model = gate_fixtures.make_model(folder / "model", schema, gate_fixtures.truth)
    models = {"cross_layer": model}
    params = EvaluatorParams(max_rmse=0.1, batch_size=20)
    evaluation = evaluate_models(examples, schema, statistics, models, output_dir=paths[3], params=params)
    return examples, schema, evaluation, models


def test_infra_validator_blesses_a_model_that_answers_as_the_evaluator_saw_it(judged, tmp_path):
    result = validate_infra(*judged, output_dir=tmp_path, params=EMBEDDED)
    assert result.blessed
    assert result.properties["server"] == "embedded"
    assert result.properties["max_difference"] <= 1e-6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["INFRA_BLESSED", "report.json"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (1e-4, r"answers differently over gRPC: in batches of 20 by .*, above 1e-6"),
        (np.nan, r"answers differently over gRPC: in batches of 20 by NaN"),
    ],
)
def test_infra_validator_refuses_other_answers(judged, tmp_path, change, sentence):
    examples, schema, evaluation, models = judged
    shutil.copytree(evaluation.path, tmp_path / "evaluation")
    file = tmp_path / "evaluation" / "predictions" / "cross_layer.npy"
    predictions = np.load(file)
    predictions[40] += change
    np.save(file, predictions)
    evaluation = dataclasses.replace(evaluation, path=tmp_path / "evaluation")
    (tmp_path / "out").mkdir()
    result = validate_infra(examples, schema, evaluation, models, output_dir=tmp_path / "out", params=EMBEDDED)
    assert not result.blessed
    assert re.search(sentence, result.reasons[0])


def test_infra_validator_refuses_a_signature_that_is_not_the_schemas(judged, tmp_path):
    examples, schema, evaluation, models = judged
    features = (Feature("x0", "INT"), Feature("x1", "FLOAT"), Feature("other", "FLOAT"))
    path = gate_fixtures.export(tmp_path / "Format-Serving", features, lambda columns: columns["x1"])
    model = dataclasses.replace(models["cross_layer"], path=path.parent)
    (tmp_path / "out").mkdir()
    result = validate_infra(
        examples, schema, evaluation, {"cross_layer": model}, output_dir=tmp_path / "out", params=EMBEDDED
    )
    assert result.reasons == [
        "The exported signature lacks `x2`.",
        "The exported signature asks for `other`, unknown to the schema.",
        "The exported signature takes `x0` as int64 [rows], the schema says float32 [rows].",
    ]


def test_infra_validator_refuses_a_model_that_does_not_load(judged, tmp_path):
    examples, schema, evaluation, models = judged
    shutil.copytree(models["cross_layer"].path, tmp_path / "model")
    (tmp_path / "model" / "Format-Serving" / "saved_model.pb").write_bytes(b"no model")
    model = dataclasses.replace(models["cross_layer"], path=tmp_path / "model")
    (tmp_path / "out").mkdir()
    result = validate_infra(
        examples, schema, evaluation, {"cross_layer": model}, output_dir=tmp_path / "out", params=EMBEDDED
    )
    assert "`cross_layer` cannot be served: " in result.reasons[0]
    assert (tmp_path / "out" / "INFRA_NOT_BLESSED").exists()


def test_infra_validator_refuses_a_model_that_calls_python(judged, tmp_path):
    examples, schema, evaluation, models = judged

    def predict(columns):
        return tf.ensure_shape(tf.py_function(lambda x: x + 1.0, [columns["x1"]], tf.float32), [None])

    features, _ = read_schema(schema.proto())
    path = gate_fixtures.export(tmp_path / "Format-Serving", features, predict)
    model = dataclasses.replace(models["cross_layer"], path=path.parent)
    (tmp_path / "out").mkdir()
    result = validate_infra(
        examples, schema, evaluation, {"cross_layer": model}, output_dir=tmp_path / "out", params=EMBEDDED
    )
    assert "`cross_layer` cannot be served: " in result.reasons[0]
    assert "No OpKernel was registered to support Op 'EagerPyFunc'" in result.reasons[0]
    assert "Write that function with TensorFlow operations" in result.reasons[0]


def test_infra_validator_gives_no_verdict_where_the_server_is_missing(judged, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExportError, match=r"could not ask `cross_layer`: `tensorflow_model_server` is not on PATH"):
        validate_infra(*judged, output_dir=tmp_path, params=InfraValidatorParams(server="binary"))


def test_infra_validator_has_nothing_to_try_when_no_model_is_blessed(judged, tmp_path):
    examples, schema, evaluation, models = judged
    evaluation = dataclasses.replace(evaluation, properties={**evaluation.properties, "champion": None})
    with pytest.raises(ExportError, match="No model is blessed"):
        validate_infra(examples, schema, evaluation, models, output_dir=tmp_path, params=EMBEDDED)
    assert validate_infra(
        examples, schema, evaluation, models, output_dir=tmp_path, params=EMBEDDED, force=True
    ).blessed
