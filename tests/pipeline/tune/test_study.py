from __future__ import annotations

import sys
from pathlib import Path

import pytest

from crossnet.components.errors import PipelineError
from crossnet.pipeline.tune.space import Choices, Range
from crossnet.pipeline.tune.study import STUDY_FILE, open_study

SPACE = {"trainer.learning_rate": Range(0.001, 0.1, True, False), "dense.units": Choices(([8], [16, 16]))}
CONFIGURED = {"trainer.learning_rate": 0.01, "dense.units": [8]}
FACTS = {"epochs": 9, "parameters": 5, "rows": 20, "seconds": 1.0}


def test_the_config_as_it_is_comes_first_and_others_lie_in_the_space(tmp_path: Path) -> None:
    with open_study(tmp_path, SPACE, CONFIGURED, seed=1) as study:
        trial, values = study.ask()
        assert values == CONFIGURED
        study.finish(trial, 2.0, FACTS)
        for _ in range(3):
            trial, values = study.ask()
            assert 0.001 <= values["trainer.learning_rate"] <= 0.1
            assert values["dense.units"] in ([8], [16, 16])
            study.finish(trial, 3.0, FACTS)
        first = study.tried()[0]
    assert first == {"number": 0, "state": "whole", "values": CONFIGURED, "rmse": 2.0, "error": "", **FACTS}


def test_a_trial_goes_on_where_it_is_in_the_best_third(tmp_path: Path) -> None:
    with open_study(tmp_path, SPACE, CONFIGURED, seed=1) as study:
        kept = []
        for loss in (1.0, 2.0, 3.0, 0.5):
            trial, _ = study.ask()
            assert study.goes_on(trial, 0.05, 99.0)  # before a ninth of the epochs nothing is judged
            kept.append(study.goes_on(trial, 1 / 9, loss))
            study.stop(trial, 1.0)
        assert kept == [True, False, False, True]
        assert [trial["state"] for trial in study.tried()] == ["stopped"] * 4


def test_a_search_goes_on_from_its_file_and_tries_again_what_a_kill_cut_off(tmp_path: Path) -> None:
    with open_study(tmp_path, SPACE, CONFIGURED, seed=1) as study:
        study.finish(study.ask()[0], 2.0, FACTS)
        _, cut_off = study.ask()
    with open_study(tmp_path, SPACE, CONFIGURED, seed=1) as study:
        assert [trial["number"] for trial in study.tried()] == [0]
        trial, values = study.ask()
        assert values == cut_off
        study.fail(trial, "It does not fit.")
        assert [(found["state"], found["error"]) for found in study.tried()] == [
            ("whole", ""),
            ("failed", "It does not fit."),
        ]


def test_a_line_that_a_crash_tore_is_cut_off(tmp_path: Path) -> None:
    with open_study(tmp_path, SPACE, CONFIGURED, seed=1) as study:
        study.finish(study.ask()[0], 2.0, FACTS)
    with (tmp_path / STUDY_FILE).open("a") as file:
        file.write('{"op_code":4,"worker')
    for _ in range(2):
        with open_study(tmp_path, SPACE, CONFIGURED, seed=1) as study:
            study.ask()
            assert len(study.tried()) == 1


def test_two_processes_do_not_search_at_once(tmp_path: Path) -> None:
    with (
        open_study(tmp_path, SPACE, CONFIGURED, seed=1),
        pytest.raises(PipelineError, match=r"is at work in another process. Wait for it"),
        open_study(tmp_path, SPACE, CONFIGURED, seed=1),
    ):
        pass


def test_without_optuna_a_sentence_names_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with (
        pytest.raises(PipelineError, match=r'pip install "crossnet-pipeline\[tune\]"'),
        open_study(tmp_path, SPACE, CONFIGURED, seed=1),
    ):
        pass
