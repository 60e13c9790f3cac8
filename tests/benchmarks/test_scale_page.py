import json

import pytest

from benchmarks.scale_page import BEGIN, END, fit, predicted, render, write
from support import REPOSITORY

SIZES = [{"rows": r, "columns": c} for r, c in ((1000, 4), (10_000, 4), (100_000, 4), (1000, 40), (10_000, 40))]


@pytest.mark.parametrize("law", [(2.0, 0.003, 0.0005), (0.0, 0.0, 0.002), (5.0, 0.0, 0.0), (0.0, 0.01, 0.0)])
def test_the_fit_finds_the_law_that_the_costs_follow(law):
    a, b, c = law
    costs = [a + b * size["rows"] + c * size["rows"] * size["columns"] for size in SIZES]
    assert fit(SIZES, costs) == pytest.approx(law, abs=1e-9)
    assert predicted(SIZES, costs, 10**9, 200) == pytest.approx(a + b * 1e9 + c * 2e11)


def test_no_term_of_a_fit_is_negative():
    assert min(fit(SIZES, [9.0, 8.0, 7.0, 6.0, 5.0])) >= 0


def test_the_page_holds_what_the_committed_figures_lead_to(tmp_path):
    found = json.loads((REPOSITORY / "benchmarks" / "scale.json").read_text())
    page = REPOSITORY / "docs" / "scale.md"
    copy = tmp_path / "scale.md"
    copy.write_text(page.read_text())
    write(copy, found)
    assert copy.read_text() == page.read_text()
    assert page.read_text().partition(BEGIN)[2].partition(END)[0] == render(found)
