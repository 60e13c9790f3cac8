import subprocess

import pytest

from crossnet.components.files import read_json
from crossnet.components.formats import number
from crossnet.pipeline.report.pages import write_index
from support.html_page import read_page
from support.report_fixtures import (
    ANOMALOUS,
    CLOSED,
    FAILED,
    PARTIAL,
    PUSHED,
    SECTIONS,
    make_runs,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_runs(tmp_path_factory)


@pytest.mark.parametrize(
    ("run", "sections"),
    [
        *((run, SECTIONS) for run in (PUSHED, CLOSED)),
        (PARTIAL, ["data", "steps", "settings", "versions"]),
        (ANOMALOUS, ["verdict", "data", "anomalies", "steps", "settings", "versions"]),
        (FAILED, ["verdict", "steps", "settings", "versions"]),
    ],
)
def test_report_has_the_sections_that_have_content_and_all_where_the_run_came_to_its_end(store, run, sections):
    found = read_page(store.runs / run / "report.html")
    assert [a["id"] for a in found.all("section")] == sections
    assert [a["id"] for a in found.all("h2")] == [f"h-{name}" for name in sections]
    assert [a["href"] for a in found.all("a") if a["href"].startswith("#") and a["href"] != "#main"] == [
        f"#{name}" for name in sections
    ]
    assert len(found.all("h1")) == len(found.all("main")) == len(found.all("nav")) == 1


@pytest.mark.parametrize(
    ("run", "word", "sentence"),
    [
        (PUSHED, "BLESSED", "cross_layer passed every rule and was pushed as version "),
        (CLOSED, "NOT BLESSED", "No candidate passed every rule. Nothing was pushed."),
        (ANOMALOUS, "STOPPED", "The data has errors, so nothing was trained or pushed."),
        (FAILED, "FAILED", "The run failed in example_gen. Nothing was pushed."),
        (PARTIAL, "NO VERDICT", "The run ended before the Evaluator, so no model was judged."),
    ],
)
def test_report_tells_the_verdict_first(store, run, word, sentence):
    text = read_page(store.runs / run / "report.html").text
    start = text.index("CrossNet pipeline · run")
    assert text.index(word, start) < text.index(sentence, start) < text.index("Libraries that change results", start)


def test_report_gives_the_reasons_why_the_gate_is_closed(store):
    text = read_page(store.runs / CLOSED / "report.html").text
    reason = read_json(store.runs / CLOSED / "run.json")["reasons"][0].replace("`", "")
    assert "above max_rmse" in reason
    assert text.index("Verdict Models Gate") < text.index(reason) < text.index("Each exported model")


def test_report_gives_anomalies_with_their_place_in_the_source(store):
    text = read_page(store.runs / ANOMALOUS / "report.html").text
    assert "error nan y" in text
    assert "nan.csv:4" in text


def test_report_gives_the_error_of_a_run_that_failed(store):
    text = read_page(store.runs / FAILED / "report.html").text
    assert "text.csv:4" in text
    assert "Left out, because the run did not come so far: models, gate, training, " in text
    assert "Nothing to show" not in text


def test_report_says_why_a_section_is_empty(store):
    text = read_page(store.runs / CLOSED / "report.html").text
    assert "infra_validator did not run, because a step before it did not pass." in text
    assert "Nothing was pushed, so there is no lineage of a pushed model." in text


def test_report_of_a_run_that_was_asked_to_end_early_leaves_out_what_it_did_not_come_to(store):
    text = read_page(store.runs / PARTIAL / "report.html").text
    assert "Left out, because the run did not come so far: verdict, models, gate, training, " in text
    assert "Nothing to show" not in text
    assert "Nothing was pushed" not in text


def test_report_shows_every_rule_of_every_candidate_and_slice(store):
    text = read_page(store.runs / PUSHED / "report.html").text
    for rule in ("finite_predictions passed", "max_rmse passed", "non_inferiority skipped"):
        assert rule in text
    assert "zone=east" in text
    assert "InfraValidator (embedded server): passed" in text


def test_report_draws_a_picture_of_everything_with_words_for_those_who_do_not_see_it(store):
    labels = [a["aria-label"] for a in read_page(store.runs / PUSHED / "report.html").all("svg")]
    for start in (
        "RMSE over the train split by epoch, logarithmic. cross_layer ends at",
        "Predicted against actual of cross_layer,",
        "Predicted against actual of dense,",
        "Residual of cross_layer by x0: largest median of a group",
        "Residual of cross_layer by zone",
        "Interaction matrix of cross_layer, largest",
        "Distribution of y, train and eval",
        "Most frequent values of zone in train: ",
        "The steps from top to bottom: example_gen ran",
    ):
        assert any(label.startswith(start) for label in labels), start
    assert all(a["role"] == "img" for a in read_page(store.runs / PUSHED / "report.html").all("svg"))


def test_report_tells_how_each_model_was_trained(store):
    found = read_page(store.runs / PUSHED / "report.html")
    assert "cross_layer 3 18 " in found.text  # epochs, and six batches in each
    assert "Thin: the eval split after each epoch." in found.text
    wide = (store.runs / PUSHED / "report.html").read_text(encoding="utf-8").split('<section id="training"')[1]
    assert wide.count('class="curve cross_layer faint"') == wide.count('class="curve dense faint"') == 2


def test_report_has_a_caption_and_scopes_in_every_table(store):
    found = read_page(store.runs / PUSHED / "report.html")
    assert len(found.all("table")) == len(found.all("caption")) > 8
    assert all(a.get("scope") in ("col", "row", "rowgroup") for a in found.all("th"))


def test_report_follows_the_pushed_model_back_to_the_data(store):
    text = read_page(store.runs / PUSHED / "report.html").text
    lineage = text[text.index("From the push back to the data") : text.index("Settings that differ")]
    order = ["PushedModel pusher", "InfraValidation", "Evaluation", "Model trainer_cross_layer", "Schema", "Examples"]
    assert sorted(order, key=lineage.index) == order
    assert "trainer_dense" not in lineage.replace("example_gen, schema_gen, trainer_cross_layer", "")
    assert "good.csv" in lineage


def test_report_shows_what_was_reused(store):
    facts = read_json(store.runs / CLOSED / "run.json")["steps"]
    assert facts["trainer_dense"]["status"] == "reused"
    assert "trainer_dense reused" in read_page(store.runs / CLOSED / "report.html").text


def test_report_names_settings_that_differ_from_the_defaults(store):
    text = read_page(store.runs / PUSHED / "report.html").text
    assert "trainer.epochs 3" in text
    assert "trainer.seed " not in text


def test_index_clears_what_a_report_left_that_was_killed(store):
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = store.runs / f".tmp-{ended.pid}-index.html"
    left.touch()
    assert write_index(store).is_file()
    assert not left.exists()


def test_models_have_the_interval_of_their_rmse_beside_it(store):
    low, high = read_json(store.runs / PUSHED / "run.json")["models"]["cross_layer"]["eval_rmse_interval"]
    text = read_page(store.runs / PUSHED / "report.html").text
    assert "eval RMSE 95 % interval MAE" in text
    assert f" {number(low, 4)} to {number(high, 4)} " in text
