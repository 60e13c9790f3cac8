"""The Evaluator and `crossnet evaluate` in several processes: every byte is that of one."""

from __future__ import annotations

import pytest

from crossnet.components.engines.base import IN_PROCESS
from crossnet.components.engines.local import LocalEngine
from crossnet.components.evaluation.split_scores import score_split
from crossnet.components.evaluator import evaluate_models
from crossnet.components.params.evaluator import EvaluatorParams
from support.evaluation_walk import FILES, evaluated, make_judged
from support.wide_engine import Wide


def test_little_work_is_done_in_this_process(tmp_path):
    judged = make_judged(tmp_path)
    engine = Wide(2)
    (tmp_path / "small").mkdir()
    params = EvaluatorParams(max_rmse=1.0)
    evaluate_models(*judged, output_dir=tmp_path / "small", params=params, engine=engine)
    score_split(judged.examples, "eval", judged.schema, judged.models, params, engine=engine)
    assert engine.lists == []


@pytest.mark.slow
def test_no_byte_depends_on_the_number_of_processes(tmp_path, monkeypatch):
    judged = make_judged(tmp_path)
    with LocalEngine(2, least_bytes=0) as pool:
        one, two = (
            evaluated(tmp_path / name, judged, engine, monkeypatch)
            for name, engine in (("one", IN_PROCESS), ("two", pool))
        )
    assert one == two
    assert len(one[0]) == FILES
    assert one[1]["slices"] > 20
