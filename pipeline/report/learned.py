"""Prepares what the report shows of what models have learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from crossnet.components.formats import number, product
from crossnet.pipeline.report.column_texts import ColumnTexts, column_texts
from crossnet.pipeline.report.diagrams import MAX_MATRIX_ROWS, heat_map
from crossnet.pipeline.report.effects import effects
from crossnet.pipeline.report.run import Run
from crossnet.pipeline.report.sections import css, ordered_models, subject

MAX_TERMS = 20


def learned(run: Run) -> dict[str, Any]:
    """Returns the effects of the columns, and of every cross network its interactions, formula and terms."""
    details, texts = run.evaluation.details if run.evaluation else {}, column_texts(run)
    label = texts.name(str(run.settings.get("example_gen", {}).get("label", "y")))
    name = subject(run) or ""
    found = [
        _explained(kind, details[kind]["explanation"], label, texts)
        for kind in ordered_models(run)
        if details.get(kind, {}).get("explanation")
    ]
    missing = "No model of this run is a cross network whose weights say which features it multiplies."
    shown = effects(details.get(name, {}), css(name), texts)
    return {
        "subject": name,
        "label": label,
        "effects": shown,
        "models": found,
        "missing": missing if run.evaluation else run.why_missing("evaluator"),
    }


def _explained(name: str, found: Mapping[str, Any], label: str, texts: ColumnTexts) -> dict[str, Any]:
    names = [_input_name(name, texts) for name in found["features"]]
    exact = "interactions" in found
    matrix = np.array(found["interactions" if exact else "strengths"], dtype=np.float64)
    largest = np.unravel_index(np.argmax(np.abs(matrix)), matrix.shape)
    pair = f"largest {number(float(matrix[largest]))} at {names[largest[0]]} and {names[largest[1]]}"
    terms = sorted(found.get("terms", ()), key=lambda term: -abs(term["coefficient"]))[:MAX_TERMS]
    return {
        "name": name,
        "formula": f"{label} = {found['formula']}" if exact else "",
        "picture": heat_map(matrix, names, names, f"Interaction matrix of {name}, {pair}"),
        "exact": exact,
        "around_mean": name in ("cross_mix", "cross_gated"),
        "limited": len(names) > MAX_MATRIX_ROWS,
        "terms": [{**term, "product": product(term["factors"]) or "1"} for term in terms],
        "more": len(found.get("terms", ())) - len(terms),
        "max_error": found.get("max_error"),
    }


def _input_name(name: str, texts: ColumnTexts) -> str:
    """Returns the name of a network's input, such as "day, sine of the week", with the column as the source has it."""
    column = next((column for column in sorted(texts.names, key=len, reverse=True) if _is_of(name, column)), name)
    return texts.name(column) + name.removeprefix(column)


def _is_of(name: str, column: str) -> bool:
    return name == column or name.startswith((f"{column} is missing", f"{column}, "))
