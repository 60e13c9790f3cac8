import dataclasses
import re

import pytest

from crossnet.pipeline.report.card import make_card
from crossnet.pipeline.report.run import load_run
from support.report_fixtures import CLOSED, FAILED, HOSTILE_HEADER, PARTIAL, PUSHED, make_bare_run, make_runs


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_runs(tmp_path_factory)


@pytest.fixture(scope="module")
def card(store):
    return make_card(load_run(store, PUSHED))


def lines(card, title):
    return next(part for part in card.parts if part.title == title).lines


def table(card, title):
    return next(part for part in card.parts if part.title == title).table


def test_a_card_says_what_for_of_what_how_well_and_how(store, card):
    assert [part.title for part in card.parts] == [
        *("What it is for", "Data", "Metrics", "Verdict of the gate", "Limits", "How it was made"),
    ]
    assert re.fullmatch(r"crossnet, version \d+", card.title)
    assert lines(card, "What it is for")[0] == "It predicts `y` from 4 columns."


def test_metrics_of_the_model_stand_beside_those_of_its_references_with_intervals(store, card):
    found = table(card, "Metrics")
    metrics = load_run(store, PUSHED).evaluation.metrics
    assert [row[0] for row in found.rows] == ["`cross_layer`", "dense", "linear", "mean_predictor"]
    low, high = metrics["cross_layer"]["eval_rmse_interval"]
    assert low < metrics["cross_layer"]["eval_rmse"] < high
    assert found.heads[2] == "95 % interval"
    shown = [float(text) for text in found.rows[0][2].split(" to ")]
    assert shown == [pytest.approx(low, rel=1e-3), pytest.approx(high, rel=1e-3)]


def test_the_gate_is_told_rule_by_rule(store, card):
    assert lines(card, "Verdict of the gate")[0] == "`cross_layer` was blessed."
    assert "Judged on 1 slice; 2 had too few rows to be judged." in lines(card, "Verdict of the gate")
    closed = make_card(load_run(store, CLOSED))
    assert closed.title == "cross_layer of run closed, which was not pushed"
    said = lines(closed, "Verdict of the gate")
    assert said[0] == "`cross_layer` was not blessed."
    assert any(line.startswith("FAILED: ") and "above max_rmse" in line for line in said)


def test_limits_are_facts_of_the_run(store, card):
    found = lines(card, "Limits")
    assert re.match(r"Its largest error on eval is -?[\d.]+: it predicts ", found[0])
    assert found[1].startswith("The labels of train lie between ")
    assert not any("later rows" in line for line in found)  # no column of times
    assert not any(line.startswith("Its predictions stay") for line in found)
    run = load_run(store, PUSHED)
    record = dataclasses.replace(run.record, judged=3)
    again = lines(make_card(dataclasses.replace(run, record=record)), "Limits")
    assert "The same eval rows have judged 3 different candidates." in again


@pytest.mark.parametrize(
    ("shares", "of_linear", "words"),
    [
        ([0.5, 0.5], None, ", made of 2 networks."),
        ([0.3, 0.3], 0.4, ", made of 2 networks and a linear model."),
        ([0.5, 0.0, 0.5, 0.0], None, ", made of 4 networks, 2 of which are served."),
        ([0.3, 0.0, 0.3, 0.0], 0.4, ", made of 4 networks, 2 of which are served, and a linear model."),
    ],
)
def test_networks_that_are_not_served_are_told_apart(store, shares, of_linear, words):
    run = load_run(store, PUSHED)
    for model in run.models.values():
        model.properties.update(shares=shares, linear_share=of_linear)
    assert lines(make_card(run), "What it is for")[-1].endswith(words)


def test_the_range_of_predictions_is_told(store):
    run = load_run(store, PUSHED)
    for model in run.models.values():
        model.properties.update(preprocessing={"label_range": [-0.07, 4.0]})
    assert "Its predictions stay between -0.07 and 4." in lines(make_card(run), "Limits")


def test_columns_have_the_users_names(card):
    assert [row[0] for row in table(card, "Data").rows] == ["y", "x0", "x1", HOSTILE_HEADER, "zone"]


@pytest.mark.parametrize("run", [FAILED, PARTIAL])
def test_no_model_no_card(store, run):
    assert make_card(load_run(store, run)) is None


def test_a_run_whose_artifacts_are_gone_has_no_card(tmp_path):
    assert make_card(load_run(make_bare_run(tmp_path), "bare")) is None
