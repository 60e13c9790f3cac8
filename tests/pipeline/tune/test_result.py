from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crossnet.components.errors import TrainingError
from crossnet.pipeline.tune.result import Result, write_page


def trial(number: int, state: str, rmse: float | None = None, error: str = "") -> dict[str, Any]:
    facts = {"epochs": 9, "parameters": 1234, "rows": 50, "seconds": 1.5} if state == "whole" else {}
    return {
        "number": number,
        "state": state,
        "values": {"trainer.learning_rate": 0.01 * (number + 1)},
        "rmse": rmse,
        "error": error,
        **facts,
    }


TRIALS = [trial(0, "whole", 2.0), trial(1, "stopped"), trial(2, "whole", 1.5), trial(3, "failed", error="It <broke>.")]
SPACE = {"trainer.learning_rate": "0.01 to 0.1"}


def test_a_result_says_how_many_configurations_were_tried() -> None:
    text = Result(Path("search"), "dense", TRIALS, SPACE).text()
    assert "Tried 4 configurations of `dense`: 2 to the end, 1 stopped early, 1 failed." in text
    assert "rmse on 50 rows of train that were held out 1.5, 25 % below the 2 of the config as it is." in text
    assert "No eval row was looked at" in text
    assert text.splitlines()[-2].split()[:4] == ["2", "1.5", "9", "1,234"]


def test_a_result_says_where_the_config_was_the_best() -> None:
    text = Result(Path("search"), "dense", [trial(0, "whole", 1.0), trial(1, "stopped")], SPACE).text()
    assert "None was better than the config as it is" in text


def test_nothing_that_came_to_its_end_is_said_with_the_reason() -> None:
    result = Result(Path("search"), "dense", [trial(0, "failed", error="The loss is nan in epoch 1.")], SPACE)
    with pytest.raises(TrainingError, match=r"None of the 1 configuration of `dense` .*: The loss is nan in epoch 1."):
        result.check()


def test_a_page_shows_every_trial(tmp_path: Path) -> None:
    result = Result(tmp_path, "dense", TRIALS, SPACE)
    write_page(result)
    page = result.page.read_text()
    assert page.count('<th scope="row" class="mono">') == len(TRIALS) + len(SPACE)
    assert "It &lt;broke&gt;." in page
    assert "Tried 4 configurations" in page
