import pytest

from crossnet.pipeline.report import sections
from crossnet.pipeline.report.run import load_run
from support.report_fixtures import ANOMALOUS, CLOSED, FAILED, PARTIAL, PUSHED, make_bare_run, make_runs


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_runs(tmp_path_factory)


def test_models_stand_in_order_of_preference_the_mean_predictor_last(store):
    rows = sections.comparison(load_run(store, PUSHED))["rows"]
    assert [(row["name"], row["role"]) for row in rows] == [
        ("cross_layer", "champion"),
        ("dense", "baseline"),
        ("linear", ""),
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


def test_comparison_has_the_articles_figures_beside_the_articles_table_only(store, tmp_path):
    found = sections.comparison(load_run(make_bare_run(tmp_path), "bare"))
    assert found["article"] == ["its table", "its printed run"]
    rows = {row["name"]: row["article"] for row in found["rows"]}
    assert rows["cross_layer"] == [
        (pytest.approx(7.416e-6, rel=1e-3), 5.5e-11),
        (pytest.approx(7.28e-6, rel=1e-3), 5.3e-11),
    ]
    assert rows["dense"][1] == (pytest.approx(0.6893, rel=1e-3), 0.4751)
    assert sections.comparison(load_run(store, PUSHED))["article"] == []


def test_comparison_names_the_best_finite_rmse(store):
    found = sections.comparison(load_run(store, PUSHED))
    assert found["best"] == min(row["eval_rmse"] for row in found["rows"])
    assert sections.comparison(load_run(store, PARTIAL)) == {
        "rows": [],
        "best": None,
        "confidence": 0.95,
        "article": [],
        "earlier": [],
        "notes": [],
        "intervals": [],
    }


def test_predictions_show_residuals_of_the_first_features(store, monkeypatch):
    whole = sections.predictions(load_run(store, PUSHED))
    assert [chart["name"] for chart in whole["charts"]] == ["cross_layer", "dense"]
    assert (whole["subject"], whole["limited"], len(whole["bands"])) == ("cross_layer", False, 4)
    monkeypatch.setattr(sections, "MAX_RESIDUAL_FEATURES", 2)
    limited = sections.predictions(load_run(store, PUSHED))
    assert (len(limited["bands"]), limited["features_limited"]) == (2, True)
    assert sections.predictions(load_run(store, PARTIAL)) == {"charts": [], "bands": [], "worst": None}


def test_data_shows_the_label_first_and_counts_what_it_leaves_out(store, monkeypatch):
    monkeypatch.setattr(sections, "MAX_COLUMNS", 3)
    monkeypatch.setattr(sections, "MAX_HISTOGRAMS", 2)
    found = sections.data(load_run(store, PARTIAL))
    assert found["columns"][0].name == found["label"] == "y"
    assert (len(found["columns"]), found["more"], len(found["histograms"]), found["more_histograms"]) == (3, 2, 2, 3)
    assert sum(found["counts"].values()) == 600
    assert sections.data(load_run(store, FAILED)) == {"columns": []}


def test_anomalies_tell_no_check_from_nothing_found(store, monkeypatch):
    found = sections.anomalies(load_run(store, ANOMALOUS))
    assert (found["checked"], found["items"][0]["rule"], found["items"][0]["severity"]) == (True, "nan", "error")
    monkeypatch.setattr(sections, "MAX_ANOMALIES", 0)
    assert sections.anomalies(load_run(store, ANOMALOUS))["more"] == len(found["items"])
    assert sections.anomalies(load_run(store, PARTIAL)) == {"checked": False, "items": [], "more": 0}


def test_steps_have_times_only_where_they_ran(store):
    run = load_run(store, CLOSED)
    found = sections.steps(run)
    statuses = {row["name"]: row["status"] for row in found["rows"]}
    assert (statuses["trainer_dense"], statuses["evaluator"], statuses["pusher"]) == ("reused", "ran", "skipped")
    assert f"evaluator ran, {run.record.steps['evaluator'].seconds:.1f} s" in found["picture"]
    assert "trainer_dense reused, evaluator" in found["picture"]
    assert found["total"] == pytest.approx(sum(step.seconds for step in run.record.steps.values()))


def test_pushed_says_whether_the_version_is_still_in_service(store):
    found = sections.pushed(load_run(store, PUSHED))
    assert (found["version"], found["in_service"]) == (load_run(store, PUSHED).record.pushed_version, True)
    assert sections.pushed(load_run(store, CLOSED)) is None


@pytest.mark.parametrize(
    ("model", "css"), [("dense", "dense"), ("mean_predictor", "mean"), ("linear", "mean"), ("(served)", "other")]
)
def test_css_is_the_models_class(model, css):
    assert sections.css(model) == css
