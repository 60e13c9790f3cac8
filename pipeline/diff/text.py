"""Writes the differences of two runs as lines of text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crossnet.components.formats import MISSING, aligned, number, percent

MAX_VALUE = 60
_FRONT = 20  # characters that stay in front of what is left out
_NOTHING = "nothing differs"
_UNKNOWN = "  cannot be compared"


def render_diff(facts: Mapping[str, Any]) -> str:
    """Returns what `crossnet.pipeline.diff.runs.diff_runs` has found, as text with columns."""
    one, other = facts["runs"]
    lines = [f"before: run {one['run']}, {one['verdict']}", f"after:  run {other['run']}, {other['verdict']}"]
    parts: dict[str, list[str]] = {
        "settings": _table(("setting", "before", "after"), facts["settings"]),
        "data": [_UNKNOWN] if facts["data"]["same"] is None else list(_data(facts["data"])),
        "metrics": _metrics(facts["metrics"]) if facts["metrics"] else [_UNKNOWN],
        "steps with other artifacts": list(_steps(facts["steps"])),
    }
    for title, part in parts.items():
        lines += [f"{title}: {_NOTHING}"] if not part else [title, *part]
    return "\n".join([*lines, *facts["notes"]])


def value_text(value: Any) -> str:
    """Returns a setting's value as TOML has it; of a long one, such as a path, the middle is left out."""
    text = MISSING if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_VALUE else f"{text[:_FRONT]}…{text[_FRONT + 1 - MAX_VALUE :]}"


def change_text(line: Mapping[str, Any]) -> str:
    """Returns a change of RMSE and its interval in words: "-4.1 %, interval -6 % to -2.2 %"."""
    if line["change"] is None:
        return ""
    text = signed(line["change"])
    if line["interval"]:
        low, high = line["interval"]
        text += f", interval {signed(low)} to {signed(high)}"
    return text


def judged(line: Mapping[str, Any]) -> str:
    """Returns "better" or "worse" where the interval of a change leaves out zero, else an empty text."""
    if not line["interval"]:
        return ""
    low, high = line["interval"]
    return "better" if high < 0 else "worse" if low > 0 else ""


def signed(share: float) -> str:
    """Returns a share as a percentage that shows its sign: "+4.2 %"."""
    return f"{'+' if share > 0 else ''}{percent(share)}"


def _table(heads: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns a table of settings, whose values stand as TOML has them, or of columns or splits."""
    show = value_text if heads[0] == "setting" else _plain_text
    cells = [(str(row[heads[0]]), *(show(row[key]) for key in heads[1:])) for row in rows]
    return aligned([tuple(heads), *cells], left=range(len(heads))) if cells else []


def _plain_text(value: Any) -> str:
    return MISSING if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _data(data: Mapping[str, Any]) -> Iterator[str]:
    yield from _table(("split", "before", "after"), data["rows"])
    yield from _table(("column", "before", "after"), data["columns"])
    for drift in data["drift"]:
        detail = f" at {drift['detail']}" if drift["detail"] else ""
        yield (
            f"  `{drift['column']}` has drifted: {drift['measure']} {number(drift['value'])}{detail}, of which chance "
            f"explains {number(drift['noise'])}"
        )
    if data["same"] is False and not any(data[key] for key in ("columns", "drift")):
        yield "  other rows, with the same columns and without drift"


def _metrics(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    if all(line["before"] == line["after"] for line in metrics):
        return []
    rows = [("model", "slice", "eval rmse", "after", "change", "")]
    for line in metrics:
        cells = number(line["before"], 4), number(line["after"], 4), change_text(line), judged(line)
        rows.append((line["model"], line["slice"] or "", *cells))
    return aligned(rows, left=(0, 1, 4, 5))


def _steps(steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for step in steps:
        why = "; ".join(step["because"]) or f"{step['before']} before, {step['after']} after"
        yield f"  {step['step']}: {why}"
