from benchmarks.page import render
from support import REPOSITORY

ROW = {
    "benchmark": "whole_run", "case": "first run", "ours": 6.114, "other": 18.37, "unit": "CPU s", "ratio": 0.3329,
    "goal": "<= 0.3", "met": False, "alternative": "a | b",
}  # fmt: skip
REPORT = {"date": "2026-11-25", "machine": "2 cores", "load": 0.94, "versions": {"python": "3.11.7"}, "rows": [ROW]}


def test_page_says_when_where_and_with_what_it_was_measured():
    text = render(REPORT, "python -m benchmarks")
    assert "Written by `python -m benchmarks` on 2026-11-25: 2 cores, load 0.9 at the start.\npython 3.11.7.\n" in text


def test_page_has_a_line_for_each_row_and_marks_a_missed_goal():
    lines = render(REPORT, "").splitlines()
    assert r"| whole_run | first run | 6.114 | 18.37 | CPU s | 0.3329 | <= 0.3 | **NO** | a \| b |" in lines


def test_page_puts_our_figure_beside_tfxs_where_the_run_has_it():
    assert "| first run: 6.114 CPU s |" in render(REPORT, "")
    assert "unchanged second run" not in render(REPORT, "")


def test_the_kept_page_has_the_head_and_the_columns_that_are_written_today():
    kept = (REPOSITORY / "docs" / "benchmarks.md").read_text()
    head = render(REPORT, "python -m benchmarks")
    assert kept.startswith(head[: head.index(" on 2026")])
    assert head[head.index("| benchmark |") : head.index("| whole_run |")] in kept
