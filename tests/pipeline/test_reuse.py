"""How many Models the same eval rows have judged, in runs of toy steps, and what the best of them owes to luck."""

import dataclasses
import math

import numpy as np
import pytest

from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.infra_validation import InfraValidation
from crossnet.components.artifacts.model import Model
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.params.evaluator import EvaluatorParams
from crossnet.pipeline import plan as plan_module
from crossnet.pipeline.config import Config
from crossnet.pipeline.graph import Step
from crossnet.pipeline.report import pages
from crossnet.pipeline.reuse import highest, luck
from crossnet.pipeline.runner import run_pipeline
from crossnet.pipeline.store import Store


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs rows, two models and a gate that blesses the first of them; the seed makes other models."""

    def graph(seed, rows, config, serving_dir):
        def step(name, function, output, inputs=None, **settings):
            function = f"support.toy_steps:{function}"
            return Step(name=name, function=function, output=output, inputs=inputs or {}, settings=settings)

        models = ("trainer_a", "trainer_b")
        return (
            step("example_gen", "make_examples", Examples, rows=rows),
            *(step(name, "remember", Model, seed=seed) for name in models),
            step(
                "evaluator", "judge", Evaluation, {"examples": "example_gen", "models": models}, params=config.evaluator
            ),
            step("infra_validator", "try_in_server", InfraValidation, {"evaluation": "evaluator"}),
            step("pusher", "push", PushedModel, {"infra_validation": "infra_validator"}, serving_dir=serving_dir),
        )

    for page in ("write_report", "write_index"):  # the toy's artifacts have nothing to draw
        monkeypatch.setattr(pages, page, lambda *arguments: None)

    def call(seed, rows=10, *, force="", **settings):
        def build(config, *, serving_dir, force):
            return graph(seed, rows, config, serving_dir)

        monkeypatch.setattr(plan_module, "build_graph", build)
        config = dataclasses.replace(Config(), evaluator=EvaluatorParams(**settings))
        return run_pipeline(config, tmp_path / "root", force=force)

    return call


def test_each_new_model_on_the_same_rows_counts_once(run):
    first, second = run(1), run(2)
    assert (first.judged, first.warnings) == (1, ())
    assert second.judged == 2
    again = run(2)
    assert (again.up_to_date, again.judged) == (True, 2)
    # E of the higher of two normal numbers is 0.56 (Blom: 0.589), of a tenth over the root of two: 4.2 %.
    (sentence,) = second.warnings
    assert sentence == (
        "These eval rows have judged 2 different Models. The best of 2 equal ones would look 4.17 % better than it is."
    )
    assert again.warnings == second.warnings
    assert run(3, rows=11).judged == 1  # other rows
    assert run(3).judged == 3


def test_the_count_is_in_the_record_and_neither_in_the_verdict_nor_in_a_fingerprint(run):
    first = run(1)
    run(2)
    evaluator = first.artifacts["evaluator"]
    assert "judged" not in str(evaluator.verdict)
    assert run(1, max_reuse=5).steps["evaluator"].fingerprint == first.steps["evaluator"].fingerprint


def test_a_push_after_too_many_models_is_refused_unless_forced(run):
    assert run(1, max_reuse=1).exit_code == 0
    refused = run(2, max_reuse=1)
    assert (refused.exit_code, refused.steps["pusher"].status) == (3, "failed")
    assert refused.reasons == (
        "These eval rows have judged 2 different Models, more than `evaluator.max_reuse` 1: the one that passed may "
        "owe it to luck. Give eval new rows, raise `evaluator.max_reuse`, or push with `--force`.",
    )
    assert run(2, max_reuse=1, force="it was planned").exit_code == 0


def test_a_refused_push_is_recorded_once_however_often_it_is_asked_for(run, tmp_path):
    run(1, max_reuse=1)
    refused = run(2, max_reuse=1)
    again = run(2, max_reuse=1)
    assert (again.up_to_date, again.run, again.exit_code) == (True, refused.run, 3)
    assert (again.reasons, again.steps["pusher"].status) == (refused.reasons, "failed")
    assert len(Store(tmp_path / "root").run_names()) == 2
    allowed = run(2, max_reuse=2)  # the same plan, another limit: a run of its own
    assert (allowed.exit_code, allowed.up_to_date) == (0, False)
    assert len(Store(tmp_path / "root").run_names()) == 3


def test_luck_is_what_the_best_of_equal_models_gains_on_the_same_rows():
    random, rows, gains, spread = np.random.default_rng(0), 500, [], []
    for _ in range(200):
        shared = random.normal(0, 1, rows)
        rmse = np.sqrt(np.mean(np.square(shared + 0.5 * random.normal(0, 1, (12, rows))), axis=1))
        gains.append(1 - rmse.min() / rmse.mean())
        spread.append(rmse[0] / rmse[1])
    half = 1.96 * np.std(spread)
    rule = {"rule": "min_improvement", "slice": None, "interval": [-half, half], "candidate": 1.0, "reference": 1.0}
    found = luck(12, {"champion": "a", "candidates": {"a": {"rules": [rule]}}}, 0.95)
    assert found == pytest.approx(np.mean(gains), rel=0.15)


def test_nothing_is_said_of_luck_without_an_interval():
    rule = {"rule": "min_improvement", "slice": None, "interval": None, "candidate": 1.0, "reference": 1.0}
    assert luck(12, {"champion": "a", "candidates": {"a": {"rules": [rule]}}}, 0.95) is None
    assert luck(12, {}, 0.95) is None
    assert highest(1) == 0
    assert math.isclose(highest(12), 1.63, rel_tol=0.01)
