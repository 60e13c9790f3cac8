"""The decision table of the gate, row by row, and the sentence of each decision."""

from __future__ import annotations

import numpy as np
import pytest

from crossnet.components.artifacts.evaluation import LINEAR, MEAN_PREDICTOR
from crossnet.components.evaluation.rule_results import Best, Served
from crossnet.components.evaluation.rules import judge
from crossnet.components.params.evaluator import EvaluatorParams
from support.gate_fixtures import OFF, make_scores

ROWS = 1000
LABELS = np.tile([0.0, 2.0], ROWS // 2)  # mean 1, standard deviation 1
SIGN = np.tile([1.0, -1.0, -1.0, 1.0], ROWS // 4)
NOISE = np.random.default_rng(0).normal(0, 1, ROWS)
SERVED = Served("17")
BEST = Best("12")


def rules(
    candidate,
    *,
    labels=LABELS,
    baseline=None,
    served=None,
    in_service=None,
    best=None,
    ever=None,
    model_bytes=100,
    mean=None,
    linear=None,
    weights=None,
    groups=None,
    **settings,
):
    """Judges errors (rows,) of a candidate against those of baseline, served model, best model and references."""
    labels = np.asarray(labels, float)
    errors = {"cross_layer": candidate, "dense": 0.5 * np.ones(len(labels)) if baseline is None else baseline}
    if served is not None:
        errors[SERVED.name] = served
        in_service = SERVED
    if best is not None:
        errors[BEST.name] = best
        ever = BEST
    errors |= {name: value for name, value in ((MEAN_PREDICTOR, mean), (LINEAR, linear)) if value is not None}
    scores = make_scores(
        labels, {name: labels + values for name, values in errors.items()}, weights=weights, groups=groups
    )
    params = EvaluatorParams(**({"min_eval_rows": 1} | OFF | settings))
    models = {"baseline": "dense", "served": in_service, "best": ever}
    results = judge("cross_layer", scores, params, **models, model_bytes=model_bytes)
    return {result.rule: result for result in results}


def flat(size, rows=ROWS):
    """Errors that all have one size: the RMSE is exact and the interval has no width."""
    return size * SIGN[:rows] if rows <= ROWS else size * np.ones(rows)


TINY = 2.0**-23

# state, candidate's errors and what differs from a plain call, {rule: passed}, the deciding sentence
TABLE = {
    "no rule is set": (
        flat(0.1), {}, {"finite_predictions": True, "rules_set": False},
        "No rule about its error is set, so nothing says that `cross_layer` is good. Set `evaluator.max_rmse`",
    ),
    "only the size is limited": (
        flat(0.1), {"max_model_bytes": 100}, {"finite_predictions": True, "rules_set": False, "max_model_bytes": True},
        "No rule about its error is set",
    ),
    "every rule was skipped": (
        flat(0.1), {"non_inferiority_margin": 0.05},
        {"finite_predictions": True, "non_inferiority": None, "rules_set": False},
        "Every rule about its error was skipped, so nothing says that `cross_layer` is good.",
    ),
    "no model is in service": (
        flat(0.1), {"non_inferiority_margin": 0.05, "max_rmse": 1.0},
        {"finite_predictions": True, "max_rmse": True, "non_inferiority": None},
        "No other model is in service, so non_inferiority was not asked.",
    ),
    "served model does not load": (
        flat(0.1), {"non_inferiority_margin": 0.05, "in_service": Served("17", "does not load (gone)")},
        {"finite_predictions": True, "non_inferiority": False},
        "`cross_layer` cannot be compared with version 17 in service, which does not load (gone). Push with `--force`, "
        "or set `evaluator.non_inferiority_margin` to none.",
    ),
    "served model has another signature": (
        flat(0.1), {"non_inferiority_margin": 0.05, "in_service": Served("17", "asks for `x9`, which these rows lack")},
        {"finite_predictions": True, "non_inferiority": False},
        "cannot be compared with version 17 in service, which asks for `x9`, which these rows lack. Push with",
    ),
    "served model predicts NaN": (
        flat(0.1), {"non_inferiority_margin": 0.05, "served": np.where(np.arange(ROWS) == 3, np.nan, 0.1)},
        {"finite_predictions": True, "non_inferiority": False},
        "cannot be compared with version 17 in service, which has no finite eval rmse. Push with `--force`",
    ),
    "no model was ever blessed": (
        flat(0.1), {"non_inferiority_margin": 0.05, "total_margin": 0.1, "max_rmse": 1.0},
        {"finite_predictions": True, "max_rmse": True, "non_inferiority": None},
        "No other model is in service",
    ),
    "the best has lost less than the total margin": (
        flat(0.108), {"non_inferiority_margin": 0.05, "total_margin": 0.1, "served": flat(0.106), "best": flat(0.1)},
        {"finite_predictions": True, "non_inferiority": True, "total_margin": True},
        "`cross_layer` has eval rmse 0.108 on 1,000 rows, 1.89 % above version 17 in service and 8 % above the best, "
        "version 12; with 95 % confidence that is at most 1.08 times the 0.1 of the best, not above 1 + "
        "total_margin 1.1.",
    ),
    "each loses little and all of them too much": (
        flat(0.108), {"non_inferiority_margin": 0.05, "total_margin": 0.05, "served": flat(0.106), "best": flat(0.1)},
        {"finite_predictions": True, "non_inferiority": True, "total_margin": False},
        "1.89 % above version 17 in service and 8 % above the best, version 12; with 95 % confidence that is at most "
        "1.08 times the 0.1 of the best, above 1 + total_margin 1.05.",
    ),
    "bound equals total_margin": (
        flat(0.625), {"total_margin": 0.25, "best": flat(0.5)},
        {"finite_predictions": True, "total_margin": True}, "not above 1 + total_margin 1.25.",
    ),
    "the best is in service": (
        flat(0.1), {"non_inferiority_margin": 0.05, "total_margin": 0.1, "served": flat(0.1),
         "ever": Best("17", name=SERVED.name)},
        {"finite_predictions": True, "non_inferiority": True}, "of version 17 in service",
    ),
    "the best is in service, and the total margin is smaller": (
        flat(0.104), {"non_inferiority_margin": 0.05, "total_margin": 0.02, "served": flat(0.1),
         "ever": Best("17", name=SERVED.name)},
        {"finite_predictions": True, "non_inferiority": True, "total_margin": False},
        "`cross_layer` has eval rmse 0.104 on 1,000 rows, 4 % above the best, version 17; with 95 % confidence",
    ),
    "the best has another signature": (
        flat(0.1), {"total_margin": 0.1, "max_rmse": 1.0, "ever": Best("ab12", "asks for `x9`, which these rows lack")},
        {"finite_predictions": True, "max_rmse": True, "total_margin": None},
        "The best, Model ab12, asks for `x9`, which these rows lack, so `cross_layer` was not asked for total_margin.",
    ),
    "the best predicts NaN": (
        flat(0.1), {"total_margin": 0.1, "best": np.where(np.arange(ROWS) == 3, np.nan, 0.1)},
        {"finite_predictions": True, "total_margin": False},
        "`cross_layer` cannot be compared with the best, version 12, which has no finite eval rmse. Push with "
        "`--force`, name another version in `evaluator.anchor`, or set `evaluator.total_margin` to none.",
    ),
    "the named version has another signature": (
        flat(0.1), {"total_margin": 0.1, "ever": Best("9", "asks for `x9`, which these rows lack", is_named=True)},
        {"finite_predictions": True, "total_margin": False},
        "`cross_layer` cannot be compared with version 9, which evaluator.anchor names: it asks for `x9`, which these "
        "rows lack. Push with `--force`, name another version in `evaluator.anchor`",
    ),
    "candidate predicts NaN": (
        np.where(np.arange(ROWS) < 14, np.nan, 0.1),
        {"max_rmse": 1.0, "max_rmse_ratio": 1.0, "min_improvement": 0.0, "non_inferiority_margin": 0.05,
         "served": flat(0.1)},
        {"finite_predictions": False, "max_rmse": False, "max_rmse_ratio": False, "min_improvement": False,
         "non_inferiority": False},
        "`cross_layer` predicts NaN or infinity in 14 of 1,000 eval rows.",
    ),
    "candidate predicts infinity": (
        np.where(np.arange(ROWS) < 1, np.inf, 0.1), {"max_rmse": 1.0},
        {"finite_predictions": False, "max_rmse": False},
        "`cross_layer` has no finite eval rmse on 1,000 rows, which max_rmse asks for.",
    ),
    "metric missing: no rows": (
        np.zeros(0), {"labels": [], "max_rmse": 1.0, "min_improvement": 0.0},
        {"finite_predictions": True, "max_rmse": False, "min_improvement": False, "min_eval_rows": False},
        "`cross_layer` has no finite eval rmse on 0 rows, which max_rmse asks for.",
    ),
    "metric missing: a label is NaN": (
        flat(0.1), {"labels": np.where(np.arange(ROWS) == 5, np.nan, LABELS), "max_rmse": 1.0},
        {"finite_predictions": False, "max_rmse": False},
        "`cross_layer` has no finite eval rmse on 1,000 rows, which max_rmse asks for.",
    ),
    "metric missing: the baseline predicts NaN": (
        flat(0.1), {"min_improvement": 0.0, "baseline": np.full(ROWS, np.nan)},
        {"finite_predictions": True, "min_improvement": False},
        "Baseline `dense` has no finite eval rmse, so `cross_layer` cannot be shown to be better than it.",
    ),
    "rmse equals max_rmse": (
        flat(0.5), {"max_rmse": 0.5}, {"finite_predictions": True, "max_rmse": True},
        "`cross_layer` has eval rmse 0.5 on 1,000 rows, not above max_rmse 0.5 (95 % interval 0.5 to 0.5).",
    ),
    "rmse is a hair above max_rmse": (
        flat(0.5), {"max_rmse": 0.4999999}, {"finite_predictions": True, "max_rmse": False},
        "`cross_layer` has eval rmse 0.5 on 1,000 rows, above max_rmse 0.4999999 (95 % interval",
    ),
    "ratio equals max_rmse_ratio": (
        flat(0.5), {"max_rmse_ratio": 0.5}, {"finite_predictions": True, "max_rmse_ratio": True},
        "0.5 of the label's standard deviation 1, not above max_rmse_ratio 0.5",
    ),
    "ratio above max_rmse_ratio": (
        flat(0.5), {"max_rmse_ratio": 0.4}, {"finite_predictions": True, "max_rmse_ratio": False},
        "0.5 of the label's standard deviation 1, above max_rmse_ratio 0.4 (95 % interval 0.5 to 0.5).",
    ),
    "rmse equals the baseline's": (
        flat(0.5), {"min_improvement": 0.0}, {"finite_predictions": True, "min_improvement": False},
        "level with the 0.5 of baseline `dense`, where it has to be better",
    ),
    "improvement that is not sure enough": (
        NOISE, {"min_improvement": 0.0, "min_improvement_confidence": 0.95, "baseline": 1.001 * np.roll(NOISE, 1)},
        {"finite_predictions": True, "min_improvement": False},
        "of baseline `dense`, where it has to be better, with 95 % confidence (95 % interval of the improvement",
    ),
    "improvement that is sure": (
        NOISE, {"min_improvement": 0.1, "min_improvement_confidence": 0.95, "baseline": 1.5 * NOISE},
        {"finite_predictions": True, "min_improvement": True}, "33.3 % below the",
    ),
    "improvement by a share that is not sure enough": (
        NOISE, {"min_improvement": 0.1, "min_improvement_confidence": 0.95, "baseline": 1.12 * np.roll(NOISE, 1)},
        {"finite_predictions": True, "min_improvement": False},
        "where at least 10 % below is asked for with 95 % confidence",
    ),
    "rmse above the baseline's": (
        flat(0.75), {"min_improvement": 0.0}, {"finite_predictions": True, "min_improvement": False},
        "`cross_layer` has eval rmse 0.75 on 1,000 rows, 50 % above the 0.5 of baseline `dense`, where it has to be "
        "better (95 % interval of the improvement -50 % to -50 %).",
    ),
    "rmse above the baseline's by a share that is allowed": (
        flat(0.5625), {"min_improvement": -0.125}, {"finite_predictions": True, "min_improvement": True},
        "12.5 % above the 0.5 of baseline `dense`, where at most 12.5 % above is allowed (95 % interval",
    ),
    "rmse above the baseline's by more than is allowed": (
        flat(0.5625), {"min_improvement": -0.1}, {"finite_predictions": True, "min_improvement": False},
        "12.5 % above the 0.5 of baseline `dense`, where at most 10 % above is allowed (95 % interval",
    ),
    "rmse equals the baseline's, and may be above it": (
        flat(0.5), {"min_improvement": -0.1}, {"finite_predictions": True, "min_improvement": True},
        "level with the 0.5 of baseline `dense` (95 % interval",
    ),
    "rmse below the baseline's, and may be above it": (
        flat(0.25), {"min_improvement": -0.1}, {"finite_predictions": True, "min_improvement": True},
        "50 % below the 0.5 of baseline `dense` (95 % interval",
    ),
    "rmse may be above the baseline's, which has collapsed": (
        flat(0.9375), {"min_improvement": -0.25, "baseline": flat(1.0), "mean": flat(1.0), "linear": flat(0.875)},
        {"finite_predictions": True, "min_improvement": False},
        "7.14 % above the 0.875 of the linear model, as baseline `dense` has collapsed, where it has to be better",
    ),
    "not sure to be above the baseline's by no more than is allowed": (
        NOISE, {"min_improvement": -0.01, "min_improvement_confidence": 0.95, "baseline": np.roll(NOISE, 1)},
        {"finite_predictions": True, "min_improvement": False},
        "where at most 1 % above is allowed with 95 % confidence",
    ),
    "sure to be above the baseline's by no more than is allowed": (
        NOISE, {"min_improvement": -0.2, "min_improvement_confidence": 0.95, "baseline": np.roll(NOISE, 1)},
        {"finite_predictions": True, "min_improvement": True}, "baseline `dense`",
    ),
    "not shown to be above the baseline's by more than is allowed": (
        NOISE, {"min_improvement": -0.01, "min_improvement_confidence": 0.05, "baseline": 0.98 * np.roll(NOISE, 1)},
        {"finite_predictions": True, "min_improvement": True},
        "of baseline `dense`; these rows do not show with 95 % confidence that it is more than 1 % above (",
    ),
    "shown to be above the baseline's by more than is allowed": (
        NOISE, {"min_improvement": -0.01, "min_improvement_confidence": 0.05, "baseline": 0.8 * np.roll(NOISE, 1)},
        {"finite_predictions": True, "min_improvement": False},
        "where at most 1 % above is allowed, and these rows show with 95 % confidence that it is more than 1 % above (",
    ),
    "not shown to be not better than the baseline": (
        NOISE, {"min_improvement": 0.0, "min_improvement_confidence": 0.05, "baseline": 0.98 * np.roll(NOISE, 1)},
        {"finite_predictions": True, "min_improvement": True},
        "; these rows do not show with 95 % confidence that it is not better (95 % interval",
    ),
    "not shown to be less below the baseline's than is asked for": (
        NOISE, {"min_improvement": 0.1, "min_improvement_confidence": 0.05, "baseline": 1.08 * np.roll(NOISE, 1)},
        {"finite_predictions": True, "min_improvement": True},
        "; these rows do not show with 95 % confidence that it is less than 10 % below (95 % interval",
    ),
    "shown to be not better than the baseline": (
        NOISE, {"min_improvement": 0.0, "min_improvement_confidence": 0.05, "baseline": 0.8 * np.roll(NOISE, 1)},
        {"finite_predictions": True, "min_improvement": False},
        "where it has to be better, and these rows show with 95 % confidence that it is not better (95 % interval",
    ),
    "level with the baseline, in every resample": (
        flat(0.5), {"min_improvement": 0.0, "min_improvement_confidence": 0.05},
        {"finite_predictions": True, "min_improvement": False}, "level with the 0.5 of baseline `dense`",
    ),
    "by value, where the baseline has collapsed": (
        NOISE, {"min_improvement": -0.02, "min_improvement_confidence": 0.05, "baseline": 2 * NOISE, "mean": 2 * NOISE,
                "linear": 0.99 * np.roll(NOISE, 1)},
        {"finite_predictions": True, "min_improvement": False},
        "as baseline `dense` has collapsed, where it has to be better (",
    ),
    "improvement equals min_improvement": (
        flat(0.25), {"min_improvement": 0.5}, {"finite_predictions": True, "min_improvement": True},
        "50 % below the 0.5 of baseline `dense` (95 % interval",
    ),
    "improvement below min_improvement": (
        flat(0.375), {"min_improvement": 0.5}, {"finite_predictions": True, "min_improvement": False},
        "25 % below the 0.5 of baseline `dense`, where at least 50 % below is asked for",
    ),
    "bound equals one plus the margin": (
        flat(0.75), {"non_inferiority_margin": 0.5, "served": flat(0.5)},
        {"finite_predictions": True, "non_inferiority": True},
        "with 95 % confidence that is at most 1.5 times the 0.5 of version 17 in service, not above",
    ),
    "worse than the served model by more than the margin": (
        flat(0.75), {"non_inferiority_margin": 0.25, "served": flat(0.5)},
        {"finite_predictions": True, "non_inferiority": False},
        "at most 1.5 times the 0.5 of version 17 in service, above 1 + non_inferiority_margin 1.25.",
    ),
    "better on the rows, but not sure enough": (
        np.roll(NOISE, 1), {"non_inferiority_margin": 0.001, "served": 1.0005 * NOISE},
        {"finite_predictions": True, "non_inferiority": False},
        "above 1 + non_inferiority_margin 1.001. These rows could have shown that it loses less than ",
    ),
    "both at the float32 floor, against the served model": (
        flat(3 * TINY), {"non_inferiority_margin": 0.05, "served": flat(2 * TINY)},
        {"finite_predictions": True, "non_inferiority": True},
        "level with the 2.38e-7 of version 17 in service: both are below the rounding of float32, 6.74e-7.",
    ),
    "both at the float32 floor, against the baseline": (
        flat(1 * TINY), {"min_improvement": 0.0, "baseline": flat(2 * TINY)},
        {"finite_predictions": True, "min_improvement": False}, "level with the 2.38e-7 of baseline `dense`",
    ),
    "the worse one exactly at the float32 floor, against the baseline": (
        flat(2 * TINY), {"labels": LABELS - 1, "min_improvement": 0.0, "baseline": flat(4 * TINY)},
        {"finite_predictions": True, "min_improvement": False}, "level with the 4.77e-7 of baseline `dense`",
    ),
    "baseline without an error": (
        flat(0.1, 20), {"labels": LABELS[:20], "min_improvement": 0.0, "baseline": flat(0.0, 20)},
        {"finite_predictions": True, "min_improvement": False},
        "above the 0 of baseline `dense`, where it has to be better (no interval).",
    ),
    "below the mean predictor": (
        flat(0.25), {"max_mean_ratio": 1.0, "mean": flat(1.0)}, {"finite_predictions": True, "max_mean_ratio": True},
        "`cross_layer` has eval rmse 0.25 on 1,000 rows, 75 % below the 1 of always predicting the mean (95 %",
    ),
    "rmse equals the mean predictor's": (
        flat(1.0), {"max_mean_ratio": 1.0, "mean": flat(1.0)}, {"finite_predictions": True, "max_mean_ratio": False},
        "level with always predicting the mean, which has 1 (95 % interval of the improvement 0 % to 0 %).",
    ),
    "worse than the mean predictor": (
        flat(1.5), {"max_mean_ratio": 1.0, "mean": flat(1.0)}, {"finite_predictions": True, "max_mean_ratio": False},
        "`cross_layer` has eval rmse 1.5 on 1,000 rows, worse than always predicting the mean, which has 1 (95 %",
    ),
    "below the mean predictor, not by enough": (
        flat(0.75), {"max_mean_ratio": 0.5, "mean": flat(1.0)}, {"finite_predictions": True, "max_mean_ratio": False},
        "25 % below the 1 of always predicting the mean, not below max_mean_ratio 0.5 (95 %",
    ),
    "rmse equals the limit beside the linear model": (
        flat(0.75), {"max_linear_ratio": 1.5, "linear": flat(0.5)},
        {"finite_predictions": True, "max_linear_ratio": True}, "50 % above the 0.5 of a linear model (95 % interval",
    ),
    "above the linear model by more than allowed": (
        flat(0.75), {"max_linear_ratio": 1.02, "linear": flat(0.5)},
        {"finite_predictions": True, "max_linear_ratio": False},
        "50 % above the 0.5 of a linear model, where max_linear_ratio 1.02 is the most (95 % interval of the "
        "improvement -50 % to -50 %).",
    ),
    "not shown to be above the linear model by more than allowed": (
        NOISE, {"max_linear_ratio": 1.02, "min_improvement_confidence": 0.05, "linear": 0.96 * np.roll(NOISE, 1)},
        {"finite_predictions": True, "max_linear_ratio": True},
        "of a linear model; these rows do not show with 95 % confidence that it is above max_linear_ratio 1.02 (95 %",
    ),
    "above the linear model by value, where the candidate has no doubt": (
        NOISE, {"max_linear_ratio": 1.02, "min_improvement_confidence": 0.5, "linear": 0.96 * np.roll(NOISE, 1)},
        {"finite_predictions": True, "max_linear_ratio": False},
        "of a linear model, where max_linear_ratio 1.02 is the most (95 %",
    ),
    "shown to be above the linear model by more than allowed": (
        NOISE, {"max_linear_ratio": 1.02, "min_improvement_confidence": 0.05, "linear": 0.8 * np.roll(NOISE, 1)},
        {"finite_predictions": True, "max_linear_ratio": False},
        "where max_linear_ratio 1.02 is the most, and these rows show with 95 % confidence that it is above (95 %",
    ),
    "above the linear model, where both explain the label": (
        flat(2**-7), {"max_linear_ratio": 1.02, "linear": flat(2**-20)},
        {"finite_predictions": True, "max_linear_ratio": True},
        "not above 1 % of the label's standard deviation, beside the 9.54e-7 of a linear model",
    ),
    "candidate predicts NaN, beside the references": (
        np.where(np.arange(ROWS) < 14, np.nan, 0.1),
        {"max_mean_ratio": 1.0, "max_linear_ratio": 1.02, "mean": flat(1.0), "linear": flat(0.5)},
        {"finite_predictions": False, "max_mean_ratio": False, "max_linear_ratio": False},
        "`cross_layer` has no finite eval rmse on 1,000 rows, which max_linear_ratio asks for.",
    ),
    "linear model predicts NaN": (
        flat(0.1), {"max_linear_ratio": 1.02, "linear": np.full(ROWS, np.nan)},
        {"finite_predictions": True, "max_linear_ratio": False},
        "cannot be compared with a linear model, which has no finite eval rmse.",
    ),
    "baseline has collapsed, the linear model is better than the mean": (
        flat(0.5), {"min_improvement": 0.0, "max_mean_ratio": 1.0, "max_linear_ratio": 1.02, "baseline": flat(1.0),
                    "mean": flat(1.0), "linear": flat(0.25)},
        {"finite_predictions": True, "min_improvement": False, "max_mean_ratio": True},
        "100 % above the 0.25 of the linear model, as baseline `dense` has collapsed, where it has to be better (95 %",
    ),
    "baseline has collapsed, the linear model is worse than the mean": (
        flat(0.5), {"min_improvement": 0.0, "max_mean_ratio": 1.0, "max_linear_ratio": 1.02, "baseline": flat(1.5),
                    "mean": flat(1.0), "linear": flat(2.0)},
        {"finite_predictions": True, "min_improvement": True, "max_linear_ratio": True},
        "50 % below the 1 of always predicting the mean, as baseline `dense` has collapsed (95 % interval",
    ),
    "baseline is just alive": (
        flat(0.5), {"min_improvement": 0.0, "baseline": flat(0.9375), "mean": flat(1.0), "linear": flat(0.25)},
        {"finite_predictions": True, "min_improvement": True}, "46.7 % below the 0.938 of baseline `dense` (95 %",
    ),
    "label has one value": (
        flat(0.1), {"labels": np.ones(ROWS), "max_rmse": 1.0, "max_rmse_ratio": 1.0, "min_improvement": 0.0},
        {"finite_predictions": True, "max_rmse": True, "max_rmse_ratio": False, "min_improvement": True},
        "The label has one value in all 1,000 eval rows, so `cross_layer` has no rmse_ratio, which max_rmse_ratio",
    ),
    "fewer rows than asked for": (
        flat(0.1, 30), {"labels": LABELS[:30], "max_rmse": 1.0, "min_eval_rows": 31},
        {"finite_predictions": True, "max_rmse": True, "min_eval_rows": False},
        "eval has 30 rows, fewer than min_eval_rows 31. Raise `example_gen.eval_fraction`, or push with `--force`.",
    ),
    "as many rows as asked for": (
        flat(0.1, 30), {"labels": LABELS[:30], "max_rmse": 1.0, "min_eval_rows": 30},
        {"finite_predictions": True, "max_rmse": True}, "not above max_rmse 1",
    ),
    "one row": (
        flat(0.1, 1), {"labels": [1.0], "max_rmse": 1.0, "max_rmse_ratio": 1.0, "min_improvement": 0.0,
                       "non_inferiority_margin": 0.05, "served": flat(0.1, 1)},
        {"finite_predictions": True, "max_rmse": True, "max_rmse_ratio": False, "min_improvement": True,
         "non_inferiority": False},
        "whether that is within 5 % of the 0.1 of version 17 in service cannot be told from fewer than 20 rows.",
    ),
    "nineteen groups": (
        flat(0.5), {"max_rmse": 1.0, "non_inferiority_margin": 0.05, "served": flat(0.5),
                    "groups": np.arange(ROWS) % 19},
        {"finite_predictions": True, "max_rmse": True, "non_inferiority": False, "group": False},
        "told from fewer than 20 groups. Give the eval split more groups, or set `evaluator.allow_few_groups`.",
    ),
    "nineteen groups, and rules that look at the value alone": (
        flat(0.5), {"max_rmse": 1.0, "groups": np.arange(ROWS) % 19},
        {"finite_predictions": True, "max_rmse": True, "group": False},
        "`cross_layer` was seen on 1,000 rows in 19 groups of `user`, fewer than 20 groups: too few to know how much "
        "they differ. Give eval more groups, or set `evaluator.allow_few_groups`.",
    ),
    "nineteen groups, which are allowed": (
        flat(0.5), {"non_inferiority_margin": 0.05, "served": flat(0.5), "groups": np.arange(ROWS) % 19,
                    "allow_few_groups": True},
        {"finite_predictions": True, "non_inferiority": True},
        "`cross_layer` has eval rmse 0.5 on 1,000 rows in 19 groups of `user`, not above 1.05 times the 0.5 of version "
        "17 in service: by value, as allow_few_groups lets it, for fewer than 20 groups give no interval.",
    ),
    "nineteen groups, which are allowed, and worse": (
        flat(0.75), {"non_inferiority_margin": 0.05, "served": flat(0.5), "groups": np.arange(ROWS) % 19,
                     "allow_few_groups": True},
        {"finite_predictions": True, "non_inferiority": False}, "in 19 groups of `user`, above 1.05 times the 0.5 of",
    ),
    "nineteen rows, which no setting allows": (
        flat(0.5, 19), {"labels": LABELS[:19], "non_inferiority_margin": 0.05, "served": flat(0.5, 19),
                        "allow_few_groups": True},
        {"finite_predictions": True, "non_inferiority": False}, "cannot be told from fewer than 20 rows. Give the eval",
    ),
    "twenty groups": (
        flat(0.5), {"non_inferiority_margin": 0.05, "served": flat(0.5), "groups": np.arange(ROWS) % 20},
        {"finite_predictions": True, "non_inferiority": True}, "on 1,000 rows in 20 groups of `user`; with 95 %",
    ),
    "one group": (
        flat(0.5), {"max_rmse": 1.0, "groups": np.zeros(ROWS)},
        {"finite_predictions": True, "max_rmse": True, "group": False},
        "All 1,000 eval rows are one group of `user`, which says nothing about others. Give eval more groups.",
    ),
    "better on the rows, but groups differ too much to be sure": (
        np.repeat(np.linspace(0, 2, 40), 25) * SIGN,
        {"non_inferiority_margin": 0.05, "served": np.repeat(np.linspace(2, 0.1, 40), 25) * SIGN,
         "groups": np.repeat(np.arange(40), 25)},
        {"finite_predictions": True, "non_inferiority": False}, "on 1,000 rows in 40 groups of `user`; with 95 %",
    ),
    "rows have weights": (
        np.where(np.arange(ROWS) < 500, 0.25, 5.0), {"max_rmse": 0.5, "weights": (np.arange(ROWS) < 500) * 2.0},
        {"finite_predictions": True, "max_rmse": True},
        "`cross_layer` has eval rmse 0.25 on 1,000 rows, which weigh as 500, not above max_rmse 0.5 (95 %",
    ),
    "no row weighs anything": (
        flat(0.1), {"max_rmse": 0.5, "weights": np.zeros(ROWS)}, {"finite_predictions": True, "max_rmse": False},
        "has no finite eval rmse on 1,000 rows, which weigh as 0, which max_rmse asks for.",
    ),
    "nineteen rows": (
        flat(0.1, 19), {"labels": LABELS[:19], "max_rmse": 1.0}, {"finite_predictions": True, "max_rmse": True},
        "not above max_rmse 1 (no interval: fewer than 20 rows).",
    ),
    "size equals max_model_bytes": (
        flat(0.1), {"max_rmse": 1.0, "max_model_bytes": 100},
        {"finite_predictions": True, "max_rmse": True, "max_model_bytes": True},
        "`cross_layer` exports 100 bytes, not above max_model_bytes 100.",
    ),
    "size above max_model_bytes": (
        flat(0.1), {"max_rmse": 1.0, "max_model_bytes": 99},
        {"finite_predictions": True, "max_rmse": True, "max_model_bytes": False},
        "`cross_layer` exports 100 bytes, above max_model_bytes 99.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("state", TABLE)
def test_gate_decides(state):
    candidate, call, expected, sentence = TABLE[state]
    results = rules(candidate, **call)
    assert {rule: result.passed for rule, result in results.items()} == expected
    assert any(sentence in result.message for result in results.values()), [r.message for r in results.values()]
    assert all(result.message.endswith(".") for result in results.values())


def test_rule_says_the_sentence_of_the_design():
    errors = np.random.default_rng(1).normal(0, 0.131, 10_000)
    message = rules(errors, labels=np.zeros(10_000), max_rmse=0.01)["max_rmse"].message
    assert message.startswith("`cross_layer` has eval rmse 0.13")
    assert " on 10,000 rows, above max_rmse 0.01 (95 % interval 0.1" in message


def test_rule_records_all_that_decided():
    result = rules(flat(0.75), non_inferiority_margin=0.25, served=flat(0.5))["non_inferiority"]
    facts = result.to_json()
    message = facts.pop("message")
    assert "version 17" in message
    low, high = facts.pop("interval")
    assert (low, high) == (pytest.approx(1.5), pytest.approx(1.5))
    assert facts == {
        "rule": "non_inferiority", "metric": "rmse", "slice": None, "rows": 1000, "candidate": 0.75, "reference": 0.5,
        "difference": 0.25, "threshold": 1.25, "margin": 0.25, "passed": False, "skipped": False,
    }  # fmt: skip


def test_skipped_rule_is_neither_passed_nor_failed():
    facts = rules(flat(0.1), max_rmse=1.0, non_inferiority_margin=0.05)["non_inferiority"].to_json()
    assert (facts["passed"], facts["skipped"]) == (None, True)


def test_interval_of_max_rmse_widens_with_confidence():
    ninety = rules(NOISE, max_rmse=1.0, confidence=0.9)["max_rmse"].interval
    wide = rules(NOISE, max_rmse=1.0, confidence=0.99)["max_rmse"].interval
    assert wide[0] < ninety[0] < ninety[1] < wide[1]
