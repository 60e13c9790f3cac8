"""Writes a run's report and the index of all runs as HTML.

A page is one file that loads nothing and runs one script, which sorts tables and shows values under the pointer;
without it the page is whole. It works in light and dark, on a phone and on paper. A run that failed, was stopped or was
asked to end early has the sections that it came to.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from crossnet.components.files import clear_unfinished, write_file
from crossnet.components.formats import counted, duration, number, percent
from crossnet.pipeline.config import changed_settings
from crossnet.pipeline.report import charts, sections
from crossnet.pipeline.report.card import make_card
from crossnet.pipeline.report.card_text import write_card
from crossnet.pipeline.report.charts import Series
from crossnet.pipeline.report.column_texts import column_texts
from crossnet.pipeline.report.headline import headline
from crossnet.pipeline.report.learned import learned
from crossnet.pipeline.report.run import Run, lineage, load_facts, load_run
from crossnet.pipeline.report.training import training
from crossnet.pipeline.run_state import FINISHED
from crossnet.pipeline.store import Store
from crossnet.serving.protocol.printable import printable

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"
SCRIPT_FILES = ("tables.js", "hover.js")  # the page's policy allows these alone, as one script
REPORT_FILE = "report.html"
INDEX_FILE = "index.html"
MAX_REASONS = 12
MAX_CONFIG_CHARACTERS = 100_000
MAX_NAME_CHARACTERS = 80  # of a name or a value from the data

_UNBROKEN = re.compile(r"[\d.]+e-\d+|[\d.]+ %(?= )")  # a line may not end within them


def write_report(store: Store, run: str) -> Path:
    """Writes `runs/<run>/report.html`, with the model card as Markdown beside it, and returns its path.

    Args:
      store: The root.
      run: The run's name; the run may have failed.

    Raises:
      MissingArtifactError: There is no such run.
    """
    loaded = load_run(store, store.read_run(run).run)
    card = make_card(loaded)
    if card is not None:
        write_card(loaded, card, store.runs / loaded.name)
    shown = {
        "comparison": sections.comparison(loaded),
        "gate": sections.gate(loaded),
        "training": training(loaded),
        "predictions": sections.predictions(loaded),
        "learned": learned(loaded),
        "data": sections.data(loaded),
        "anomalies": sections.anomalies(loaded),
        "lineage": lineage(loaded, store),
        "reasons": _reasons(loaded),
        "pushed": sections.pushed(loaded),
    }
    page = (
        environment()
        .get_template("report.html")
        .render(
            run=loaded,
            record=loaded.record,
            headline=headline(loaded.record),
            left_out=_left_out(loaded, shown),
            card=card,
            texts=column_texts(loaded),
            steps=sections.steps(loaded),
            changed=changed_settings(loaded.settings),
            config_text=loaded.config_text[:MAX_CONFIG_CHARACTERS],
            **shown,
        )
    )
    return write_page(store.runs / loaded.name / REPORT_FILE, page)


def _left_out(run: Run, shown: Mapping[str, Any]) -> list[str]:
    """Returns the sections without content of a run that failed, did not end by itself, or was not asked for more."""
    broken = run.record.state != FINISHED or run.record.exit_code in (1, 2)
    gate, trainers = shown["gate"], [name for name in run.record.graph if name.startswith("trainer_")]
    has_content = {
        "verdict": ("evaluator", broken or shown["reasons"] or shown["pushed"]),
        "models": ("evaluator", shown["comparison"]["rows"]),
        "gate": ("evaluator", gate["candidates"] or gate["slices"] or gate["infra"]),
        "training": (next(iter(trainers), "trainer"), shown["training"]["models"]),
        "predictions": ("evaluator", shown["predictions"]["charts"]),
        "learned": ("evaluator", shown["learned"]["models"] or shown["learned"]["effects"]),
        "data": ("statistics_gen", shown["data"]["columns"]),
        "anomalies": ("example_validator", shown["anomalies"]["checked"]),
        "lineage": ("pusher", shown["lineage"]),
    }
    return [
        section
        for section, (step, content) in has_content.items()
        if not content and (broken or step not in run.record.graph)
    ]


def write_index(store: Store) -> Path:
    """Writes `runs/index.html`, a table of all runs and their RMSE over time, and returns its path."""
    runs = [_index_entry(store, name) for name in store.run_names()]
    groups: dict[str, list[dict[str, Any]]] = {}
    for entry in reversed(runs):  # the oldest first
        if entry["scored"]:
            groups.setdefault(entry["group"], []).append(entry)
    charts = [{"name": name, "pictures": _rmse_over_time(name, entries)} for name, entries in groups.items()]
    page = environment().get_template("index.html").render(runs=runs, charts=charts, root=store.root)
    store.runs.mkdir(parents=True, exist_ok=True)
    return write_page(store.runs / INDEX_FILE, page)


def write_page(path: Path, page: str) -> Path:
    """Writes a page whole and returns its path."""
    clear_unfinished(path.parent)  # of a `report` that was killed
    write_file(path, printable(page))  # a header may turn the direction in which text reads
    return path


def environment() -> Environment:
    """Returns what fills the templates."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = "".join((TEMPLATES / file).read_text(encoding="utf-8") for file in SCRIPT_FILES)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment.globals |= {"script": Markup(script), "script_hash": f"sha256-{digest}"}
    environment.filters |= {
        "number": lambda value, digits=4: "–" if value is None else number(value, digits),
        "percent": percent,
        "duration": duration,
        "counted": counted,
        "prose": _prose,
        "short": lambda text: charts.shorten(str(text), MAX_NAME_CHARACTERS),
        "moment": _moment,
        "picture": Markup,
        "css": sections.css,
    }
    return environment


def _prose(text: str) -> Markup:
    """Returns text as HTML, in which text between backticks is code."""
    from markupsafe import Markup, escape

    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text)))
    return Markup(_UNBROKEN.sub(r'<span class="nowrap">\g<0></span>', marked))


def _moment(text: str) -> str:
    """Returns an ISO 8601 time as people read it, to the second; a dash where there is none."""
    if not text:
        return "–"
    return datetime.datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S UTC")


def _reasons(run: Run) -> list[tuple[str, str]]:
    """Returns why the run ended as it did, CSS class and sentence: failures first, notes last."""
    found = [("bad", text) for text in (run.record.error, *run.record.reasons[:MAX_REASONS]) if text]
    if (hidden := len(run.record.reasons) - MAX_REASONS) > 0:
        found.append(("bad", f"{counted(hidden, 'more rule')} failed; see the gate below."))
    if run.evaluation is not None and run.record.champion:
        rules = run.evaluation.verdict.get("candidates", {}).get(run.record.champion, {}).get("rules", [])
        states = {True: "good", None: "plain"}
        found += [(states[r["passed"]], r["message"]) for r in rules if r["slice"] is None and r["passed"] is not False]
    for kind, model in run.models.items():
        if diagnosis := model.properties.get("diagnosis"):
            found.append(("note", f"`{kind}`: {' '.join(diagnosis)}"))
    found += [("note", text) for text in run.record.warnings]
    return list(dict.fromkeys(found))


def _index_entry(store: Store, name: str) -> dict[str, Any]:
    run = load_facts(store, name)
    settings, record = run.settings, run.record
    label = settings.get("example_gen", {}).get("label", "?")
    group = f"{settings.get('pusher', {}).get('model_name', '?')}, label {label}"
    rmse = {model: record.models[model].get("eval_rmse") for model in sections.ordered_models(run)}
    return {
        "name": name,
        "record": record,
        "headline": headline(record),
        "group": group,
        "rmse": rmse,
        "scored": any(value is not None for value in rmse.values()),
        "report": (store.runs / name / REPORT_FILE).is_file(),
        "seconds": sum(step.seconds for step in record.steps.values()),
    }


def _rmse_over_time(group: str, entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the RMSE of every model by run, oldest first, wide and narrow."""
    models = list(dict.fromkeys(model for entry in entries for model in entry["rmse"]))
    x = np.arange(1, len(entries) + 1, dtype=float)
    hollow = np.array([not entry["record"].blessed for entry in entries])
    series = [
        Series(
            model,
            sections.css(model),
            x,
            np.array([math.nan if entry["rmse"].get(model) is None else entry["rmse"][model] for entry in entries]),
            hollow,
        )
        for model in models
    ]
    pictures = []
    for width, height, count in ((760, 320, 6), (360, 280, 3)):
        chosen = sorted({round(place) for place in np.linspace(0, len(entries) - 1, min(count, len(entries)))})
        ticks = [(float(i + 1), _moment(entries[i]["record"].started)[5:16]) for i in chosen]
        pictures.append(
            charts.line_chart(
                series,
                f"Eval RMSE by run of {group}, oldest first, logarithmic: {len(entries)} runs",
                x_label="run, by time of its start (UTC)",
                y_label="eval RMSE",
                width=width,
                height=height,
                x_ticks=ticks,
                x_text=lambda place: str(entries[round(place) - 1]["name"]),
            )
        )
    return pictures
