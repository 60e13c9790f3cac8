from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.init_tables import noise, proposed, table_of


def settings_of(folder: Path, cells: list[str]) -> dict[str, Any]:
    draw = noise()
    found: dict[str, Any] = proposed(
        folder, table_of("a,x,y", [(cell, draw(), draw()) for cell in cells * 30])
    ).settings
    return found


@pytest.mark.parametrize(
    "cells",
    [["true", "false", "1", "0"], ["yes", "no", "Y", "N", "1"], ["TRUE", "no", ""], ["1", "0", "n"], ["yes", "0"]],
)
def test_truth_values_in_several_spellings_are_read_as_such(tmp_path: Path, cells: list[str]) -> None:
    assert settings_of(tmp_path, cells)["boolean"] == ["a"]


def test_words_for_nothing_among_them_are_missing(tmp_path: Path) -> None:
    found = settings_of(tmp_path, ["true", "false", "1", "0", "NA"])
    assert (found["boolean"], found["null_values"]) == (["a"], ["", "NA"])


@pytest.mark.parametrize(
    "cells",
    [
        ["1", "0"],
        ["true", "false"],
        ["yes", "no", "2"],
        ["yes", "no", "0.5"],
        ["yes", "1"],
        ["true", "false", "01"],
        ["true", "no", "maybe"],
    ],
)
def test_other_cells_are_not_truth_values(tmp_path: Path, cells: list[str]) -> None:
    assert "boolean" not in settings_of(tmp_path, cells)
