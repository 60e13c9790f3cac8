"""The Evaluator on real exports: what it writes, whom it blesses, and how it meets a model in service."""

from __future__ import annotations

import json
import math
import re
from unittest import mock

import numpy as np
import pytest

from crossnet.components.artifacts.evaluation import LIGHTGBM, LINEAR, MEAN_PREDICTOR, Evaluation
from crossnet.components.artifacts.reference_model import PREDICTIONS_FILE, ReferenceModel
from crossnet.components.errors import ExportError, SettingsError
from crossnet.components.evaluation.linear import LinearModel
from crossnet.components.evaluation.verdict import failures, render_verdict
from crossnet.components.evaluator import evaluate_models
from crossnet.components.features import Feature, read_schema
from crossnet.components.files import read_json, write_json
from crossnet.components.networks.export import TRAINING_FILE
from crossnet.components.networks.interval import Interval
from crossnet.components.params.evaluator import EvaluatorParams
from support.gate_fixtures import article, export, make_model, truth
from support.training_fixtures import make_artifacts

TRAIN, EVAL = article(600, seed=1), article(400, seed=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gate")
    return folder, *make_artifacts(folder, TRAIN, EVAL)


def off_by(size):
    return lambda columns: truth(columns) + size


@pytest.fixture(scope="module")
def models(data):
    import tensorflow as tf

    folder, _, schema, _ = data

    def half_nan(columns):
        return tf.where(columns["x0"] > 0.5, math.nan, truth(columns))

    def dead(columns):
        return tf.zeros_like(columns["x0"]) + 0.8

    functions = {"dead": dead, "exact": truth, "close": off_by(0.001), "far": off_by(0.5), "nan": half_nan}
    # In "east" it is far off, elsewhere closer than "close".
    functions["unfair"] = lambda c: truth(c) + tf.where(c["zone"] == "east", 0.0016, 0.0004)
    return {name: make_model(folder / name, schema, function) for name, function in functions.items()}


@pytest.fixture
def evaluate(data, models, tmp_path):
    def call(names, *, served=None, anchor=None, **settings) -> Evaluation:
        _, examples, schema, statistics = data
        chosen = {name: models[name] for name in names}
        output = tmp_path / f"evaluation-{len(list(tmp_path.iterdir()))}"
        output.mkdir()
        params = EvaluatorParams(**({"max_rmse": 0.01, "max_linear_ratio": None} | settings))
        before = {"served": served, "anchor": anchor}
        return evaluate_models(examples, schema, statistics, chosen, output_dir=output, params=params, **before)

    return call


def failed(evaluation, name):
    rules = evaluation.verdict["candidates"][name]["rules"]
    return [(rule["rule"], rule["slice"]) for rule in rules if rule["passed"] is False]


def test_a_refused_run_says_where_its_baseline_alone_would_pass(evaluate):
    settings = {"max_rmse": None, "slices": (("zone",),), "min_improvement": -0.02}
    refused = evaluate(["far", "close"], **settings)
    assert 'Baseline `close` alone would pass the gate. To serve it, set `models = ["close"]`' in render_verdict(
        refused
    )
    assert evaluate(["close"], **settings).blessed  # as it says


def test_evaluator_blesses_the_first_candidate_that_passes_not_the_best(evaluate):
    evaluation = evaluate(["close", "exact", "far"])
    assert evaluation.blessed
    assert (evaluation.champion, evaluation.reasons) == ("close", [])
    assert sorted(path.name for path in evaluation.path.iterdir()) == [
        "BLESSED", "details.json", "labels.npy", "linear.json", "metrics.json", "predictions", "verdict.json",
    ]  # fmt: skip


def test_evaluator_counts_the_labels_that_a_models_intervals_hold(evaluate, models, data):
    extra = models["close"].serving_path / TRAINING_FILE
    extra.parent.mkdir(exist_ok=True)
    for half_width, held in ((0.01, 1.0), (0.0001, 0.0)):  # every prediction of "close" is off by 0.001
        write_json(extra, {"network": {"kind": "dense"}, "interval": Interval(0.9, half_width, 50).to_json()})
        with mock.patch("crossnet.components.evaluator.explain", return_value=None):
            evaluation = evaluate(["close", "exact"])
        facts = {"coverage": 0.9, "half_width": half_width, "rows": 50, "eval_coverage": held}
        assert evaluation.metrics["close"]["prediction_interval"] == facts
        assert "prediction_interval" not in evaluation.metrics["exact"]
        assert f"they hold {100 * held:g} % of the eval labels." in render_verdict(evaluation)
    extra.unlink()


def test_evaluator_passes_over_a_bad_candidate_and_keeps_its_failure(evaluate):
    evaluation = evaluate(["nan", "exact", "far"])
    assert evaluation.champion == "exact"
    assert evaluation.verdict["candidates"]["nan"]["blessed"] is False
    rules = ("finite_predictions", "max_rmse", "min_improvement", "max_mean_ratio")
    assert failed(evaluation, "nan") == [(rule, None) for rule in rules]


def test_evaluator_refuses_a_model_above_max_rmse_and_says_why(evaluate):
    evaluation = evaluate(["far", "exact"])
    assert not evaluation.blessed
    assert (evaluation.path / "NOT_BLESSED").exists()
    assert evaluation.champion is None
    first, second = evaluation.reasons
    assert first == "`far` has eval rmse 0.5 on 400 rows, above max_rmse 0.01 (95 % interval 0.5 to 0.5)."
    assert re.fullmatch(
        r"`far` has eval rmse 0\.5 on 400 rows, .* % above the .*e-8 of baseline `exact`, where it has to be better "
        r"\(95 % interval of the improvement .* to .*\)\.",
        second,
    )


def test_evaluator_measures_what_each_feature_does_to_candidates(evaluate):
    details = evaluate(["exact", "far"]).details
    names = [column["name"] for column in details["exact"]["importance"]["columns"]]
    assert sorted(names[:3]) == ["x0", "x1", "x2"]
    assert details["exact"]["importance"]["columns"][-1]["increase"] == 0  # "zone", which the function does not read
    assert [curve["name"] for curve in details["exact"]["dependence"]] == names[:3]
    assert "importance" not in details["far"]  # the baseline


def test_evaluator_never_gates_the_baseline(evaluate):
    evaluation = evaluate(["exact", "nan"], min_improvement=None)
    assert evaluation.properties["baseline"] == "nan"
    assert list(evaluation.verdict["candidates"]) == ["exact"]
    assert evaluation.champion == "exact"


def test_evaluator_takes_the_mean_predictor_as_baseline_of_a_single_model(evaluate):
    evaluation = evaluate(["close"])
    assert evaluation.properties["baseline"] == MEAN_PREDICTOR
    labels = np.array(EVAL["y"], np.float32).astype(float)
    expected = math.sqrt(np.mean((labels - np.mean(np.array(TRAIN["y"], np.float32).astype(float))) ** 2))
    assert evaluation.metrics[MEAN_PREDICTOR]["eval_rmse"] == pytest.approx(expected, rel=1e-12)
    assert evaluate(["far"], max_rmse=None).champion == "far"


def test_evaluator_fits_a_linear_model_to_train_and_asks_candidates_to_be_about_as_good(evaluate):
    evaluation = evaluate(["exact", "far", "close"], max_rmse=None, min_improvement=None, max_linear_ratio=1.02)
    x = [np.array([t["x0"], t["x1"], t["x2"], np.ones(len(t["y"]))], np.float32).astype(float).T for t in (TRAIN, EVAL)]
    weights = np.linalg.lstsq(x[0], np.array(TRAIN["y"]), rcond=None)[0]
    least_squares = [math.sqrt(np.mean((x[i] @ weights - t["y"]) ** 2)) for i, t in enumerate((TRAIN, EVAL))]
    metrics = evaluation.metrics[LINEAR]
    # `zone` says nothing, and costs next to nothing.
    assert [metrics["train_rmse"], metrics["eval_rmse"]] == pytest.approx(least_squares, rel=0.01)
    assert metrics["num_parameters"] == 7
    assert failed(evaluation, "far") == [("max_linear_ratio", None)]
    (message,) = failures(evaluation.verdict)
    assert message.startswith("`far` has eval rmse 0.5 on 400 rows, ")
    assert "of a linear model, where max_linear_ratio 1.02 is the most (95 % interval" in message
    assert LinearModel.from_json(evaluation.linear).train_rmse == metrics["train_rmse"]


def test_evaluator_compares_with_the_linear_model_where_the_baseline_has_collapsed(evaluate):
    evaluation = evaluate(["far", "close", "dead"], max_rmse=None)
    assert evaluation.champion == "close"
    assert failed(evaluation, "far") == [("min_improvement", None)]
    (message,) = failures(evaluation.verdict)
    assert "of the linear model, as baseline `dead` has collapsed, where it has to be better" in message
    note = next(line for line in render_verdict(evaluation).splitlines() if line.startswith("`dead` has collapsed"))
    assert note.endswith("of always predicting the mean, so candidates are compared with the linear model.")


def test_evaluator_measures_what_the_export_answers(evaluate):
    evaluation = evaluate(["close", "far"], batch_size=150)
    predictions = np.load(evaluation.path / "predictions" / "close.npy")
    labels = np.load(evaluation.path / "labels.npy")
    assert predictions.dtype == labels.dtype == np.float32
    np.testing.assert_array_equal(labels, np.array(EVAL["y"], np.float32))
    np.testing.assert_allclose(predictions, labels + 0.001, rtol=1e-5)
    metrics = evaluation.metrics["close"]
    exact = math.sqrt(np.mean((predictions.astype(float) - labels.astype(float)) ** 2))
    assert metrics["eval_rmse"] == pytest.approx(exact, rel=1e-13)
    rules = {rule["rule"]: rule for rule in evaluation.verdict["candidates"]["close"]["rules"]}
    assert metrics["eval_rmse_interval"] == rules["max_rmse"]["interval"]
    assert metrics["train_rmse"] == pytest.approx(0.001, rel=1e-3)
    assert metrics["bias"] == pytest.approx(0.001, rel=1e-3)
    assert (metrics["num_parameters"], evaluation.counts["rows"]) == (16, 400)
    assert evaluation.properties["label_std"] == pytest.approx(labels.astype(float).std(), rel=1e-13)
    assert evaluation.properties["batch_size"] == 150


def test_evaluator_gives_the_same_verdict_twice(evaluate):
    one, two = (evaluate(["close", "far"], slices=(("zone",),)) for _ in range(2))
    for name in ("verdict.json", "metrics.json", "details.json", "labels.npy", "predictions/close.npy"):
        assert (one.path / name).read_bytes() == (two.path / name).read_bytes()


def test_evaluator_keeps_calibration_worst_rows_and_slices(evaluate):
    details = read_json(evaluate(["unfair", "far"], slices=(("zone",), ("x0:quartile", "zone"))).path / "details.json")
    worst = details["unfair"]["worst_rows"]
    assert len(worst) == 10
    assert {row["features"]["zone"] for row in worst} == {"east"}
    record = worst[0]["record"]
    assert worst[0]["features"]["x0"] == pytest.approx(EVAL["x0"][record])
    assert worst[0]["label"] == pytest.approx(EVAL["y"][record])
    assert sum(bin["rows"] for bin in details["unfair"]["calibration"]) == 400
    slices = {row["slice"]: row for row in details["unfair"]["slices"]}
    assert slices["zone=east"]["rmse"] == pytest.approx(0.0016, rel=1e-3)
    assert slices["zone=east"]["rows"] == 134
    assert len(slices) == 3 + 12


def test_evaluator_writes_json_without_nan(evaluate):
    evaluation = evaluate(["nan", "far"])
    for name in ("verdict.json", "metrics.json", "details.json"):
        json.loads((evaluation.path / name).read_text(), parse_constant=pytest.fail)
    assert evaluation.metrics["nan"]["eval_rmse"] is None


def test_evaluator_blocks_a_candidate_that_is_worse_in_one_slice_only(evaluate, models):
    served = models["close"].serving_path
    whole = evaluate(["unfair", "far"], served=served)
    assert whole.champion == "unfair"
    sliced = evaluate(["unfair", "far"], served=served, slices=(("zone",),))
    assert failed(sliced, "unfair") == [("non_inferiority", "zone=east")]
    assert sliced.reasons[0].startswith("On slice `zone=east` (134 rows) `unfair` has rmse 0.0016")


def test_evaluator_compares_with_the_version_in_service(evaluate, data, tmp_path):
    _, _, schema, _ = data
    served = export(tmp_path / "1764000000", read_schema(schema.proto())[0], off_by(0.002))
    evaluation = evaluate(["close", "far"], served=served)
    assert evaluation.champion == "close"
    assert evaluation.properties["served_version"] == "1764000000"
    assert evaluation.verdict["served"]["eval_rmse"] == pytest.approx(0.002, rel=1e-3)
    assert evaluate(["far", "nan"], served=served, max_rmse=1.0, min_improvement=None).champion is None
    assert not (evaluation.path / "predictions" / "(served).npy").exists()


def test_evaluator_finds_where_a_candidate_is_worse_and_lets_no_rule_see_it(evaluate, models):
    evaluation = evaluate(["unfair", "far"], served=models["close"].serving_path, max_rmse=1.0)
    assert evaluation.blessed
    own, beside = (
        [found for found in evaluation.verdict["segments"]["unfair"] if found["against"] == against]
        for against in ("overall", "served")
    )
    assert (own[0]["segment"], beside[0]["segment"]) == ("zone=east", "zone=east")
    assert beside[0]["rmse"] / beside[0]["reference"] == pytest.approx(1.6, rel=1e-2)
    assert 1.5 < beside[0]["interval"][0] <= 1.61


def test_evaluator_compares_with_the_best_beside_the_model_in_service(evaluate, data, models, tmp_path):
    features = read_schema(data[2].proto())[0]
    served = export(tmp_path / "1764000000", features, off_by(0.00098))
    best = export(tmp_path / "ab12" / "Format-Serving", features, off_by(0.0009))
    evaluation = evaluate(["close", "far"], served=served, anchor=best, total_margin=0.05)
    assert evaluation.verdict["best"]["eval_rmse"] == pytest.approx(0.0009, rel=1e-3)
    assert failed(evaluation, "close") == [("total_margin", None)]
    assert re.search(r"above version 1764000000 in service and .* % above the best, Model ab12", *evaluation.reasons)
    assert "Model ab12, the best" in render_verdict(evaluation)
    same = evaluate(["close", "far"], served=served, anchor=served)
    assert "version 1764000000 in service, the best" in render_verdict(same)


def test_evaluator_says_that_there_is_no_model_in_service(evaluate):
    evaluation = evaluate(["close", "far"])
    assert evaluation.properties["skipped"] == ["No other model is in service, so non_inferiority was not asked."]
    assert evaluation.properties["served_version"] is None


@pytest.mark.parametrize(
    ("feature", "problem"),
    [
        (Feature("x9", "FLOAT"), "asks for `x9`, which these rows lack"),
        (Feature("x0", "INT"), "takes `x0` as int64 where these rows have float32"),
    ],
)
def test_evaluator_does_not_bless_what_cannot_be_compared_with_the_version_in_service(
    evaluate, tmp_path, feature, problem
):
    import tensorflow as tf

    served = export(tmp_path / "17", (feature,), lambda c: tf.cast(c[feature.name], tf.float32))
    evaluation = evaluate(["close", "far"], served=served)
    assert evaluation.reasons == [
        f"`close` cannot be compared with version 17 in service, which {problem}. Push with `--force`, or set "
        "`evaluator.non_inferiority_margin` to none."
    ]
    assert evaluate(["close", "far"], served=served, non_inferiority_margin=None).blessed


def test_evaluator_does_not_bless_where_the_version_in_service_does_not_load(evaluate, tmp_path):
    (tmp_path / "17").mkdir()
    (reason,) = evaluate(["close", "far"], served=tmp_path / "17").reasons
    assert "cannot be compared with version 17 in service, which does not load (" in reason


def test_evaluator_compares_with_a_version_in_service_that_knows_fewer_features(evaluate, tmp_path):
    served = export(tmp_path / "17", (Feature("x0", "FLOAT"),), lambda c: 2 * c["x0"])
    assert evaluate(["close", "far"], served=served).blessed


def test_evaluator_judges_a_version_in_service_that_fails_on_these_rows(evaluate, tmp_path):
    import tensorflow as tf

    served = export(
        tmp_path / "17", (Feature("x0", "FLOAT"),), lambda c: tf.debugging.check_numerics(1 / (0 * c["x0"]), "bad")
    )
    (reason,) = evaluate(["close", "far"], served=served).reasons
    assert "version 17 in service, which has no finite eval rmse." in reason


def test_evaluator_slices_by_a_column_that_is_no_feature(data, tmp_path):
    _, examples, schema, statistics = data
    text = (schema.path / "schema.pbtxt").read_text()
    (tmp_path / "schema").mkdir()
    text = text.replace('name: "zone"', 'name: "zone"\n  lifecycle_stage: DISABLED')
    (tmp_path / "schema" / "schema.pbtxt").write_text(text)
    without = type(schema)(tmp_path / "schema")
    model = make_model(tmp_path / "model", without, truth)
    (tmp_path / "evaluation").mkdir()
    params = EvaluatorParams(slices=(("zone",), ("y:quartile",)))
    evaluation = evaluate_models(
        examples, without, statistics, {"a": model}, output_dir=tmp_path / "evaluation", params=params
    )
    names = [row["slice"] for row in read_json(evaluation.path / "details.json")["a"]["slices"]]
    assert [name.split("=")[0] for name in names[:4]] == ["y:quartile"] * 4
    assert names[4:] == ["zone=east", "zone=north", "zone=west"]


def test_evaluator_refuses_slices_of_unknown_columns_before_any_work(evaluate, tmp_path):
    with pytest.raises(SettingsError, match=r"names the unknown column `zon`\. Did you mean `zone`\?"):
        evaluate(["close", "far"], slices=(("zon",),))
    assert not any((tmp_path / "evaluation-0").iterdir())


def test_evaluator_refuses_a_candidate_that_does_not_load(data, models, tmp_path):
    _, examples, schema, statistics = data
    broken = type(models["close"])(tmp_path / "gone", counts={"parameters": 16})
    (tmp_path / "out").mkdir()
    with pytest.raises(ExportError, match="does not load as tensorflow_model_server loads it"):
        evaluate_models(
            examples, schema, statistics, {"a": broken}, output_dir=tmp_path / "out", params=EvaluatorParams()
        )


def test_boosted_trees_are_a_line_of_the_table_that_no_rule_reads(data, models, tmp_path):
    folders = [tmp_path / name for name in ("reference", "out")]
    for folder in folders:
        folder.mkdir()
    np.save(folders[0] / PREDICTIONS_FILE, np.array(EVAL["y"], np.float32) + np.float32(0.25))
    properties = {"kind": LIGHTGBM, "train_rmse": 0.125, "train_seconds": 0.5}
    reference = ReferenceModel(folders[0], {"leaves": 31}, properties)
    chosen, params = {"close": models["close"]}, EvaluatorParams(batch_size=150)
    found = evaluate_models(*data[1:], chosen, output_dir=folders[1], params=params, reference=reference)
    row = found.metrics[LIGHTGBM]
    assert (row["num_parameters"], row["train_rmse"], row["train_seconds"]) == (31, 0.125, 0.5)
    assert row["eval_rmse"] == pytest.approx(0.25, rel=1e-5)
    assert found.verdict["models"] == ["close", LIGHTGBM, LINEAR, MEAN_PREDICTOR]
    assert [*found.verdict["candidates"]] == ["close"]
    assert "lightgbm" in render_verdict(found)
    assert "lightgbm" not in str(found.verdict["candidates"])


def test_verdict_fits_on_one_screen_and_shows_every_rule(evaluate):
    text = render_verdict(evaluate(["close", "far", "exact"], min_improvement=None))
    lines = text.splitlines()
    assert len(lines) <= 20
    assert lines[0].startswith("400 eval rows, label's standard deviation 0.6")
    assert [line.split()[0] for line in lines[2:7]] == ["close", "far", "exact", LINEAR, MEAN_PREDICTOR]
    assert [line.split()[-1] for line in lines[2:5]] == ["champion", "blessed", "baseline"]
    assert "  FAILED   `far` has eval rmse 0.5" in text
    assert "  skipped  No other model is in service" in text


def test_verdict_shows_failed_slices_and_counts_the_others(evaluate, models):
    served = models["close"].serving_path
    evaluation = evaluate(["unfair", "far"], served=served, slices=(("zone",), ("x0:decile",)), min_slice_rows=100)
    text = render_verdict(evaluation)
    assert "  FAILED   On slice `zone=east` (134 rows)" in text
    assert "  skipped  10 slices with too few rows" in text
    passing = render_verdict(evaluate(["close", "far"], served=served, slices=(("zone",),)))
    assert "  passed   every rule on 3 slices" in passing
