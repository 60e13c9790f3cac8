import base64
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from crossnet.pipeline.config import Config, to_toml
from crossnet.pipeline.report import pages
from crossnet.pipeline.report.pages import write_report
from crossnet.pipeline.store import Store
from support.html_page import read_page
from support.report_fixtures import (
    ANOMALOUS,
    CLOSED,
    FAILED,
    HOSTILE_HEADER,
    HOSTILE_RUN,
    HOSTILE_VALUE,
    PARTIAL,
    PUSHED,
    make_runs,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_runs(tmp_path_factory)


def test_report_escapes_whatever_comes_from_the_data(store):
    raw = (store.runs / PUSHED / "report.html").read_text(encoding="utf-8")
    for hostile in (HOSTILE_HEADER, HOSTILE_VALUE, HOSTILE_RUN):
        assert hostile not in raw
    found = read_page(store.runs / PUSHED / "report.html")
    assert HOSTILE_HEADER in found.text
    assert HOSTILE_VALUE[:15] in found.text
    assert HOSTILE_RUN in found.text
    assert len(found.all("script")) == 1  # ours, the only one that the policy allows
    assert not found.all("img")


def test_report_allows_the_script_that_sorts_tables_and_no_other(store):
    raw = (store.runs / PUSHED / "report.html").read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", raw, re.DOTALL)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', raw)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe-inline" not in policy.partition("style-src")[0]


def test_report_is_small(store):
    assert all((store.runs / run / "report.html").stat().st_size < 2_000_000 for run in (PUSHED, CLOSED))


def test_report_needs_no_network(store):
    for run in (PUSHED, FAILED):
        found = read_page(store.runs / run / "report.html")
        sources = [a.get("src") or a.get("href") for _, a in found.elements if "src" in a or "href" in a]
        card = {"model_card.md"} if run == PUSHED else set()  # a link to the file beside it
        assert {s for s in sources if not s.startswith("#")} == {"data:,", "../index.html"} | card
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
    for text, ground in (("ink", "raised"), ("soft", "raised")):
        assert _contrast(color[text], color[ground]) >= 4.5, text


def test_report_stays_small(store):
    for run in (PUSHED, CLOSED, ANOMALOUS, FAILED, PARTIAL):
        assert (store.runs / run / "report.html").stat().st_size < 300_000


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
    assert "200 more are in the Statistics artifact." in read_page(path).text


def test_report_loads_no_tensorflow(store):
    code = (
        "import sys; from pathlib import Path; from crossnet.pipeline.report.pages import write_report, write_index\n"
        "from crossnet.pipeline.store import Store; store = Store(Path(sys.argv[1]))\n"
        "write_report(store, sys.argv[2]); write_index(store); assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, store.root, PUSHED], check=True)
