import json
import os
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest

from benchmarks.harness import Row, cost, interleave, machine, medians, scatter


def test_a_row_of_numpys_numbers_can_be_stored_as_json():
    share = np.float32(0.5)
    row = Row("b", "c", np.int64(3), share, "%", share, "<= 1", share <= 1, scatter=np.float64(0.25))
    assert json.loads(json.dumps(asdict(row)))["met"] is True
    assert (row.ours, row.other, row.ratio, row.scatter) == (3, 0.5, 0.5, 0.25)
    assert Row("b", "c", 1.0, None, "%", None).met is None


def test_medians_are_of_ours_of_the_other_and_of_the_pairwise_ratios():
    found = medians([(1.0, 2.0), (9.0, 3.0), (2.0, 2.0)])
    assert (found.ours, found.other, found.ratio) == (2.0, 2.0, 1.0)
    assert found.scatter == pytest.approx((2.0 - 0.75) / 2)  # ratios 0.5, 1 and 3; quartiles 0.75 and 2


def test_interleave_calls_both_in_turn():
    calls = []
    found = interleave(lambda: calls.append("ours") or 1.0, lambda: calls.append("other") or 2.0, repeats=3)
    assert calls == ["ours", "other"] * 3
    assert found == (1.0, 2.0, 0.5, 0.0)


@pytest.mark.parametrize(
    ("values", "expected"), [([2.0, 2.0], 0.0), ([1.0, 2.0, 3.0, 4.0, 5.0], 1 / 3), ([-1.0, -2.0, -3.0], 0.25)]
)
def test_scatter_is_half_the_distance_of_the_quartiles_beside_the_median(values, expected):
    assert scatter(values) == pytest.approx(expected)


def test_cost_counts_the_children_that_were_waited_for():
    code = "import time\nwhile time.process_time() < 0.05: pass"
    assert cost(lambda: subprocess.run([sys.executable, "-c", code], check=True)) >= 0.05


def test_machine_names_what_does_not_change_between_runs():
    assert machine() == machine()
    assert machine().startswith(f"{os.cpu_count()} cores, ")
    assert "load" not in machine()
