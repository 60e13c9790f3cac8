import pytest

from crossnet.pipeline.report.pages import write_index
from crossnet.pipeline.store import Store
from support.html_page import read_page
from support.report_fixtures import (
    make_runs,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_runs(tmp_path_factory)


def test_index_lists_all_runs_with_their_verdicts_and_links(store):
    found = read_page(store.runs / "index.html")
    assert "5 runs" in found.text
    for word in ("BLESSED", "NOT BLESSED", "STOPPED", "FAILED", "NO VERDICT"):
        assert word in found.text
    links = [a["href"] for a in found.all("a") if a["href"] != "#main"]
    assert len(links) == 5
    assert "closed/report.html" in links
    assert all("<" not in link and "&" not in link for link in links)


def test_index_draws_rmse_over_time(store):
    found = read_page(store.runs / "index.html")
    labels = [a["aria-label"] for a in found.all("svg")]
    assert labels == ["Eval RMSE by run of crossnet, label y, oldest first, logarithmic: 2 runs"] * 2
    marks = [a["class"] for a in found.all("circle")]
    assert marks.count("mark cross_layer") == marks.count("mark cross_layer hollow") == 2


def test_index_of_a_root_without_runs_says_so(tmp_path):
    text = read_page(write_index(Store(tmp_path))).text
    assert "0 runs" in text
    assert "There is no run yet. Start one with crossnet run." in text
