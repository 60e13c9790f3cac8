"""Rules on slices: a slice fails on evidence, and noise in many slices does not close the gate."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from crossnet.components.evaluation.rule_results import Served
from crossnet.components.evaluation.rules import judge
from crossnet.components.evaluation.slice_rules import judge_slices
from crossnet.components.params.evaluator import EvaluatorParams
from support.gate_fixtures import OFF, make_scores

SERVED = Served("17")


def judged(labels, candidate, reference, slices, **settings):
    predictions = {"cross_layer": labels + candidate, "dense": labels + reference, SERVED.name: labels + reference}
    scores = make_scores(labels, predictions, slices)
    params = EvaluatorParams(**(OFF | settings))
    whole = judge("cross_layer", scores, params, baseline="dense", served=SERVED, model_bytes=1)
    return whole, judge_slices("cross_layer", scores, params, baseline="dense", served=SERVED)


def planted(seed=0, rows=10_000, share=0.05):
    """A candidate 10 % better overall and twice as bad in one slice of `share` of the rows."""
    random = np.random.default_rng(seed)
    errors = random.normal(0, 1, rows)
    zone = np.arange(rows) < share * rows
    candidate = errors * np.where(zone, 2.0, 0.75) + 0.1 * random.normal(0, 1, rows)
    return random.normal(0, 2, rows), candidate, errors, {"zone=7": zone, "zone=other": ~zone}


def test_gate_blocks_a_regression_on_a_small_slice_that_improves_the_whole_and_names_the_slice():
    labels, candidate, errors, slices = planted()
    assert np.sqrt(np.mean(candidate**2)) < 0.95 * np.sqrt(np.mean(errors**2))
    whole, parts = judged(labels, candidate, errors, slices, non_inferiority_margin=0.05)
    assert all(result.passed for result in whole)
    (failed,) = [result for result in parts if result.passed is False]
    assert (failed.rule, failed.slice, failed.rows) == ("non_inferiority", "zone=7", 500)
    assert failed.message.startswith("On slice `zone=7` (500 rows) `cross_layer` has rmse ")
    assert "above 105 % of the" in failed.message
    assert "of version 17 in service (lower bound 1." in failed.message
    assert failed.message.endswith("95 % over 2 tests).")
    assert failed.interval[0] > failed.threshold == 1.05


def test_gate_stays_open_for_a_hundred_slices_of_noise():
    random = np.random.default_rng(1)
    alarms = 0
    for _ in range(15):
        shared, labels = random.normal(0, 1, 4_000), random.normal(0, 2, 4_000)
        zone = random.integers(0, 100, 4_000)
        candidate, reference = (shared + 0.5 * random.normal(0, 1, 4_000) for _ in range(2))
        masks = {f"zone={i}": zone == i for i in range(100)}
        scores = make_scores(labels, {"a": labels + candidate, "b": labels + reference}, masks, replicates=100)
        # A limit of 1 is the hardest: no margin between the truth and the limit.
        params = EvaluatorParams(**(OFF | {"min_improvement": 0.0, "min_slice_rows": 20}))
        alarms += any(r.passed is False for r in judge_slices("a", scores, params, baseline="b", served=None))
    assert alarms <= 3  # fewer than 1 expected at 5 %


@pytest.mark.parametrize(
    ("rule", "settings", "sentence"),
    [
        ("max_rmse", {"max_rmse": 1.5}, "above max_rmse 1.5 (lower bound 1."),
        ("max_rmse_ratio", {"max_rmse_ratio": 0.75}, "above max_rmse_ratio 0.75 of the label's standard deviation 2"),
        ("min_improvement", {"min_improvement": 0.1}, "above 90 % of the"),
        ("non_inferiority", {"non_inferiority_margin": 0.2}, "above 120 % of the"),
    ],
)
def test_every_rule_is_asked_on_slices(rule, settings, sentence):
    _, parts = judged(*planted(), **settings)
    assert {(r.rule, r.slice): r.passed for r in parts} == {(rule, "zone=7"): False, (rule, "zone=other"): True}
    (failed,) = [result for result in parts if not result.passed]
    assert sentence in failed.message


def test_slice_that_is_worse_by_chance_passes_and_says_so():
    labels, _, errors, slices = planted()
    candidate = np.random.default_rng(9).permutation(errors)
    _, parts = judged(labels, candidate, errors, slices, min_improvement=0.0)
    assert [result.passed for result in parts] == [True, True]
    assert "not shown to be above 100 % of the" in parts[0].message


def test_small_slice_is_reported_and_not_judged():
    labels, candidate, errors, slices = planted()
    slices = {"zone=7": slices["zone=7"], "zone=8": np.arange(10_000) < 99}
    _, parts = judged(labels, candidate, errors, slices, max_rmse=1.0)
    small = next(result for result in parts if result.slice == "zone=8")
    assert small.skipped
    assert small.message == "Slice `zone=8` has 99 rows, fewer than 100: reported, not judged."
    assert parts[1].message.endswith("95 % over 1 test).")  # only what is judged counts


def test_slice_needs_twenty_rows_whatever_the_setting_says():
    labels, candidate, errors, _ = planted()
    _, parts = judged(labels, candidate, errors, {"z": np.arange(10_000) < 19}, max_rmse=1.0, min_slice_rows=1)
    assert parts[0].message == "Slice `z` has 19 rows, fewer than 20: reported, not judged."


def test_slice_of_exactly_the_smallest_size_is_judged():
    labels, candidate, errors, _ = planted()
    sizes = {"z=20": np.arange(10_000) < 20, "z=100": np.arange(10_000) < 100}
    _, parts = judged(labels, candidate, errors, sizes, max_rmse=1.0)
    assert {part.slice: part.skipped for part in parts} == {"z=20": True, "z=100": False}
    _, parts = judged(labels, candidate, errors, sizes, max_rmse=1.0, min_slice_rows=1)
    assert {part.slice: part.skipped for part in parts} == {"z=20": False, "z=100": False}


@pytest.mark.parametrize(
    ("settings", "bound"),
    [({"max_rmse": 0.75}, 0.75), ({"non_inferiority_margin": 0.5}, 1.5), ({"max_rmse": 0.75 - 1e-9}, 0.75)],
)
def test_slice_whose_bound_equals_the_limit_passes(settings, bound):
    labels, zone = np.tile([0.0, 2.0], 50), {"zone=7": np.full(100, True)}
    candidate, reference = np.tile([0.75, -0.75], 50), np.tile([0.5, -0.5], 50)  # of one size: bounds without width
    _, (part,) = judged(labels, candidate, reference, zone, **settings)
    assert part.interval == (bound, None)
    assert part.passed is (bound <= part.threshold)


def test_ratio_to_the_labels_spread_is_not_asked_on_slices_where_the_label_has_one_value():
    _, parts = judged(np.ones(100), np.full(100, 0.5), np.ones(100), {"z": np.full(100, True)}, max_rmse_ratio=0.1)
    assert parts == []


def test_slice_exactly_at_the_float32_floor_has_no_error():
    labels, zone = np.tile([1.0, -1.0], 50), {"zone=7": np.full(100, True)}
    floor = 2.0**-21  # four units in the last place of a label of size 1
    _, (part,) = judged(labels, np.full(100, floor), np.full(100, floor), zone, min_improvement=0.1)
    assert (part.passed, part.interval) == (True, (0.0, None))


def test_reference_exactly_at_the_float32_floor_counts_as_the_floor():
    labels, zone = np.tile([1.0, -1.0], 50), {"zone=7": np.full(100, True)}
    floor = 2.0**-21
    reference = np.tile([0.0, 0.0, 0.0, 2 * floor], 25)  # rmse: the floor; its spread would widen the interval
    _, (part,) = judged(labels, np.full(100, 100 * floor), reference, zone, min_improvement=0.0)
    assert part.interval == (pytest.approx(100, rel=1e-9), None)


def test_slice_at_the_float32_floor_is_no_regression():
    labels, zone = np.tile([1.0, -1.0], 500), {"zone=7": np.arange(1000) < 500}
    tiny = 2.0**-23
    candidate, reference = np.full(1000, 3 * tiny), np.full(1000, tiny)
    _, parts = judged(labels, candidate, reference, zone, non_inferiority_margin=0.05)
    assert [result.passed for result in parts] == [True]
    _, parts = judged(labels, 100 * candidate, reference, zone, non_inferiority_margin=0.05)
    assert [result.passed for result in parts] == [False]


@pytest.mark.parametrize("who", ["candidate", "reference"])
def test_slice_with_nan_fails(who):
    labels, candidate, errors, slices = planted()
    (candidate if who == "candidate" else errors)[3] = np.nan
    _, parts = judged(labels, candidate, errors, slices, non_inferiority_margin=0.05)
    failed = next(result for result in parts if result.slice == "zone=7")
    assert failed.passed is False
    assert "no bound: NaN or infinity" in failed.message


def test_served_model_that_cannot_be_compared_is_not_asked_for_on_slices():
    labels, candidate, errors, slices = planted()
    scores = make_scores(labels, {"cross_layer": labels + candidate, "dense": labels + errors}, slices)
    params = EvaluatorParams(**(OFF | {"non_inferiority_margin": 0.05}))
    for served in (None, Served("17", "does not load")):
        assert judge_slices("cross_layer", scores, params, baseline="dense", served=served) == []


def test_slice_is_judged_by_its_groups_where_rows_belong_to_groups():
    """In "a", 30 groups of 10 rows; the candidate is much worse in two groups, which rows take for 20 errors."""
    labels, groups = np.zeros(600), np.repeat(np.arange(60), 10)
    candidate = np.where(groups < 2, 2.0, 1.0) + 0.01 * np.random.default_rng(0).normal(size=600)
    reference = 1 + 0.01 * np.random.default_rng(1).normal(size=600)
    errors = {"cross_layer": candidate, "dense": reference}
    slices = {"a": groups < 30, "b": groups >= 50}
    params = EvaluatorParams(**(OFF | {"min_improvement": 0.0, "min_slice_rows": 50}))

    def found(own):
        scores = make_scores(labels, errors, slices, groups=own)
        return {r.slice: r for r in judge_slices("cross_layer", scores, params, baseline="dense", served=None)}

    assert found(None)["a"].passed is False
    by_group = found(groups)
    assert by_group["a"].passed is True
    assert by_group["b"].message == "Slice `b` has 100 rows in 10 groups, fewer than 20: reported, not judged."


def test_slices_that_have_failed_no_longer_count_against_the_others():
    """Of ten slices nine are ten times worse; the tenth is worse by a little, which one test sees and ten do not."""
    random = np.random.default_rng(2)
    reference = random.normal(0, 1, 1000)
    place = np.repeat(np.arange(10), 100)
    candidate = reference * np.where(place < 9, 10.0, 1.0) + (place == 9) * 0.4 * random.normal(0, 1, 1000)
    slices = {f"s{i}": place == i for i in range(10)}
    scores = make_scores(np.zeros(1000), {"cross_layer": candidate, "dense": reference}, slices)

    def failed(confidence, names):
        params = EvaluatorParams(**(OFF | {"min_improvement": 0.0, "confidence": confidence}))
        chosen = dataclasses.replace(scores, slices={name: scores.slices[name] for name in names})
        found = judge_slices("cross_layer", chosen, params, baseline="dense", served=None)
        return {result.slice for result in found if result.passed is False}

    # The weakest confidence at which one test sees the tenth slice.
    sure = next(c for c in np.arange(0.999, 0.5, -0.001) if "s9" in failed(float(c), ["s9"]))
    assert failed(float(sure), slices) == set(slices)
    assert "s9" not in failed(1 - (1 - float(sure)) / 10, ["s9"])  # as by Bonferroni
