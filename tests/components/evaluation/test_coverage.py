from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossnet.components.evaluation import coverage
from crossnet.components.evaluation.coverage import interval_facts
from crossnet.components.networks.interval import Interval


@pytest.mark.parametrize("rows_at_once", [2, 1_000])
def test_labels_between_the_ends_are_counted_ends_included(
    rows_at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage, "ROWS_AT_ONCE", rows_at_once)
    np.save(tmp_path / "predictions.npy", np.array([10, 10, 10, 10, np.nan], np.float32))
    np.save(tmp_path / "labels.npy", np.array([9, 11, 11.5, 8.5, 10], np.float32))
    found = interval_facts(Interval(0.95, 1.0, 200), tmp_path / "predictions.npy", tmp_path / "labels.npy")
    assert found == {"coverage": 0.95, "half_width": 1.0, "rows": 200, "eval_coverage": 2 / 5}


def test_rows_count_as_they_weigh(tmp_path: Path) -> None:
    np.save(tmp_path / "predictions.npy", np.array([10, 10, 10], np.float32))
    np.save(tmp_path / "labels.npy", np.array([10, 12, 10], np.float32))
    weights = [np.array([1.0, 6.0], np.float32), np.array([1.0], np.float32)]
    files = tmp_path / "predictions.npy", tmp_path / "labels.npy"
    assert interval_facts(Interval(0.95, 1.0, 200), *files, weights)["eval_coverage"] == 2 / 8
    assert interval_facts(Interval(0.95, 1.0, 200), *files, [np.zeros(3)])["eval_coverage"] is None
