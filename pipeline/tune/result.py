"""Tells what a search has found, as text, JSON and a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossnet.components.errors import TrainingError
from crossnet.components.formats import aligned, counted, number, percent
from crossnet.pipeline.tune.space import words

JSON_FILE = "tune.json"
PAGE_FILE = "tune.html"
_SHOWN = 5  # trials on the screen


@dataclass(frozen=True)
class Result:
    """What has come of a search.

    Attributes:
      folder: Its folder.
      kind: The model kind.
      trials: `Study.tried`: the first is the config as it was.
      space: What was tried, in words, by setting.
    """

    folder: Path
    kind: str
    trials: Sequence[Mapping[str, Any]]
    space: Mapping[str, str]

    def check(self) -> None:
        """Refuses a search that has nothing to choose from.

        Raises:
          TrainingError: No trial was trained to its end.
        """
        if not self.ranked:
            why = next((trial["error"] for trial in self.trials if trial["error"]), "all were stopped early")
            raise TrainingError(
                f"None of the {counted(len(self.trials), 'configuration')} of `{self.kind}` was trained to its end: "
                f"{why} Try others in `tune.space`, or raise `--trials`."
            )

    @property
    def ranked(self) -> list[Mapping[str, Any]]:
        """The trials that were trained to their end, the best first."""
        whole = [trial for trial in self.trials if trial["state"] == "whole"]
        return sorted(whole, key=lambda trial: (trial["rmse"], trial["number"]))

    @property
    def best(self) -> Mapping[str, Any]:
        """The best trial."""
        return self.ranked[0]

    @property
    def configured(self) -> Mapping[str, Any] | None:
        """The trial of the config as it was; None where it was not trained to its end."""
        first = self.trials[0]
        return first if first["number"] == 0 and first["state"] == "whole" else None

    @property
    def page(self) -> Path:
        """The page with all trials."""
        return self.folder / PAGE_FILE

    def summary(self) -> list[str]:
        """Returns in sentences what was tried and found."""
        states = [trial["state"] for trial in self.trials]
        failed = states.count("failed")
        lines = [
            f"Tried {counted(len(states), 'configuration')} of `{self.kind}`: {states.count('whole')} to the end, "
            f"{states.count('stopped')} stopped early{f', {failed} failed' if failed else ''}."
        ]
        best, first = self.best, self.configured
        rows = f"rmse on {counted(best['rows'], 'row')} of train that were held out"
        if first is None:
            lines.append(f"Best: trial {best['number']}, {rows} {number(best['rmse'])}.")
        elif best["number"] == first["number"]:
            lines.append(f"None was better than the config as it is: {rows} {number(best['rmse'])}.")
        else:
            gain = percent(1 - best["rmse"] / first["rmse"])
            lines.append(
                f"Best: trial {best['number']}, {rows} {number(best['rmse'])}, {gain} below the "
                f"{number(first['rmse'])} of the config as it is."
            )
        lines.append(
            f"The best of {len(states)} looks better on the rows that chose it than it is. No eval row was looked at: "
            "`crossnet run` judges it there."
        )
        return lines

    def text(self) -> str:
        """Returns the summary and the best trials."""
        table: list[tuple[str, ...]] = [("trial", "rmse", "epochs", "parameters", "settings")]
        for trial in self.ranked[:_SHOWN]:
            table.append(
                (
                    str(trial["number"]),
                    number(trial["rmse"]),
                    str(trial["epochs"]),
                    f"{trial['parameters']:,}",
                    words(trial["values"]),
                )
            )
        return "\n".join([*self.summary(), *aligned(table, left=(4,))])

    def to_json(self) -> dict[str, Any]:
        """Returns JSON values."""
        return {
            "model": self.kind,
            "tried": len(self.trials),
            "best": self.best["number"],
            "space": dict(self.space),
            "trials": [dict(trial) for trial in self.trials],
        }


def write_page(result: Result) -> None:
    """Writes the page with all trials beside the study."""
    from crossnet.pipeline.report import pages

    trials = [
        {**trial, "settings": words(trial["values"])}
        for trial in [*result.ranked, *(trial for trial in result.trials if trial["state"] != "whole")]
    ]
    page = pages.environment().get_template("tune.html")
    pages.write_page(result.page, page.render(result=result, trials=trials, summary=result.summary()))
