import json

import pytest

from benchmarks import history
from benchmarks.history import BETWEEN_RUNS, SCATTERS, append, compare, earlier
from support import REPOSITORY


def row(case="call", *, ours=2.0, ratio=1.0, met=None, better="less", scatter=None):
    return {
        "benchmark": "client", "case": case, "ours": ours, "other": 2.0, "unit": "us", "ratio": ratio, "goal": "",
        "met": met, "alternative": "", "better": better, "scatter": scatter,
    }  # fmt: skip


def report(*rows, date="2026-11-26", machine="here"):
    return {"date": date, "machine": machine, "load": 0.1, "versions": {"python": "3.11.7"}, "rows": list(rows)}


def verdict(then, now):
    (change,) = compare([report(then)], report(now, date="2026-11-27"))
    return change.verdict


def test_a_case_beside_two_alternatives_is_two_rows():
    both = [row(ratio=1.0), row(ratio=2.0) | {"alternative": "another"}]
    assert [change.verdict for change in compare([report(*both)], report(*both))] == ["", ""]


def test_runs_are_kept_one_a_line_and_read_back_for_their_machine(tmp_path):
    path = tmp_path / "history.jsonl"
    assert earlier(path, "here") == []
    runs = [report(row(), date="2026-11-25"), report(row(), machine="elsewhere"), report(row("import"))]
    for run in runs:
        append(path, run)
    assert [json.loads(line) for line in path.read_text().splitlines()] == runs
    assert earlier(path, "here") == [runs[0], runs[2]]


def test_each_row_is_compared_with_the_newest_run_that_has_it():
    past = [
        report(row(ratio=3.0), row("import", ratio=9.0), date="2026-11-24"),
        report(row(ratio=1.0), date="2026-11-25"),
    ]
    found = list(compare(past, report(row(ratio=1.1), row("import", ratio=9.0), row("new"))))
    assert [(change.name, change.date, change.then, change.now) for change in found] == [
        ("client: call", "2026-11-25", 1.0, 1.1),
        ("client: import", "2026-11-24", 9.0, 9.0),
    ]


@pytest.mark.parametrize(("now", "expected"), [(1.14, ""), (1.16, "worse"), (0.88, ""), (0.86, "better")])
def test_a_change_counts_beyond_what_runs_of_equal_code_differ_by(now, expected):
    assert BETWEEN_RUNS == 0.15
    assert verdict(row(ratio=1.0), row(ratio=now)) == expected
    reversed_sign = {"worse": "better", "better": "worse", "": ""}[expected]
    assert verdict(row(ratio=1.0, better="more"), row(ratio=now, better="more")) == reversed_sign


@pytest.mark.parametrize("scattered", ["then", "now"])
def test_a_run_that_scatters_more_hides_a_larger_change(scattered):
    assert SCATTERS == 3
    then = row(ratio=1.0, scatter=0.1 if scattered == "then" else 0.01)
    for now, expected in ((1.29, ""), (1.31, "worse")):
        assert verdict(then, row(ratio=now, scatter=0.1 if scattered == "now" else None)) == expected


def test_without_a_ratio_ours_is_compared():
    assert verdict(row(ours=1.0, ratio=None), row(ours=2.0, ratio=None)) == "worse"
    assert verdict(row(ours=0.0, ratio=None), row(ours=0.0, ratio=None)) == ""


def test_a_lost_goal_is_worse_and_a_rate_without_direction_nothing_else():
    assert verdict(row(ratio=1.59, met=True), row(ratio=1.61, met=False)) == "worse"
    assert verdict(row(ratio=0.03, better=""), row(ratio=0.06, better="")) == ""
    assert verdict(row(ratio=0.03, better="", met=True), row(ratio=0.09, better="", met=False)) == "worse"


def test_the_kept_history_can_be_compared():
    lines = (REPOSITORY / "benchmarks" / "history.jsonl").read_text().splitlines()
    runs = [json.loads(line) for line in lines]
    assert [run["date"] for run in runs] == sorted(run["date"] for run in runs)
    for run in runs:
        assert {"date", "machine", "load", "versions", "rows"} <= run.keys()
        assert [change for change in compare([run], run) if change.verdict] == []
        assert len(list(compare([run], run))) == len(run["rows"]) > 0
    assert history.table(list(compare(runs[:1], runs[0]))).row_count == len(runs[0]["rows"])
