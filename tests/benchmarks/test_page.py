from benchmarks.page import NOTES, render, with_section
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


def test_a_later_run_stands_under_its_own_date_and_takes_the_place_of_the_one_before_it():
    page = render(REPORT, "python -m benchmarks")
    runs = (("2026-11-30", 1.25, "serving_ports"), ("2026-11-30", 7.5, "serving"), ("2026-12-01", 1.5, "serving_ports"))
    for date, ours, name in runs:
        row = {**ROW, "benchmark": name, "case": "p50", "ours": ours}
        page = with_section(page, {**REPORT, "date": date, "rows": [row]}, f"python -m benchmarks {name}")
    assert page.count("| serving_ports | p50 | ") == page.count("## Run later: serving_ports") == 1
    later, _, peers = page.partition("## Run later: serving_ports")[2].partition("## Beside TFX")
    assert "Written by `python -m benchmarks serving_ports` on 2026-12-01: 2 cores, load 0.9 at the start." in later
    assert "| serving_ports | p50 | 1.5 |" in later
    assert "| first run: 6.114 CPU s |" in peers
    assert page.count("| serving | p50 | 7.5 |") == 1
    assert page.partition("## Run later")[0] == render(REPORT, "python -m benchmarks").partition("## Beside TFX")[0]


def test_a_note_stands_below_the_rows_of_its_benchmark_alone():
    note = NOTES["mixed_data"]
    assert note not in render(REPORT, "")
    report = {**REPORT, "rows": [{**ROW, "benchmark": "mixed_data"}]}
    for page in (render(report, ""), with_section(render(REPORT, ""), report, "")):
        assert page.index("| mixed_data |") < page.index(note) < page.index("## Beside TFX")
    assert note in (REPOSITORY / "docs" / "benchmarks.md").read_text()
