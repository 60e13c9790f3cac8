import html.parser
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.artifacts.infra_validation import InfraValidation
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.errors import MissingArtifactError
from crossnet.components.files import read_json, write_json
from crossnet.pipeline.config import Config, load_config, to_toml
from crossnet.pipeline.report import pages
from crossnet.pipeline.report.pages import write_index, write_report
from crossnet.pipeline.store import Store
from support.report_fixtures import (
    ANOMALOUS,
    CLOSED,
    FAILED,
    HOSTILE_HEADER,
    HOSTILE_RUN,
    HOSTILE_VALUE,
    PARTIAL,
    PUSHED,
    SECTIONS,
    make_runs,
)

VOID = {"meta", "link", "br", "img"}


class Page(html.parser.HTMLParser):
    """A page as its elements; fails on an element that is not closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "br":
            self.texts.append(" ")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag not in ("code", "span", "small", "b", "a"):
            self.texts.append(" ")

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.texts))

    def all(self, tag, **attributes):
        return [a for name, a in self.elements if name == tag and attributes.items() <= a.items()]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_runs(tmp_path_factory)


def page(store, run):
    return Page((store.runs / run / "report.html").read_text(encoding="utf-8"))


@pytest.fixture
def bare(tmp_path):
    """A root with one run of the default config whose artifacts are gone."""
    store = Store(tmp_path)
    folder = store.new_run("bare")
    (folder / "config.toml").write_text(to_toml(load_config()))
    metrics = {"num_parameters": 16, "train_rmse": 1e-7, "eval_rmse": 1e-7}
    facts = {
        "run": "bare",
        "verdict": "BLESSED",
        "champion": "cross_layer",
        "pushed_version": None,
        "exit_code": 0,
        "reasons": [],
        "error": None,
        "warnings": [],
        "models": dict.fromkeys(("cross_layer", "tfrs_cross", "dense"), metrics),
        "steps": {
            name: {"status": "ran", "seconds": 1.0, "artifact": f"artifacts/{name}/f1", "fingerprint": "f1"}
            for name in ("example_gen", "evaluator")
        },
        "graph": {"example_gen": [], "evaluator": ["example_gen"]},
        "started": "2026-01-02T03:04:05+00:00",
        "finished": "2026-01-02T03:05:05+00:00",
        "complete": True,
        "versions": {"numpy": "2.0"},
    }
    write_json(folder / "run.json", facts)
    return store


@pytest.mark.parametrize("run", [PUSHED, CLOSED, ANOMALOUS, FAILED, PARTIAL])
def test_report_has_every_section_with_a_heading_whatever_became_of_the_run(store, run):
    found = page(store, run)
    assert [a["id"] for a in found.all("section")] == SECTIONS
    assert [a["id"] for a in found.all("h2")] == [f"h-{name}" for name in SECTIONS]
    assert [a["href"] for a in found.all("a") if a["href"].startswith("#") and a["href"] != "#main"] == [
        f"#{name}" for name in SECTIONS
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
    text = page(store, run).text
    start = text.index("CrossNet pipeline · run")
    assert text.index(word, start) < text.index(sentence, start) < text.index("Verdict Models Gate", start)


def test_report_gives_the_reasons_why_the_gate_is_closed(store):
    text = page(store, CLOSED).text
    reason = read_json(store.runs / CLOSED / "run.json")["reasons"][0].replace("`", "")
    assert "above max_rmse" in reason
    assert text.index("Verdict Models Gate") < text.index(reason) < text.index("Each exported model")


def test_report_gives_anomalies_with_their_place_in_the_source(store):
    text = page(store, ANOMALOUS).text
    assert "error nan y" in text
    assert "nan.csv:4" in text


def test_report_gives_the_end_of_the_log_of_a_run_that_failed(bare):
    facts = read_json(bare.runs / "bare" / "run.json")
    facts["steps"]["evaluator"]["status"] = "failed"
    write_json(bare.runs / "bare" / "run.json", facts | {"exit_code": 1, "error": "Internal error; see log.txt."})
    (bare.runs / "bare" / "log.txt").write_text("an old line\n" + "x\n" * 39 + "ZeroDivisionError: a <bug>\n")
    text = Page(write_report(bare, "bare").read_text(encoding="utf-8")).text
    assert "The run failed in evaluator. Nothing was pushed." in text
    assert "x ZeroDivisionError: a <bug>" in text
    assert "an old line" not in text


def test_report_gives_the_error_of_a_run_that_failed(store):
    text = page(store, FAILED).text
    assert "text.csv:4" in text
    assert "Nothing to show: evaluator did not run, because a step before it did not pass." in text


def test_report_says_why_a_section_is_empty(store):
    text = page(store, PARTIAL).text
    assert "evaluator was not part of this run." in text
    assert "Nothing was pushed, so there is no lineage of a pushed model." in text


def test_report_shows_every_rule_of_every_candidate_and_slice(store):
    text = page(store, PUSHED).text
    for rule in ("finite_predictions passed", "max_rmse passed", "non_inferiority skipped"):
        assert rule in text
    assert "zone=east" in text
    assert "InfraValidator (embedded server): passed" in text


def test_report_draws_a_picture_of_everything_with_words_for_those_who_do_not_see_it(store):
    labels = [a["aria-label"] for a in page(store, PUSHED).all("svg")]
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
    assert all(a["role"] == "img" for a in page(store, PUSHED).all("svg"))


def test_report_tells_how_each_model_was_trained(store):
    found = page(store, PUSHED)
    assert "cross_layer 3 18 " in found.text  # epochs, and six batches in each
    assert "Thin: the eval split after each epoch." in found.text
    wide = (store.runs / PUSHED / "report.html").read_text(encoding="utf-8").split('<section id="training"')[1]
    assert wide.count('class="curve cross_layer faint"') == wide.count('class="curve dense faint"') == 2


def test_report_has_a_caption_and_scopes_in_every_table(store):
    found = page(store, PUSHED)
    assert len(found.all("table")) == len(found.all("caption")) > 8
    assert all(a.get("scope") in ("col", "row", "rowgroup") for a in found.all("th"))


def test_report_follows_the_pushed_model_back_to_the_data(store):
    text = page(store, PUSHED).text
    lineage = text[text.index("From the push back to the data") : text.index("Settings that differ")]
    order = ["PushedModel pusher", "InfraValidation", "Evaluation", "Model trainer_cross_layer", "Schema", "Examples"]
    assert sorted(order, key=lineage.index) == order
    assert "trainer_dense" not in lineage.replace("example_gen, schema_gen, trainer_cross_layer", "")
    assert "good.csv" in lineage


def test_report_shows_what_was_reused(store):
    facts = read_json(store.runs / CLOSED / "run.json")["steps"]
    assert facts["trainer_dense"]["status"] == "reused"
    assert "trainer_dense reused" in page(store, CLOSED).text


def test_report_names_settings_that_differ_from_the_defaults(store):
    text = page(store, PUSHED).text
    assert "trainer.epochs 3" in text
    assert "trainer.seed " not in text


def test_report_escapes_whatever_comes_from_the_data(store):
    raw = (store.runs / PUSHED / "report.html").read_text(encoding="utf-8")
    for hostile in (HOSTILE_HEADER, HOSTILE_VALUE, HOSTILE_RUN):
        assert hostile not in raw
    found = page(store, PUSHED)
    assert HOSTILE_HEADER in found.text
    assert HOSTILE_VALUE[:15] in found.text
    assert HOSTILE_RUN in found.text
    assert not found.all("script")
    assert not found.all("img")


def test_report_needs_no_network(store):
    for run in (PUSHED, FAILED):
        found = page(store, run)
        sources = [a.get("src") or a.get("href") for _, a in found.elements if "src" in a or "href" in a]
        assert {s for s in sources if not s.startswith("#")} == {"data:,", "../index.html"}
        assert "url(" not in (store.runs / run / "report.html").read_text(encoding="utf-8")


def _luminance(color):
    """WCAG 2.2, relative luminance of #rrggbb."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one, other):
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark", "print"])
def test_report_has_the_contrast_that_wcag_asks_for(theme):
    style = (Path(pages.__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    assert len(blocks) == 3
    found = dict(re.findall(r"--([\w-]+): (#\w+)", blocks[theme]))
    color = {
        name: value if len(value) == 7 else "#" + "".join(2 * c for c in value[1:]) for name, value in found.items()
    }
    for text in ("ink", "soft", "blue", "orange", "green", "violet", "gray", "red", "good", "bad", "note"):
        assert _contrast(color[text], color["paper"]) >= 4.5, text
    for text, ground in (("good", "good-wash"), ("bad", "bad-wash"), ("note", "note-wash"), ("ink", "bad-wash")):
        assert _contrast(color[text], color[ground]) >= 4.5, text
    for text, ground in (("ink", "raised"), ("soft", "raised"), ("on-strong", "above"), ("on-strong", "below")):
        assert _contrast(color[text], color[ground]) >= 4.5, text


def test_report_stays_small(store):
    for run in (PUSHED, CLOSED, ANOMALOUS, FAILED, PARTIAL):
        assert (store.runs / run / "report.html").stat().st_size < 300_000


def test_report_shows_the_article_with_its_unit_corrected_beside_its_own_table(bare):
    text = Page(write_report(bare, "bare").read_text(encoding="utf-8")).text
    assert "7.4e-6 prints 5.5e-11 7.3e-6 prints 5.3e-11" in text
    assert "0.049 prints 0.0024 0.69 prints 0.4751" in text
    assert "the Dense network is dead: 0.4751 is 0.689²" in text


def test_report_does_not_show_the_article_beside_other_tables(store, bare):
    assert "article" not in page(store, PUSHED).text.replace('generator = "article"', "")
    config = bare.runs / "bare" / "config.toml"
    config.write_text(config.read_text().replace("num_examples = 100000", "num_examples = 100001"))
    assert "5.3e-11" not in write_report(bare, "bare").read_text(encoding="utf-8")


def test_report_is_written_when_artifacts_were_removed(bare):
    text = Page(write_report(bare, "bare").read_text(encoding="utf-8")).text
    assert "The artifact of evaluator is no longer there, or was written by another version." in text
    assert "champion 16 1e-7 1e-7" in text


def test_report_is_written_when_its_settings_are_no_longer_known(bare):
    config = bare.runs / "bare" / "config.toml"
    config.write_text(config.read_text() + "\n[retired]\nkey = 1\n")
    assert "retired.key 1" in Page(write_report(bare, "bare").read_text(encoding="utf-8")).text


def test_report_is_written_of_artifacts_that_hold_little(bare):
    facts = read_json(bare.runs / "bare" / "run.json")
    with bare.working_folder("evaluator") as work:
        write_json(work / "metrics.json", facts["models"])
        write_json(work / "verdict.json", {})
        bare.finish(Evaluation(work, {}, {"champion": "cross_layer", "reasons": []}), "evaluator", "f1", {})
    with bare.working_folder("infra_validator") as work:
        bare.finish(InfraValidation(work, {}, {"reasons": ["`dense` does not answer."]}), "infra_validator", "f1", {})
    with bare.working_folder("pusher") as work:
        gone = {"version": 7, "destination": str(work / "none"), "checksum": "0", "model_name": "<toy>", "model": "m"}
        bare.finish(PushedModel(work, {"pushed": 1}, gone), "pusher", "f1", {})
    for step in ("infra_validator", "pusher"):
        facts["steps"][step] = facts["steps"]["evaluator"] | {"artifact": f"artifacts/{step}/f1"}
        facts["graph"][step] = ["evaluator"]
    write_json(bare.runs / "bare" / "run.json", facts | {"pushed_version": 7})
    text = Page(write_report(bare, "bare").read_text(encoding="utf-8")).text
    assert "version 7 of <toy> is no longer there as it was pushed." in text
    assert "InfraValidator (? server): failed." in text
    assert "dense does not answer." in text


def test_report_refuses_a_run_that_is_not_there(bare):
    with pytest.raises(MissingArtifactError, match=r"No run `other` in `.*`. There are: bare."):
        write_report(bare, "other")


def test_report_leaves_nothing_behind_and_replaces_the_page_before(bare):
    first = write_report(bare, "bare").read_text(encoding="utf-8")
    assert write_report(bare, "bare").read_text(encoding="utf-8") == first
    assert sorted(path.name for path in (bare.runs / "bare").iterdir()) == ["config.toml", "report.html", "run.json"]


def test_report_loads_no_tensorflow(store):
    code = (
        "import sys; from pathlib import Path; from crossnet.pipeline.report.pages import write_report, write_index\n"
        "from crossnet.pipeline.store import Store; store = Store(Path(sys.argv[1]))\n"
        "write_report(store, sys.argv[2]); write_index(store); assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, store.root, PUSHED], check=True)


def test_index_lists_all_runs_with_their_verdicts_and_links(store):
    found = Page((store.runs / "index.html").read_text(encoding="utf-8"))
    assert "5 runs" in found.text
    for word in ("BLESSED", "NOT BLESSED", "STOPPED", "FAILED", "NO VERDICT"):
        assert word in found.text
    links = [a["href"] for a in found.all("a") if a["href"] != "#main"]
    assert len(links) == 5
    assert "closed/report.html" in links
    assert all("<" not in link and "&" not in link for link in links)


def test_index_draws_rmse_over_time(store):
    found = Page((store.runs / "index.html").read_text(encoding="utf-8"))
    labels = [a["aria-label"] for a in found.all("svg")]
    assert labels == ["Eval RMSE by run of crossnet, label y, oldest first, logarithmic: 2 runs"] * 2
    marks = [a["class"] for a in found.all("circle")]
    assert marks.count("mark cross_layer") == marks.count("mark cross_layer hollow") == 2


def test_index_of_a_root_without_runs_says_so(tmp_path):
    text = Page(write_index(Store(tmp_path)).read_text(encoding="utf-8")).text
    assert "0 runs" in text
    assert "There is no run yet. Start one with crossnet run." in text


def test_report_of_very_wide_data_stays_below_two_megabytes(tmp_path):
    from tensorflow_metadata.proto.v0 import statistics_pb2

    from crossnet.components.artifacts.examples import Examples
    from crossnet.components.artifacts.statistics import Statistics

    store = Store(tmp_path)
    names = [f"column {i} {'x' * 300}" for i in range(600)]
    folder = store.new_run("wide")
    (folder / "config.toml").write_text(to_toml(Config()))
    steps = {}
    with store.working_folder("example_gen") as work:
        for split in ("train", "eval"):
            (work / f"Split-{split}").mkdir()
        columns = [{"name": name, "source_name": name, "type": "FLOAT"} for name in names]
        artifact = Examples(work, {"train": 9, "eval": 1}, {"label": names[0], "compression": "", "columns": columns})
        store.finish(artifact, "example_gen", "f1", {"inputs": {}})
    with store.working_folder("statistics_gen") as work:
        proto = statistics_pb2.DatasetFeatureStatisticsList()
        dataset = proto.datasets.add(num_examples=9)
        for name in names:
            feature = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.FLOAT)
            feature.path.step.append(name)
            histogram = feature.num_stats.histograms.add()
            for i in range(200):
                histogram.buckets.add(low_value=i / 7, high_value=(i + 1) / 7, sample_count=i % 13)
        for split in ("train", "eval"):
            (work / f"Split-{split}").mkdir()
            (work / f"Split-{split}" / "FeatureStats.pb").write_bytes(proto.SerializeToString())
        store.finish(Statistics(work, {"columns": len(names)}), "statistics_gen", "f1", {"inputs": {}})
    for step in ("example_gen", "statistics_gen"):
        path = f"artifacts/{step}/f1"
        steps[step] = {"status": "ran", "seconds": 0.1, "artifact": path, "fingerprint": "f1", "counts": {}}
    facts = {"run": "wide", "verdict": None, "champion": None, "pushed_version": None, "exit_code": 0, "reasons": []}
    facts |= {"error": None, "warnings": [], "models": {}, "steps": steps, "versions": {}, "complete": True}
    facts |= {"graph": {"example_gen": [], "statistics_gen": ["example_gen"]}}
    facts |= {"started": "2026-01-02T03:04:05+00:00", "finished": "2026-01-02T03:05:05+00:00"}
    (folder / "run.json").write_text(json.dumps(facts))
    path = write_report(store, "wide")
    assert path.stat().st_size <= 2_000_000
    assert "200 more are in the Statistics artifact." in Page(path.read_text(encoding="utf-8")).text
