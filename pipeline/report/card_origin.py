"""Gathers facts on data and making for a model card."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossnet.components.artifacts.base import read_facts
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.statistics import Statistics
from crossnet.components.formats import counted, duration, percent
from crossnet.components.params.networks import MODEL_KINDS
from crossnet.components.params.presets import preset_defaults
from crossnet.pipeline.config import changed_settings
from crossnet.pipeline.report.arrays import ColumnView, column_views
from crossnet.pipeline.report.column_texts import ColumnTexts
from crossnet.pipeline.report.run import Run
from crossnet.pipeline.report.training import setting_text

MAX_COLUMNS = 100
MAX_FILES = 5
MAX_VALUES = 3  # of a text column
_NOTHING = object()
_TYPES = {"FLOAT": "number", "INT": "whole number", "BYTES": "text"}


@dataclass(frozen=True)
class Table:
    """A table of text; the first column names its rows, `right` are the columns of numbers."""

    caption: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    right: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Part:
    """A part of a card: sentences, in which names stand between backticks, and a table."""

    title: str
    lines: Sequence[str]
    table: Table | None = None


def data_part(run: Run, examples: Examples, texts: ColumnTexts) -> Part:
    """Returns where the rows are from, which are left out, and what each column holds."""
    counts = [f"{counted(examples.counts[split], 'row')} in {split}" for split in examples.all_splits]
    split = examples.properties.get("split", "")
    column = examples.properties.get("split_column", "")
    how = f'by the setting `split = "{split}"`' + (f" of `{texts.name(column)}`" if column else "")
    lines = [_files(examples), f"There are {', '.join(counts)}, split {how}."]
    statistics = run.get(Statistics, "statistics_gen")
    views = column_views(statistics, examples.splits) if statistics else []
    for view in (view for view in views if view.name in texts.units):
        extents = [
            f"{texts.value(view.name, facts['min'])} to {texts.value(view.name, facts['max'])} in {split}"
            for split, facts in view.splits.items()
            if "min" in facts and facts["missing"] < 1
        ]
        lines.append(f"`{texts.name(view.name)}` goes from {', and from '.join(extents)}.")
    lines += examples.properties.get("notes", ())
    excluded = run.settings.get("example_gen", {}).get("exclude", ())
    if excluded:
        names = [f"`{texts.name(name)}`" for name in excluded[:MAX_COLUMNS]]
        lines.append(f"Not used, because `exclude` names {'it' if len(excluded) == 1 else 'them'}: {', '.join(names)}.")
    for role, column in (("weight", examples.weight), ("group", examples.group)):
        if column:
            lines.append(f"The {role} of a row is its `{texts.name(column)}`.")
    views.sort(key=lambda view: view.name != examples.label)
    renamed = any(_asked(view, texts) for view in views if view.name != examples.label)
    rows = [_column(view, examples, texts, renamed) for view in views[:MAX_COLUMNS]]
    if len(views) > MAX_COLUMNS:
        lines.append(f"The table has the first {MAX_COLUMNS} of {len(views):,} columns.")
    heads = ("column", *(["name in requests"] if renamed else []), "type", "in train", "missing")
    right = frozenset({len(heads) - 1})
    return Part("Data", lines, Table("Every column as train has it.", heads, rows, right) if rows else None)


def _files(examples: Examples) -> str:
    """Returns where the rows came from."""
    if examples.source == "synthetic":
        return "The rows were generated."
    files = [Path(name).name for name in examples.properties.get("files", ())]
    digests = list(read_facts(examples.path).get("data", {}).values())
    known = digests if len(digests) == len(files) else [""] * len(files)
    shown = [
        f"`{name}`" + (f" (SHA-256 {digest[:16]}…)" if digest else "")
        for name, digest in zip(files[:MAX_FILES], known, strict=False)
    ]
    more = f" and {len(files) - MAX_FILES:,} more" if len(files) > MAX_FILES else ""
    return f"The rows are those of {', '.join(shown)}{more}."


def _asked(view: ColumnView, texts: ColumnTexts) -> bool:
    """Whether requests name a column otherwise than the source."""
    return view.name != texts.name(view.name)


def _column(view: ColumnView, examples: Examples, texts: ColumnTexts, renamed: bool) -> tuple[str, ...]:
    facts = view.splits.get("train") or next(iter(view.splits.values()))
    kind = _TYPES.get(examples.column_types.get(view.name, ""), view.type)
    if view.name in texts.units:
        kind = "date or time"
    if view.name == examples.label:
        kind += ", the label"
    if view.values:
        values = [value or '""' for value, _ in view.values[:MAX_VALUES]]
        more = ", …" if facts["unique"] > len(values) else ""
        extent = f"{counted(int(facts['unique']), 'value')}: {', '.join(values)}{more}"
    elif "min" in facts and facts["missing"] < 1:
        extent = f"{texts.value(view.name, facts['min'])} to {texts.value(view.name, facts['max'])}"
    else:
        extent = "–"
    asked = ["–" if view.name == examples.label else f"`{view.name}`"] if renamed else []
    return texts.name(view.name), *asked, kind, extent, percent(facts["missing"]) if facts["missing"] else "0"


def origin_part(run: Run, name: str) -> Part:
    """Returns how a model was made, so that it can be made again."""
    model, record = run.models[name], run.record
    rows = [
        ("run", f"{run.name}, {record.started[:19].replace('T', ' ')} UTC"),
        ("settings", f"config.toml, SHA-256 {hashlib.sha256(run.config_text.encode()).hexdigest()}"),
        ("model", f"{model.fingerprint}, files' checksum {model.checksum}"),
        ("training", _training(model.properties)),
        ("versions", ", ".join(f"{library} {version}" for library, version in record.versions.items())),
    ]
    rows += [(setting, f"`{setting_text(value)}`") for setting, value in _own_settings(run.settings, name)]
    return Part(
        "How it was made",
        [],
        Table("What it was made from, and the settings that are not the defaults.", ("what", "value"), rows),
    )


def _own_settings(settings: Mapping[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    """Yields the settings that differ from the defaults of their preset, but those of other kinds of model."""
    defaults = preset_defaults(str(settings.get("trainer", {}).get("preset", "")))
    for setting, value in changed_settings(settings):
        section, _, key = setting.partition(".")
        if not (section in MODEL_KINDS and section != name) and value != defaults.get(section, {}).get(key, _NOTHING):
            yield setting, value


def _training(properties: Mapping[str, Any]) -> str:
    seconds, updates = properties.get("train_seconds"), properties.get("updates")
    parts = [duration(seconds)] if seconds is not None else []
    parts += [counted(updates, "update")] if updates is not None else []
    chosen = properties.get("chosen") or {}
    return ", ".join([*parts, *(f"{setting} {setting_text(value)}" for setting, value in chosen.items())])
