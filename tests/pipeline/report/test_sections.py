import pytest

from crossnet.pipeline.report import sections
from crossnet.pipeline.report.run import load_run
from support.report_fixtures import CLOSED, PARTIAL, PUSHED, make_runs


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_runs(tmp_path_factory)


def test_models_stand_in_order_of_preference_the_mean_predictor_last(store):
    rows = sections.comparison(load_run(store, PUSHED))["rows"]
    assert [(row["name"], row["role"]) for row in rows] == [
        ("cross_layer", "champion"),
        ("dense", "baseline"),
        ("mean_predictor", ""),
    ]


def test_subject_is_the_champion_or_the_first_candidate(store):
    assert sections.subject(load_run(store, PUSHED)) == "cross_layer"
    assert sections.subject(load_run(store, CLOSED)) == "cross_layer"
    assert sections.subject(load_run(store, PARTIAL)) is None


def test_gate_shows_failed_slices_first_and_counts_what_it_leaves_out(store, monkeypatch):
    monkeypatch.setattr(sections, "MAX_SLICES", 1)
    (candidate,) = sections.gate(load_run(store, CLOSED))["candidates"]
    slices = [rule for rule in candidate["rules"] if rule["slice"] is not None]
    assert len(slices) == 1
    assert candidate["more"] > 0
    assert candidate["rules"][0]["passed"] is False


def test_worst_rows_have_the_exact_error(store):
    worst = sections.predictions(load_run(store, PUSHED))["worst"]
    errors = [abs(row["error"]) for row in worst["rows"]]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] == pytest.approx(abs(worst["rows"][0]["prediction"] - worst["rows"][0]["label"]), rel=1e-5)


def test_learned_shows_the_polynomial_of_a_network_on_numbers():
    found = {
        "features": ["x0", "x1"],
        "strengths": [[0, 1], [1, 0]],
        "formula": "2.000 x0·x1",
        "interactions": [[0.0, 2.0], [2.0, 0.0]],
        "terms": [
            {"factors": ["x0", "x1"], "coefficient": 2.0, "truth": 2.0, "error": 0.0},
            {"factors": [], "coefficient": -3.0, "truth": -3.0, "error": 0.0},
        ],
        "max_error": 0.0,
    }
    shown = sections._explained("cross_layer", found, "fare")
    assert shown["formula"] == "fare = 2.000 x0·x1"
    assert [term["product"] for term in shown["terms"]] == ["1", "x0·x1"]
    assert "Interaction matrix of cross_layer, largest 2 at x0 and x1" in shown["picture"]
